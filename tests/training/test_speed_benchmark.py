"""`python -m benchmarks training_speed` measures what it says: the products of the step, counted; shares that follow."""

import pytest
import torch

from benchmarks import training_speed
from tokpress.training.nets.mingru import MinGRUNet


def test_the_values_and_the_table():
    result = training_speed.measure("tiny", 1, "auto", False)
    seconds = result["seconds"]
    assert result["products_share"] == pytest.approx(seconds["products"] / seconds["step"])
    assert result["tokens_per_second"] == pytest.approx(8 * 64 / seconds["step"])
    rows = [line for line in training_speed.table({"tiny": result}) if line.startswith("| tiny, ")]
    assert len(rows) == 1 and f"{result['products_share']:.0%}" in rows[0]


def test_the_products_are_those_of_the_step():
    """Count the multiplications that torch itself sees in a step."""
    from torch.utils.flop_counter import FlopCounterMode

    net = MinGRUNet(48, 16, 2, 24)
    products, operations = training_speed.products_of(net, 5 * 7, torch.float32)
    x = torch.zeros(5, 7, dtype=torch.long)
    with FlopCounterMode(display=False) as in_step:
        net(x, x, net.initial_state(5))[0].backward()
    with FlopCounterMode(display=False) as alone:
        products()
    assert operations == alone.get_total_flops() == in_step.get_total_flops()

"""benchmarks/training_speed.py measures what it says: the products of the step, counted; shares that follow."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tokpress.training.nets.mingru import MinGRUNet

SCRIPT = Path(__file__).parents[2] / "benchmarks/training_speed.py"


@pytest.fixture(scope="module")
def speed():
    spec = importlib.util.spec_from_file_location("training_speed", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_and_the_file(speed, tmp_path):
    words = ["--preset", "tiny", "--rounds", "1", "--no-compile", "--output", str(tmp_path / "r/s.json")]
    done = CliRunner().invoke(speed.main, words)
    assert done.exit_code == 0 and "its matrix products alone" in done.output, done.output
    result = json.loads((tmp_path / "r/s.json").read_text())
    seconds = result["seconds"]
    assert result["products_share"] == pytest.approx(seconds["products"] / seconds["step"])
    assert result["tokens_per_second"] == pytest.approx(8 * 64 / seconds["step"])


def test_the_products_are_those_of_the_step(speed):
    """Count the multiplications that torch itself sees in a step."""
    from torch.utils.flop_counter import FlopCounterMode

    net = MinGRUNet(48, 16, 2, 24)
    products, operations = speed.products_of(net, 5 * 7, torch.float32)
    x = torch.zeros(5, 7, dtype=torch.long)
    with FlopCounterMode(display=False) as in_step:
        net(x, x, net.initial_state(5))[0].backward()
    with FlopCounterMode(display=False) as alone:
        products()
    assert operations == alone.get_total_flops() == in_step.get_total_flops()

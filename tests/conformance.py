"""What every prior must do, whoever wrote it: `check(model)` runs it all on a small input.

Causality in its order, normalisation, independence of lane count and of the other lanes' future, rows that
leave, coded bits ≈ −log2 p, round trip in lanes, save → load → the same file, the same bytes twice.
"""

import math

import numpy as np

from tokpress import conditionals
from tokpress.lanes import Layout
from tokpress.model import Model, load_folder

TEXT = b"the cat sat on the mat; the cat ate the rat. " * 9 + bytes(range(250, 256)) + b"\0\xff\n"


def pmfs(prior, tokens: np.ndarray, lanes: int) -> list[np.ndarray]:
    layout = Layout.of(len(tokens), lanes, prior.stride)
    grid, out = layout.split(tokens), []
    steps = conditionals.conditionals(prior, layout)
    pmf = next(steps)
    for t in range(layout.steps):
        out.append(pmf.copy())
        try:
            pmf = steps.send(grid[: len(pmf), t].copy())
        except StopIteration:
            break
    return out


def check_pmfs(model: Model) -> None:
    tokens = model.tokenizer.encode(TEXT)
    for lanes in (1, 3, 7):
        for pmf in pmfs(model.prior, tokens, lanes):
            assert pmf.dtype == np.float32 and pmf.flags.c_contiguous
            assert pmf.shape[1] == model.prior.vocab_size
            assert (pmf >= 0).all()
            assert np.abs(pmf.sum(1, dtype=np.float64) - 1).max() < 1e-4


def check_causal(model: Model) -> None:
    """Changing what comes at or after step t changes no pmf up to and including step t, in any lane."""
    tokens = model.tokenizer.encode(TEXT)
    layout = Layout.of(len(tokens), 4, model.prior.stride)
    rng = np.random.default_rng(1)
    before = pmfs(model.prior, tokens, 4)
    for t in (0, 1, layout.steps // 2, layout.steps - 1):
        grid = layout.split(tokens)
        grid[:, t:] = rng.integers(0, model.prior.vocab_size, grid[:, t:].shape)
        after = pmfs(model.prior, layout.join(grid), 4)
        for a, b in zip(before[: t + 1], after[: t + 1], strict=True):
            assert np.array_equal(a, b)


def check_coding(model: Model) -> None:
    for source in (TEXT, TEXT[:1], b"", b"\0" * 300, np.random.default_rng(0).bytes(300)):
        tokens = model.tokenizer.encode(source)
        for lanes in (1, 2, 5):
            payload = conditionals.encode(model.prior, tokens, lanes)
            decoded = conditionals.decode(model.prior, payload, len(tokens), lanes)
            assert np.array_equal(tokens, decoded)
            assert conditionals.encode(model.prior, tokens, lanes) == payload
            bits = conditionals.score(model.prior, tokens, lanes).sum()
            # one word of termination, and 2^−24 a symbol for the coder's integer frequencies
            assert 8 * len(payload) <= bits * 1.005 + 40 + len(tokens) * 0.01
            if source == TEXT:  # others may happen to code to zeros, which need not be written
                assert 8 * len(payload) >= bits * 0.995 - 40


def check_saved(model: Model, folder) -> None:
    model.save(folder / "saved")
    again = load_folder(folder / "saved")
    assert again.id == model.id
    assert again.config() == model.config()
    tokens = model.tokenizer.encode(TEXT)
    assert conditionals.encode(again.prior, tokens, 3) == conditionals.encode(model.prior, tokens, 3)
    file = model.compress(TEXT)
    assert again.decompress(file) == TEXT


def check_sample(model: Model) -> None:
    first = conditionals.sample(model.prior, 40, seed=3)
    assert np.array_equal(first, conditionals.sample(model.prior, 40, seed=3))
    assert len(first) == 40 and first.min() >= 0 and first.max() < model.prior.vocab_size
    assert isinstance(model.sample(40, seed=3), bytes)


def check(model: Model, folder) -> None:
    check_pmfs(model)
    check_causal(model)
    check_coding(model)
    check_saved(model, folder)
    check_sample(model)
    assert math.isclose(model.score(TEXT).source_bytes, len(TEXT))

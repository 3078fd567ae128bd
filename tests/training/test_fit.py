"""Batches, schedule, checkpoints: an interrupted run goes on as if nothing had happened; two processes agree."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from tokpress.errors import CorpusError, TokpressError
from tokpress.training.checkpoint import Checkpoint
from tokpress.training.fit import fit, learning_rate, make_optimizers
from tokpress.training.mingru_net import MinGRUNet
from tokpress.training.options import FitConfig, Progress, Stopped
from tokpress.training.presets import shrunk, vocabulary_for
from tokpress.training.streams import BEGIN, Source, Streams, validation_batch


def source(path: Path, tokens, weight: float = 1.0) -> Source:
    np.asarray(tokens, "<u2").tofile(path)
    return Source(path, weight)


@pytest.fixture
def counting(tmp_path) -> Source:
    """0, 1, …, so that every token tells its place."""
    return source(tmp_path / "counting.u16", np.arange(60_000))


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────


def test_rows_read_on_and_start_empty(counting):
    streams = Streams([counting], rows=5, window=8, segment=3, seed=1)
    ends = np.zeros(5, np.int64)
    jumps = 0
    for number in range(60):
        inputs, targets, fresh = next(streams)
        assert (np.diff(targets, axis=1) == 1).all() and (inputs[:, 1:] == targets[:, :-1]).all()
        assert (inputs[fresh, 0] == BEGIN).all() and (fresh.all() or number)
        assert (inputs[~fresh, 0] == ends[~fresh]).all() and (targets[~fresh, 0] == ends[~fresh] + 1).all()
        ends, jumps = targets[:, -1], jumps + int(fresh.sum())
    assert 60 < jumps < 180  # a segment is about 3 windows


def test_skipping_is_drawing(counting):
    drawn, skipped = (Streams([counting], 4, 8, 3, [7, 0]) for _ in range(2))
    for _ in range(23):
        next(drawn)
    skipped.skip(23)
    for a, b in zip(next(drawn), next(skipped), strict=True):
        assert np.array_equal(a, b)


def test_held_out_tokens_are_never_drawn(counting, tmp_path):
    small = source(tmp_path / "small.u16", np.arange(300) + 60_000)
    assert len(counting.validation) == 1200 and len(small.validation) == 30
    assert len(counting.tokens) + len(counting.validation) == 60_000
    seen = np.concatenate([targets.ravel() for (_, targets, _), _ in zip(Streams([counting], 8, 16, 2, 0), range(400))])
    assert seen.max() < counting.validation[0]
    batch = validation_batch([counting, small], rows=4, window=16, windows=4)
    assert batch.shape == (4, 65) and np.isin(batch, counting.validation).all()
    assert len(np.unique(batch)) == batch.size
    tiny = validation_batch([small], rows=4, window=16, windows=4)
    assert np.isin(tiny, small.validation).all() and len(np.unique(tiny)) == tiny.size
    with pytest.raises(CorpusError, match="too small"):
        validation_batch([source(tmp_path / "none.u16", [1, 2, 3])], 4, 16, 4)


def test_weights_are_shares_of_the_draws(tmp_path):
    low, high = source(tmp_path / "a", np.zeros(5000)), source(tmp_path / "b", np.ones(5000), 3.0)
    share = np.mean([targets.mean() for (_, targets, _), _ in zip(Streams([low, high], 16, 16, 1, 0), range(100))])
    assert 0.7 < share < 0.8


def test_small_corpora_get_small_batches(counting, tmp_path):
    asked = FitConfig(rows=32, window=256)
    assert shrunk(asked, [counting]).window == 256 and shrunk(asked, [counting]).rows == 14
    little = shrunk(asked, [source(tmp_path / "s", np.zeros(2000))])
    assert 16 <= little.window <= 64 and 1 <= little.rows <= 8
    with pytest.raises(CorpusError, match="too few for a window"):
        shrunk(asked, [source(tmp_path / "t", np.zeros(12))])
    with pytest.raises(CorpusError, match="smaller --window"):
        Streams([source(tmp_path / "t", np.zeros(12))], 2, 16, 1, 0)
    (tmp_path / "text").write_bytes(b"x" * 6400)
    assert vocabulary_for([tmp_path / "text"], 4096) == 356 and vocabulary_for([tmp_path / "text"], 300) == 300


# ── schedule ────────────────────────────────────────────────────────────────────────────────────────


def test_learning_rate_rises_holds_and_falls():
    config = FitConfig(learning_rate=1.0, warmup=100, decay=0.5)
    rates = [learning_rate(config, step, step / 10_000) for step in range(0, 10_001, 50)]
    assert rates[0] == pytest.approx(0.01) and rates[2] == rates[100] == 1.0
    assert rates[150] == pytest.approx(0.5) and rates[-1] == 0
    assert learning_rate(config, 5, 0.05) == pytest.approx(0.5)  # a run of 100 steps warms up in 10


# ── checkpoints ─────────────────────────────────────────────────────────────────────────────────────

CONFIG = FitConfig(max_minutes=600, max_steps=8, rows=3, window=16, compile=False, precision="fp32", warmup=2)


def small_net() -> MinGRUNet:
    torch.manual_seed(0)
    return MinGRUNet(32, 16, 1, 16)


@pytest.fixture
def patterned(tmp_path) -> Source:
    return source(tmp_path / "tokens.u16", np.random.default_rng(0).integers(0, 32, 400).repeat(3))


def test_a_resumed_run_is_the_same_run(patterned, tmp_path):
    whole, seen = small_net(), []
    done = fit(whole, [patterned], np.ones(32), CONFIG, tmp_path / "a", report=lambda p: seen.append(p.step))
    assert done.step == 8 and done.tokens == 8 * 48 and seen[:3] == [1, 2, 3]
    assert done.curve[-1]["step"] == 8 and np.isfinite(done.held_out_bits_per_byte)

    steps = iter([False] * 3 + [True])
    with pytest.raises(Stopped, match="step 3"):
        fit(small_net(), [patterned], np.ones(32), CONFIG, tmp_path / "b", stop=lambda: next(steps))
    again = MinGRUNet(32, 16, 1, 16)  # whatever it holds is replaced
    resumed = fit(again, [patterned], np.ones(32), CONFIG, tmp_path / "b", resume=True)
    assert (resumed.step, resumed.tokens) == (8, 8 * 48)
    for (name, p), q in zip(whole.named_parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(p, q, msg=name, rtol=1e-4, atol=1e-5)
    assert resumed.train_nats == pytest.approx(done.train_nats, rel=1e-4)
    kept = json.loads((tmp_path / "b/progress.json").read_text())
    assert kept["progress"]["curve"] == resumed.curve and kept["fit"] == asdict(CONFIG)
    assert {p.suffix for p in (tmp_path / "b").iterdir()} == {".safetensors", ".json"}  # nothing pickled


def test_checkpoints_of_before_the_curve_load(tmp_path):
    """The first runs kept neither the curve nor the recurrent state."""
    net = small_net()
    saved = Checkpoint(tmp_path / "c")
    saved.save(net, make_optimizers(net, 1e-3), Progress(step=7), CONFIG)
    kept = json.loads((tmp_path / "c/progress.json").read_text())
    del kept["progress"]["curve"]
    (tmp_path / "c/progress.json").write_text(json.dumps(kept))
    again = MinGRUNet(32, 16, 1, 16)
    progress = saved.load(again, make_optimizers(again, 1e-3))
    assert progress.step == 7 and progress.curve == []
    assert saved.state() is None and torch.equal(again.head.weight, net.head.weight)


def test_the_old_checkpoint_survives_an_unlucky_moment(tmp_path):
    net, saved = small_net(), Checkpoint(tmp_path / "c")
    saved.save(net, make_optimizers(net, 1e-3), Progress(step=5), CONFIG)
    (tmp_path / "c").rename(tmp_path / "c.old")  # between the two renames
    (tmp_path / "c.new").mkdir()
    assert saved.exists() and saved.load(net, make_optimizers(net, 1e-3)).step == 5
    saved.save(net, make_optimizers(net, 1e-3), Progress(step=6), CONFIG)
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_damaged_and_foreign_checkpoints_are_told(tmp_path):
    net, saved = small_net(), Checkpoint(tmp_path / "c")
    saved.save(net, make_optimizers(net, 1e-3), Progress(), CONFIG)
    other = MinGRUNet(32, 24, 1, 16)
    with pytest.raises(TokpressError, match="damaged or of another network"):
        saved.load(other, make_optimizers(other, 1e-3))
    (tmp_path / "c/net.safetensors").write_bytes(b"no")
    with pytest.raises(TokpressError, match="damaged"):
        saved.load(net, make_optimizers(net, 1e-3))


def test_divergence_is_an_error(patterned, tmp_path):
    net = small_net()
    with torch.no_grad():
        net.bias.fill_(float("nan"))
    with pytest.raises(TokpressError, match="lower --learning-rate"):
        fit(net, [patterned], np.ones(32), CONFIG, tmp_path / "d")


# ── several processes ───────────────────────────────────────────────────────────────────────────────


def test_two_processes_hold_the_same_weights(patterned, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # RANK … are what torchrun and accelerate launch set
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, str(Path(__file__).with_name("two_ranks.py")), str(patterned.path), str(tmp_path)]
    ranks = [
        subprocess.Popen(
            command, env=os.environ | common | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    told = []
    for process in ranks:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told.append(next(line.split()[1:] for line in out.splitlines() if line.startswith("RESULT")))
    (_, digest, *first), (_, other, *second) = told
    assert digest == other
    assert first == ["5", str(5 * 4 * 16 * 2), "True"]  # only the first writes
    assert second == ["5", str(5 * 4 * 16 * 2), "False"]

"""Batches, schedule, checkpoints: an interrupted run goes on as if nothing had happened; two processes agree."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tokpress
from tests.limits import LAST_RESORT
from tests.training.two_ranks import CONFIG as RANKS
from tests.training.two_ranks import small_net as ranks_net
from tokpress.errors import CorpusError, ModelError, TokpressError
from tokpress.models.loading import load_folder
from tokpress.tokenizers.text.bytes import BytesTokenizer, NibblesTokenizer
from tokpress.training.data.streams import BEGIN, Items, Source, Streams, validation_batch
from tokpress.training.export import model_of_checkpoint
from tokpress.training.loop.checkpoint import Checkpoint
from tokpress.training.loop.fit import fit
from tokpress.training.loop.optimizers import learning_rate, make_optimizers
from tokpress.training.nets.mingru import MinGRUNet, export
from tokpress.training.options import FitConfig, FitOptions, Progress, Stopped
from tokpress.training.sizes import shrunk, vocabulary_for


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
        inputs, targets, fresh, _ = next(streams)
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
    seen = np.concatenate(
        [targets.ravel() for (_, targets, *_), _ in zip(Streams([counting], 8, 16, 2, 0), range(400))]
    )
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
    share = np.mean([targets.mean() for (_, targets, *_), _ in zip(Streams([low, high], 16, 16, 1, 0), range(100))])
    assert 0.7 < share < 0.8


def test_items_are_whole_in_their_order_and_held_out_ones_are_never_drawn(tmp_path):
    order = np.array([2, 0, 1])
    pictures = source(tmp_path / "pictures", np.concatenate([[7, 7], np.arange(3 * 400)]))  # a header of two
    given = source(tmp_path / "given", np.repeat(np.arange(400), 2))
    drawn, skipped = (Items([pictures], 8, order, [3, 0], [given], 2) for _ in range(2))
    seen = set()
    for number in range(200):
        inputs, targets, fresh, x = next(drawn)
        number_of = targets[:, 1] // 3
        assert (targets == 3 * number_of[:, None] + order).all() and fresh.all()
        assert (inputs[:, 1:] == targets[:, :-1]).all() and (inputs[:, 0] == BEGIN).all()
        assert (x == number_of[:, None]).all()
        seen |= set(number_of.tolist())
        if number == 9:
            skipped.skip(10)
            assert np.array_equal(next(skipped).targets, next(drawn).targets)
    held_out = np.concatenate([batch.targets[:, 1] // 3 for batch in drawn.held_out()])
    assert len(seen) > 350 and len(held_out) == 8 and not seen & set(held_out.tolist())
    with pytest.raises(CorpusError, match="400 given items for 401"):
        Items([source(tmp_path / "more", np.arange(1203))], 8, order, 0, [given], 2)


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
    done = fit(
        whole, [patterned], np.ones(32), FitOptions(tmp_path / "a", CONFIG, report=lambda p: seen.append(p.step))
    )
    assert done.step == 8 and done.tokens == 8 * 48 and seen[:3] == [1, 2, 3]
    assert done.curve[-1]["step"] == 8 and np.isfinite(done.held_out_bits_per_byte)

    steps = iter([False] * 3 + [True])
    with pytest.raises(Stopped, match="step 3"):
        fit(small_net(), [patterned], np.ones(32), FitOptions(tmp_path / "b", CONFIG, stop=lambda: next(steps)))
    again = MinGRUNet(32, 16, 1, 16)  # whatever it holds is replaced
    resumed = fit(again, [patterned], np.ones(32), FitOptions(tmp_path / "b", CONFIG, resume=True))
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
        fit(net, [patterned], np.ones(32), FitOptions(tmp_path / "d", CONFIG))
    last = replace(CONFIG, learning_rate=1e30, max_steps=1)  # no loss comes after the step that ruins everything
    with pytest.raises(TokpressError, match="lower --learning-rate"):
        fit(small_net(), [patterned], np.ones(32), FitOptions(tmp_path / "e", last))
    assert not (tmp_path / "e").exists()


# ── several processes ───────────────────────────────────────────────────────────────────────────────


def two_ranks(*words) -> list[tuple[int, list[str], str]]:
    """(return code, the words after RESULT, stderr) of both processes of tests/training/two_ranks.py."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # RANK … are what torchrun and accelerate launch set
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.two_ranks", *map(str, words)],
            env=os.environ | common | {"RANK": rank, "LOCAL_RANK": rank}, cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    told = []
    for process in ranks:
        out, errors = process.communicate(timeout=LAST_RESORT)
        results = [line.split()[1:] for line in out.splitlines() if line.startswith("RESULT")]
        told.append((process.returncode, results[0] if results else [], errors))
    return told


def both_ranks_in_one_loop(sources: list[Source]) -> MinGRUNet:
    """What two processes should arrive at: each draws its own rows, the gradients are averaged."""
    net = ranks_net(0)
    optimizers = make_optimizers(net, RANKS.learning_rate)
    streams = [Streams(sources, RANKS.rows, RANKS.window, RANKS.segment, [RANKS.seed, rank]) for rank in (0, 1)]
    states = [net.initial_state(RANKS.rows)] * 2
    for step in range(RANKS.max_steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(RANKS, step, step / RANKS.max_steps)
        for rank, (x, y, fresh, _) in enumerate(map(next, streams)):
            keep = torch.from_numpy(~fresh)[:, None].float()
            loss, states[rank] = net(torch.from_numpy(x), torch.from_numpy(y), [s * keep for s in states[rank]])
            (loss / 2).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return net


def test_two_processes_are_killed_resume_and_arrive_where_they_should(patterned, tmp_path):
    place = tmp_path / "ranks"
    for code, _, errors in two_ranks(patterned.path, place, 3):
        assert code != 0, errors
    assert json.loads((place / "progress.json").read_text())["progress"]["step"] in (2, 3)
    (code, first, errors), (other_code, second, other_errors) = two_ranks(patterned.path, place)
    assert code == other_code == 0, errors + other_errors
    assert first[1:] == second[1:] == [first[1], "6", str(6 * 4 * 16 * 2)]  # the digest: the same weights
    expected, arrived = both_ranks_in_one_loop([patterned]), ranks_net(5)
    Checkpoint(place).load(arrived, make_optimizers(arrived, 1e-3))
    for (name, p), q in zip(expected.named_parameters(), arrived.parameters(), strict=True):
        torch.testing.assert_close(p, q, msg=name, rtol=1e-3, atol=1e-5)


# ── warm start, export, full disks ──────────────────────────────────────────────────────────────────


def test_a_checkpoint_becomes_a_model(patterned, tmp_path):
    net = MinGRUNet(256, 16, 2, 24)
    fit(net, [patterned], np.ones(256), FitOptions(tmp_path / "c", CONFIG))
    model = model_of_checkpoint(tmp_path / "c", BytesTokenizer())
    model.save(tmp_path / "made")
    again = load_folder(tmp_path / "made")
    assert again.prior.config()["base"]["base"] == {
        "name": "mingru",
        "symbols": 256,
        "width": 16,
        "depth": 2,
        "hidden": 24,
    }
    for name, tensor in export(net).items():
        assert np.array_equal(again.prior.tensors()[name], tensor)
    assert model_of_checkpoint(tmp_path / "c", tmp_path / "made", memory=False).prior.name == "mingru"
    data = b"some bytes of a text, and some more"
    assert tokpress.decompress(tokpress.compress(data, model=again), model=again) == data
    with pytest.raises(ModelError, match="symbols"):
        model_of_checkpoint(tmp_path / "c", NibblesTokenizer())
    (tmp_path / "c/net.safetensors").write_bytes((tmp_path / "c/optimizer0.safetensors").read_bytes())
    with pytest.raises(TokpressError, match="no checkpoint of a minGRU"):
        model_of_checkpoint(tmp_path / "c", BytesTokenizer())


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path):
    resource = pytest.importorskip("resource")
    net, saved = small_net(), Checkpoint(tmp_path / "c")
    saved.save(net, make_optimizers(net, 1e-3), Progress(step=5), CONFIG)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # no file may grow beyond: as a full disk
        with pytest.raises(TokpressError, match="cannot write the checkpoint"):
            saved.save(net, make_optimizers(net, 1e-3), Progress(step=6), CONFIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert saved.load(net, make_optimizers(net, 1e-3)).step == 5
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_device_that_is_not_there(patterned, tmp_path):
    absent = next(name for name in ("mps", "cuda") if not getattr(torch, name).is_available())
    with pytest.raises(TokpressError, match=f"no {absent} device here"):
        fit(small_net(), [patterned], np.ones(32), FitOptions(tmp_path / "d", replace(CONFIG, device=absent)))

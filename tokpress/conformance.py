"""Conformance tests for priors and tokenizers: `check(model)` runs all of them on a small input.

    from tokpress.conformance import check
    print(check("my-model/"))
    check(Model(BytesTokenizer(), MyPrior(256)))

The checks: probabilities are at least 0 and sum to 1. No probability depends on a later symbol, in any lane. `step_block` gives the bits
of `step`. The payload has about −log2 p bits. Tokens survive a round trip with any number of lanes. Encoding is deterministic. A saved
and loaded model codes the same bytes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .codec.stream import compress, decompress
from .coding import Codec, Frame
from .coding.base import Pmf, Stepped
from .coding.lanes import Layout
from .coding.symbolwise import conditionals, known_conditionals
from .models.loading import load_folder
from .models.model import Model
from .models.store import ModelName, load
from .tokens import Tokens, as_array

TEXT = b"the cat sat on the mat; the cat ate the rat. " * 5 + bytes(range(250, 256)) + b"\0\xff\n"
LANES = (1, 3, 7)


@dataclass(frozen=True)
class Report:
    """The checks that a model has passed. `print` shows a line for each."""

    model: str
    #: rule → on how much it was checked
    checks: dict[str, str]
    #: of the small input
    bits_per_byte: float

    def __str__(self) -> str:
        lines = [
            f"{self.model}: {len(self.checks)} checks passed, {self.bits_per_byte:.3f} bits per byte of the test text"
        ]
        return "\n".join([*lines, *(f"  {rule}: {extent}" for rule, extent in self.checks.items())])


def check(model: ModelName, folder: Path | None = None, kernel: str = "auto") -> Report:
    """Run all checks. Raises AssertionError, which names the first broken rule.

    model: as `tokpress.load` takes it. folder: an empty folder, to save the model in; by default a temporary one. kernel: as in `coding.Frame`.

    >>> print(check("context-mixing"))  # doctest: +ELLIPSIS
    context-mixing: 4 checks passed, ... bits per byte of the test text
      the core and its twins code the same bytes: 100 tokens in 1 and 3 lanes
      ...
    """
    model = load(model)
    if folder is None:
        with TemporaryDirectory() as place:
            return check(model, Path(place), kernel)
    tokens = as_array(model.tokenizer.encode(text_of(model)))
    checks: dict[str, str] = {}
    lanes = ", ".join(map(str, LANES[:-1])) + f" and {LANES[-1]} lanes"
    for stepped in model.prior.codec(Frame(len(tokens), kernel=kernel)).stepped():
        rules: list[tuple[str, Callable[[Stepped, Tokens], None], str]] = [
            ("probabilities are at least 0 and sum to 1", check_pmfs, f"{len(tokens):,} tokens in {lanes}"),
            ("no probability depends on a later token", check_causal, f"{len(tokens):,} tokens in 4 lanes"),
            ("step_block gives the bits of step", check_known, f"{len(tokens):,} tokens in {lanes}"),
        ]
        for rule, run, extent in rules:
            run(stepped, tokens)
            checks[rule] = extent
    compared = check_kernels(model)
    checks["the core and its twins code the same bytes"] = f"{compared:,} tokens in 1 and 3 lanes"
    sources = check_coding(model, kernel)
    checks["tokens survive a round trip, in −log2 p bits"] = f"{sources} sources in 1, 2 and 5 lanes"
    check_saved(model, folder)
    checks["a saved and loaded model codes the same bytes"] = f"{len(tokens):,} tokens"
    check_sample(model)
    checks["one seed gives one sample"] = "40 tokens"
    return Report(model.name or repr(model), checks, model.score(text_of(model), kernel=kernel).bits_per_byte)


def text_of(model: Model) -> bytes:
    """A text that has about as many tokens under every tokenizer."""
    return TEXT[-len(TEXT) // model.tokenizer.sizes.unit_tokens :]


def _require(holds: bool, what: str) -> None:
    if not holds:  # not `assert`: python -O would skip it
        raise AssertionError(what)


def _pmfs(prior: Stepped, tokens: Tokens, lanes: int) -> list[Pmf]:
    """The conditionals of each step, as a decoder computes them."""
    layout = Layout.divide(len(tokens), lanes, prior.rules.stride)
    grid, out = layout.split(tokens), []
    steps = conditionals(prior, layout)
    pmf = next(steps)
    for t in range(layout.steps):
        out.append(pmf.copy())
        try:
            pmf = steps.send(grid[: len(pmf), t].copy())
        except StopIteration:
            break
    return out


def check_pmfs(prior: Stepped, tokens: Tokens) -> None:
    for lanes in LANES:
        for pmf in _pmfs(prior, tokens, lanes):
            _require(pmf.dtype == np.float32 and pmf.flags.c_contiguous, "a pmf is not C-contiguous float32")
            _require(pmf.shape[1] == prior.vocab_size, "a pmf has not vocab_size columns")
            _require(bool((pmf >= 0).all()), "a probability is negative, or no number")
            _require(np.abs(pmf.sum(1, dtype=np.float64) - 1).max() < 1e-4, "a pmf does not sum to 1")


def check_causal(prior: Stepped, tokens: Tokens) -> None:
    """Symbols at or after step t change no pmf up to and including step t, in any lane."""
    layout = Layout.divide(len(tokens), 4, prior.rules.stride)
    rng = np.random.default_rng(1)
    pmfs = _pmfs(prior, tokens, 4)
    for t in (0, 1, layout.steps // 2, layout.steps - 1):
        grid = layout.split(tokens)
        grid[:, t:] = rng.integers(0, prior.vocab_size, grid[:, t:].shape)
        changed = _pmfs(prior, layout.join(grid), 4)
        for a, b in zip(pmfs[: t + 1], changed[: t + 1], strict=True):
            _require(np.array_equal(a, b), f"a pmf up to step {t} depends on a symbol at or after it")


def check_known(prior: Stepped, tokens: Tokens) -> None:
    """`Prior.step_block` gives the bits that `step` gives."""
    for lanes in LANES:
        layout = Layout.divide(len(tokens), lanes, prior.rules.stride)
        stepped = _pmfs(prior, tokens, lanes)
        for block, _, at in known_conditionals(prior, layout, layout.split(tokens)):
            for t, pmf in enumerate(block):
                _require(
                    np.array_equal(pmf, stepped[at + t]), f"step_block gives another pmf than step, at step {at + t}"
                )


def check_kernels(model: Model) -> int:
    """The core and its twins code the same bytes. Returns the number of tokens."""
    tokens = model.tokenizer.encode(text_of(model)[: 100 // model.tokenizer.sizes.unit_tokens])
    for lanes in (1, 3):
        core, twin = (model.prior.codec(Frame(len(tokens), lanes, kernel)) for kernel in ("auto", "numpy"))
        payload = core.encode(tokens)
        _require(payload == twin.encode(tokens), "another kernel codes other bytes")
        _require(np.array_equal(twin.decode(payload, len(tokens)), tokens), "another kernel decodes other tokens")
    return len(tokens)


def check_coding(model: Model, kernel: str) -> int:
    """Returns the number of sources."""
    text, short = text_of(model), 300 // model.tokenizer.sizes.unit_tokens
    sources = (text, text[:1], b"", b"\0" * short, np.random.default_rng(0).bytes(short))
    for source in sources:
        tokens = model.tokenizer.encode(source)
        for lanes in (1, 2, 5):
            codec: Codec = model.prior.codec(Frame(len(tokens), lanes, kernel))
            payload = codec.encode(tokens)
            decoded = codec.decode(payload, len(tokens))
            _require(np.array_equal(tokens, decoded), "decoding gives other tokens")
            _require(codec.encode(tokens) == payload, "encoding twice gives different bytes")
            bits = codec.score(tokens).sum()
            # one word of termination, and 2^−24 a symbol for the coder's integer frequencies
            coded = 8 * len(payload)
            _require(coded <= bits * 1.005 + 40 + len(tokens) * 0.01, f"{coded} bits coded, the score says {bits:.0f}")
            if source == text:  # the payload of another source may end in zeros, which are not written
                _require(coded >= bits * 0.995 - 40, f"{coded} bits coded, the score says {bits:.0f}")
    return len(sources)


def check_saved(model: Model, folder: Path) -> None:
    model.save(folder / "saved")
    loaded = load_folder(folder / "saved")
    _require(loaded.id == model.id and loaded.config() == model.config(), "save and load make another model")
    tokens = model.tokenizer.encode(text_of(model))
    frame = Frame(len(tokens), 3)
    same = loaded.prior.codec(frame).encode(tokens) == model.prior.codec(frame).encode(tokens)
    _require(same, "the loaded model codes other bytes")
    _require(
        decompress(compress(text_of(model), model=model), model=loaded) == text_of(model),
        "the loaded model does not decompress the file",
    )


def check_sample(model: Model) -> None:
    codec = model.prior.codec(Frame(40))
    first = as_array(codec.sample(40, seed=3))
    _require(np.array_equal(first, codec.sample(40, seed=3)), "one seed gives two samples")
    _require(len(first) == 40 and first.min() >= 0 and first.max() < model.prior.vocab_size, "a sample is no symbol")
    _require(isinstance(model.sample(40, seed=3), bytes), "a sample is not bytes")
    _require(
        math.isclose(model.score(text_of(model)).source_bytes, len(text_of(model))),
        "the score is not of the whole source",
    )

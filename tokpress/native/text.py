"""Frames of the text models in the core (core/text.c): a minGRU network, its head and a memory, step by step for all lanes.

The twins are `priors.text.mingru`, `online_head`, `class_head` and `priors.compose.memory`. Nothing here imports numpy.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import library
from .handle import COUNT, POINTER, Handle, SavedHandle

#: tokens per call of the core, as many as `coding.base.WATCH_EVERY`
BLOCK_TOKENS = 1 << 12
#: settings of one network
NETWORK = ("symbols", "width", "depth", "hidden", "grams", "features", "classes")
#: tensors of the n-gram embedding, in the order of core/text_state.h
_GRAMS = [f"embedding_grams.{part}" for part in ("two", "three", "mix")]


def tensor_names(config: Mapping[str, Any]) -> list[str]:
    """Names of the tensors of a mingru prior, in the core's order.

    >>> tensor_names({"depth": 1})[:3]
    ['embedding.weight', 'embedding.scale', 'blocks.0.mix_in.weight']
    """
    products = ["embedding", *(_GRAMS if config.get("grams") else [])]
    names = [f"{name}.{part}" for name in products for part in ("weight", "scale")]
    for i in range(config["depth"]):
        for name in ("mix_in", "mix_out", "ff_in", "ff_out"):
            names += [f"blocks.{i}.{name}.{part}" for part in ("weight", "scale")]
        names += [f"blocks.{i}.{name}" for name in ("mix_mu", "ff_mu", "forget_bias")]
    return [*names, "head.weight", "head.scale", "bias", *(["place"] if config.get("classes") else [])]


class Model:
    """The settings and tensors of a prior in the core's form. The prior is a mingru, with or without a memory.

    config: `prior.config()` with the prior's name. tensors: contiguous buffers by name, which are not copied. factored: whether a
    class-factored network codes classes, then members; otherwise it gives the probabilities of all symbols. Raises ValueError for other
    priors."""

    def __init__(self, config: Mapping[str, Any], tensors: Mapping[str, Any], factored: bool = True) -> None:
        self.orders = list(config["orders"]) if config["name"] == "memory" else []
        base = config["base"] if config["name"] == "memory" else config
        if base["name"] != "mingru":
            raise ValueError("the core steps only a mingru, with or without a memory")
        self.network = [int(base.get(name, 0)) for name in NETWORK]
        self.rate = float(base.get("online", 0))
        self._tensors = [tensors[name] for name in tensor_names(base)]
        buffers = self._buffers = [library.address(tensor) for tensor in self._tensors]
        self.symbols = self.network[0]
        self.factored = factored and bool(self.network[-1])
        self.tensors = (POINTER * len(buffers))(*(ctypes.cast(pointer, POINTER) for pointer, _ in buffers))
        self.sizes = (COUNT * len(buffers))(*(size for _, size in buffers))

    def made_of(self) -> Iterator[Any]:
        """Buffers with all that it was made of."""
        yield repr((self.orders, self.network, self.rate, self.factored)).encode()
        yield from self._tensors


class Text(SavedHandle):
    """The state of one frame: `tokens` tokens in `lanes` lanes, none of them empty (`coding.lanes.Layout`)."""

    kind = "text"

    def __init__(
        self,
        model: Model,
        lanes: int,
        tokens: int,
        threads: int = 1,
        using: str | None = None,
        free: Callable[[], int] | None = None,
    ) -> None:
        """threads: largest number of threads that share the steps. free: returns the number of free threads; called before each block."""
        self._free_threads = free
        self.model, self.lanes, self.tokens, self.steps, self.at = model, lanes, tokens, -(-tokens // lanes), 0
        self.first, self.stop = 0, self.steps
        self._context: bytes | None = None
        self._payload = b""
        settings = [
            lanes,
            tokens,
            max(1, threads),
            not model.factored,
            len(model.orders),
            *model.orders,
            *model.network,
        ]
        self.create(
            [POINTER, COUNT, ctypes.c_double, *[POINTER] * 2, COUNT],
            (COUNT * len(settings))(*settings), len(settings), model.rate, model.tensors, model.sizes, len(model.sizes),
            using=using,
        )  # fmt: skip

    def in_blocks(self, code: Callable[[int], object], report: Callable[[int], object]) -> None:
        """Code the remaining steps in blocks: `code(steps)` codes a block, then `report` gets the number of coded tokens."""
        done = 0
        while self.at < self.stop:
            self.share()
            steps = min(max(1, BLOCK_TOKENS // self.lanes), self.stop - self.at)
            done += self._live(steps)
            code(steps)
            self.advance(steps)
            report(done)

    def advance(self, steps: int) -> None:
        """Count steps as coded."""
        self.at += steps

    def share(self) -> None:
        """Set the number of threads of the next call to the number of free threads."""
        if self._free_threads is not None:
            self.call("use", [COUNT], self._free_threads())

    def _live(self, steps: int) -> int:
        """Number of tokens in the next steps."""
        last = self.tokens - (self.lanes - 1) * self.steps
        return steps * (self.lanes - 1) + max(0, min(last - self.at, steps))

    def made_of(self) -> Iterator[Any]:
        yield f"{self.lanes} lanes, {self.tokens} tokens".encode()
        yield from self.model.made_of()

    def learn(self, context: Any, learner: Handle | None = None) -> None:
        """context: int32; the tokens of the frame follow it in its one lane. learner: the handle that codes the tokens of this one."""
        self.begin_after(context)
        pointer, _ = library.address(self._context)
        self.in_blocks(
            lambda steps: (learner or self).call("learn", [POINTER, COUNT], pointer, steps), lambda done: None
        )

    def begin_after(self, context: Any) -> None:
        """Keep the tokens of a context, which is then read, or whose state is taken up."""
        self._context = memoryview(context).tobytes()
        if self.lanes != 1 or self.at or len(self._context) > 4 * self.steps:
            raise ValueError("a context is read first, by a single lane that has room for it")
        self.first = self.stop = len(self._context) // 4

    def resume(self, context: Any, state: bytes) -> None:
        self.begin_after(context)
        self._take_up(state)
        self.skip_context()

    def restore(self) -> None:
        super().restore()
        self.skip_context()

    def skip_context(self) -> None:
        """Count the context as read, and nothing else."""
        self.at = self.first

    def encode(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> bytes:
        """The payload of tokens, N int32, contiguous. Calls `report` with the number of coded tokens. Raises CoreError for symbols outside V."""
        pointer = self.token_pointer(tokens)
        self.in_blocks(lambda steps: self.call("encode", [POINTER, COUNT], pointer, steps), report)
        return self.finish()

    def finish(self) -> bytes:
        """The payload, after all tokens are encoded."""
        payload = bytearray(self.call("room", []))
        size = self.call("finish", [POINTER, COUNT], library.writable(payload)[0], len(payload))
        return bytes(payload[:size])

    def score(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> Any:
        """The probabilities of tokens [N]: 2 · N doubles, for each token that of its class and of its member (1 if there are no classes)."""
        pointer, costs = self.token_pointer(tokens), (ctypes.c_double * (2 * self.tokens))()
        kinds = [POINTER, COUNT, POINTER]
        self.in_blocks(lambda steps: self.call("score", kinds, pointer, steps, costs), report)
        return costs if not self.first else costs[2 * self.first : 2 * self.stop]

    def token_pointer(self, tokens: Any) -> Any:
        """The address of the frame's tokens, N int32; after a context at most as many as there is room for, behind those of the context."""
        pointer, size = library.address(tokens)
        if self._context is not None:
            self.stop = self.first + size // 4
            if self.stop > self.steps:
                raise ValueError(
                    f"there is room for {self.steps - self.first} tokens after the context, not {size // 4}"
                )
            both = self._context + memoryview(tokens).tobytes()
            return (ctypes.c_int32 * self.stop).from_buffer_copy(both)
        if size != 4 * self.tokens:
            raise ValueError(f"the {self.tokens} tokens of this frame take {4 * self.tokens} bytes, not {size}")
        return pointer

    def start(self, payload: bytes) -> None:
        """Set the payload that `decode` reads."""
        self._payload = payload
        self.call("start", [POINTER, COUNT], *library.address(payload))

    def decode(self, out: Any, steps: int) -> None:
        """Write the next steps to out, lanes · steps int32. Cells without a token keep their value. Raises ChecksumError if damaged."""
        target, size = library.writable(out)
        if size != 4 * self.lanes * steps:
            raise ValueError(f"{steps} steps of {self.lanes} lanes need {4 * self.lanes * steps} bytes, not {size}")
        self.share()
        self.call("decode", [POINTER, COUNT], target, steps)
        self.advance(steps)

    def step(self, previous: Any, rows: int, out: Any) -> None:
        """One step of a prior without classes, for callers that code the symbols. previous: rows int32, None before the first step.
        out: rows · V float32, the conditionals."""
        target, size = library.writable(out)
        pointer, count = (None, 4 * rows) if previous is None else library.address(previous)
        if size != 4 * rows * self.model.symbols or count != 4 * rows:
            raise ValueError(f"{rows} rows of {self.model.symbols} probabilities do not fit these buffers")
        self.call("step", [POINTER, COUNT, POINTER], pointer, rows, target)
        self.advance(1)

"""The context of a frame: tokens that encoder and decoder know. The prior reads them before those of the frame.

    p(x_1 … x_N | c_1 … c_M)        one lane: first all of c, which costs nothing, then x

To read M tokens takes as long as to code them. A codec that can go back to a state keeps it here (`state`): the context of many short
frames is then read once. The size of a prior's tables depends on M and, for frames of up to `ROOM` tokens, on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol, TypeVar

from ..tokens import TokenBuffer, count

#: Frames of up to so many tokens share a state. Part of the format: tables are sized by it.
ROOM = 1 << 14


class Restorable(Protocol):
    """A state that has read a context. `save` remembers it, `restore` goes back to it."""

    def save(self) -> None: ...

    def restore(self) -> None: ...


S = TypeVar("S", bound=Restorable)


class ContextTokens:
    """tokens: the context, under the tokenizer of one model. keep: whether states are kept for later frames.

    Threads may share it: each takes a state of its own, or makes one."""

    def __init__(self, tokens: TokenBuffer, keep: bool = False) -> None:
        self.tokens, self.count, self.keep = tokens, count(tokens), keep
        self._lock, self._free = Lock(), list[Any]()

    def room(self, tokens: int) -> int:
        """Tokens by which a prior sizes its tables, for a frame of so many."""
        return self.count + max(tokens, ROOM)

    @contextmanager
    def state(self, tokens: int, read: Callable[[int], S]) -> Iterator[S]:
        """A state after the context, for a frame of `tokens` tokens. read(room): makes one (`Restorable`)."""
        if not self.keep or tokens > ROOM:
            yield read(self.room(tokens))
            return
        with self._lock:
            state: S | None = self._free.pop() if self._free else None
        if state is None:
            state = read(self.room(tokens))
            state.save()
        try:
            yield state
        finally:
            state.restore()
            with self._lock:
                self._free.append(state)

"""The context of a frame: tokens that encoder and decoder know. The prior reads them before those of the frame.

    p(x_1 … x_N | c_1 … c_M)        one lane: first all of c, which costs nothing, then x

To read M tokens takes as long as to code them. A codec that can go back to a state keeps it here (`state`): the context of many short
frames is then read once. The size of a prior's tables depends on M and, for frames of up to `ROOM` tokens, on nothing else. So a state
can also be kept as bytes, for other processes (`States`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol, TypeVar

from ..errors import TokpressError
from ..tokens import TokenBuffer, count

#: Frames of up to so many tokens share a state. Part of the format: tables are sized by it.
ROOM = 1 << 14


class Restorable(Protocol):
    """What reads a context, and codes after it (`native.handle.SavedHandle`). `save` remembers the state after the context, `restore` goes
    back to it. `state` gives it as bytes, for `resume` of another object that is made of the same: both then have the same `key`."""

    def learn(self, context: Any) -> None: ...

    def save(self) -> None: ...

    def restore(self) -> None: ...

    def key(self, context: Any) -> bytes: ...

    def state(self, fresh: Any) -> bytes: ...

    def resume(self, context: Any, state: bytes) -> None: ...


S = TypeVar("S", bound=Restorable)


class States(Protocol):
    """Where states are kept as bytes, by their keys."""

    def find(self, key: bytes) -> bytes | None:
        """A state, undamaged; None if it is not here."""

    def keep(self, key: bytes, state: Callable[[], bytes]) -> None:
        """A state that was not here."""


class ContextTokens:
    """tokens: the context, under the tokenizer of one model. keep: whether states are kept for later frames. states: where the first one
    may be found.

    Threads may share it: each takes a state of its own, or makes one."""

    def __init__(self, tokens: TokenBuffer, keep: bool = False, states: States | None = None) -> None:
        self.tokens, self.count, self.keep, self.states = tokens, count(tokens), keep, states
        self._lock, self._free = Lock(), list[Any]()

    def room(self, tokens: int) -> int:
        """Tokens by which a prior sizes its tables, for a frame of so many."""
        return self.count + max(tokens, ROOM)

    @contextmanager
    def state(self, tokens: int, make: Callable[[int], S], context: Any) -> Iterator[S]:
        """A state after the context, for a frame of `tokens` tokens. make(room): a state that has read nothing. context: the tokens, as it
        reads them."""
        if not self.keep or tokens > ROOM:
            yield self._read(tokens, make, context)
            return
        with self._lock:
            state: S | None = self._free.pop() if self._free else None
        if state is None:
            state = self._read(tokens, make, context)
            state.save()
        try:
            yield state
        finally:
            state.restore()
            with self._lock:
                self._free.append(state)

    def _read(self, tokens: int, make: Callable[[int], S], context: Any) -> S:
        """A state that has read the context, or has taken it up."""
        state = make(room := self.room(tokens))
        if self.states is None or tokens > ROOM:
            state.learn(context)
            return state
        if (kept := self.states.find(key := state.key(context))) is not None:
            try:
                state.resume(context, kept)
                return state
            except TokpressError as error:
                warnings.warn(f"a state after a context is of no use, and the context is read: {error}", stacklevel=2)
                state = make(room)
        state.learn(context)
        self.states.keep(key, lambda: state.state(make(room)))
        return state

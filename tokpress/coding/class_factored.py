"""Class-factored coding: the class of a symbol, then the member of that class.

    p(v) = p(c) · p(m | c)          C classes of M members, V = C · M (Goodman 2001, "Classes for fast maximum entropy training", §2)

Each step codes the classes of all lanes, then the members. Neither encoder nor decoder computes the probabilities of all V symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ..lazy import np
from ..tokens import TokenBuffer, Tokens, as_array
from .base import Codec, Frame, Pmf, Report, Stepped, Watch, silent, unwatched
from .classes import SymbolClasses
from .coders import range_decoder, range_encoder
from .lanes import Layout
from .symbolwise import Symbolwise, take_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FactoredPrior(Stepped, Protocol):
    """A prior that predicts a symbol's class, then its member. Its `step` gives the probabilities of all symbols, for sampling."""

    def class_pmf(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        """Begin a step, as `step` does. Returns p(c) of the next symbol of the first `rows` lanes, [n, C]."""

    def member_pmf(self, state: Any, of_class: Tokens) -> Pmf:
        """Returns p(m | c) [n, M] of the same lanes, given their classes [n]."""


class ClassFactored(Codec):
    reads_context = True

    def __init__(self, prior: FactoredPrior, classes: SymbolClasses, frame: Frame) -> None:
        super().__init__(frame)
        self.prior, self.classes = prior, classes
        self._all_symbols = Symbolwise(prior, frame)

    def stepped(self) -> list[Stepped]:
        return [self.prior]

    def by_symbols(self) -> Symbolwise:
        return self._all_symbols

    def _layout(self, count: int) -> Layout:
        return Layout.divide(count, self.frame.lanes, self.prior.rules.stride)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        with self.limits():
            layout, encoder, done = self._layout(len(tokens)), range_encoder(), 0
            if not layout.tokens:
                return encoder.finish()
            state, last = self._begin(layout)
            grid = layout.split(tokens)
            for _, of_class, member, class_pmf, member_pmf in self._known_steps(state, layout, grid, last):
                encoder.push(of_class, class_pmf)
                encoder.push(member, member_pmf)
                report(done := done + len(of_class))
            return encoder.finish()

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            layout = self._layout(count)
            if not layout.tokens:
                return np.zeros(0, np.int32)
            state, last = self._begin(layout)
            decoder = range_decoder(payload)

            def step(previous: Tokens | None, rows: int) -> Tokens:
                of_class = decoder.pop(self.prior.class_pmf(state, previous, rows))
                return self.classes.join(of_class, decoder.pop(self.prior.member_pmf(state, of_class)))

            return take_steps(layout, step, watch, last, self.frame.watch_every)

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token: of its class plus of its member."""
        with self.limits():
            layout, done = self._layout(len(tokens)), 0
            if not layout.tokens:
                return np.zeros(0)
            bits, grid = np.zeros((layout.lanes, layout.steps)), layout.split(tokens)
            state, last = self._begin(layout)
            for t, of_class, member, class_pmf, member_pmf in self._known_steps(state, layout, grid, last):
                for symbols, pmf in ((of_class, class_pmf), (member, member_pmf)):
                    p = pmf[np.arange(len(pmf)), symbols].astype(np.float64) / pmf.sum(1, dtype=np.float64)
                    bits[: len(pmf), t] -= np.log2(np.maximum(p, 2.0**-24))
                report(done := done + len(of_class))
            return bits.reshape(-1)[: layout.tokens]

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        return self._all_symbols.sample(count, seed, temperature)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        return self._all_symbols.decode_noise(noise, count, watch)

    def _begin(self, layout: Layout) -> tuple[Any, Tokens | None]:
        """(a state that has read the context, the symbols before those of the layout)."""
        context = self.frame.context
        if context is None:
            return self.prior.init(layout.lanes, layout.tokens), None
        state, symbols = self.prior.init(1, context.room(layout.tokens)), as_array(context.tokens)
        for _ in self._known_steps(state, Layout.divide(context.count, 1), symbols[None], None):
            pass
        return state, symbols[-1:] if context.count else None

    def _known_steps(
        self, state: Any, layout: Layout, grid: Tokens, previous: Tokens | None
    ) -> Iterator[tuple[int, Tokens, Tokens, Pmf, Pmf]]:
        """(step, classes [n], members [n], pmf [n, C], pmf [n, M]) of known symbols [B, T]. previous: those before the first step."""
        classes, members = self.classes.split(grid)
        for rows, first, stop in layout.runs():
            previous = None if previous is None else previous[:rows]
            for t in range(first, stop):
                of_class = np.ascontiguousarray(classes[:rows, t])
                class_pmf = self.prior.class_pmf(state, previous, rows)
                member_pmf = self.prior.member_pmf(state, of_class)
                yield t, of_class, np.ascontiguousarray(members[:rows, t]), class_pmf, member_pmf
                previous = np.ascontiguousarray(grid[:rows, t])

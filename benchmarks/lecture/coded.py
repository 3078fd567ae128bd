"""Payloads that are decoded and compared: of a source, and of sequences side by side with the bits of their parts."""

from dataclasses import dataclass

import numpy as np

from tokpress.coding import Frame
from tokpress.models.model import Model

from ..registry import MeasurementError

#: what the payload may take beyond −log2 p: the words that end a stream, and the rounding of the coder
MAX_OVERHEAD_BITS, MAX_OVERHEAD = 128, 0.001


def payload_of(model: Model, name: str, source: bytes, lanes: int | None = None) -> tuple[bytes, int]:
    """(payload, number of tokens) of a source. Raises MeasurementError where it does not come back.

    `tokpress compress` would take lzma where that is smaller."""
    payload, tokens, lanes = model.encode(source, lanes)
    if model.decode(payload, tokens, lanes) != source:
        raise MeasurementError(f"{name} was not decoded back")
    return payload, tokens


@dataclass
class Coded:
    """Sequences of equal length, a lane each, in one payload."""

    #: −log2 p of each token [sequences, tokens], in the order of the source
    bits: np.ndarray
    payload_bits: int

    def mean(self, part: slice) -> float:
        """Bits of these tokens, the mean of all sequences."""
        return float(self.bits[:, part].sum(1).mean())


def coded(model: Model, sequences: list[bytes]) -> Coded:
    """Encode the sequences, decode them and compare. Raises MeasurementError where they do not come back, or take other bits than
    −log2 p."""
    tokens = [model.tokenizer.encode(sequence) for sequence in sequences]
    (length,) = {len(each) for each in tokens}
    rules = model.prior.rules
    arranged = rules.arrange(np.concatenate(tokens))
    codec = model.prior.codec(Frame(len(arranged), len(tokens), given=model.given_tokens))
    payload, bits = codec.encode(arranged), codec.score(arranged)
    if not np.array_equal(codec.decode(payload, len(arranged)), arranged):
        raise MeasurementError("sequences were not decoded back")
    overhead = 8 * len(payload) - bits.sum()
    if abs(overhead) > MAX_OVERHEAD_BITS + MAX_OVERHEAD * bits.sum():
        raise MeasurementError(f"the payload takes {overhead:,.0f} bits more than −log2 p")
    return Coded(rules.in_place(bits).reshape(len(tokens), length), 8 * len(payload))

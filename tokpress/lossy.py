"""Files whose pixels are stored as the tokens of a lossy tokenizer: `tokpress compress --lossy`.

Such a file restores a reconstruction, decode(encode(source)), which is the same on every machine and is what its checksums
are of. What stands around the pixels of a PPM file is stored as it is, in frames of its own.
"""

from dataclasses import replace

import numpy as np

from . import content
from .choice import UNKNOWN, Coded, Options, Report, choose_frame, encode
from .errors import TokpressError


def coded_pieces(block: bytes, options: Options, report: Report, first: bool) -> list[tuple[bytes, Coded]]:
    """The frames of a block, each with its part of the source. first: whether the source begins here.

    Raises TokpressError where it is a file of samples that are no pixels of three bytes, red, green and blue."""
    assert options.models is not None
    (model,) = options.models
    start, stop = 0, len(block)
    if first and (found := content.find(block, UNKNOWN)):
        if found.kind == "sound" or found.dtype != "|u1" or found.shape[-1] != 3 or found.padding or found.blue_first:
            raise TokpressError("--lossy takes pixels of red, green and blue bytes, raw or in a PPM file")
        if found.stop > len(block):
            raise TokpressError(
                "--lossy takes a whole PPM file, in one frame: it is cut off, or longer than --frame-size"
            )
        start, stop = found.start, found.stop
    samples = block[start:stop]
    restores = model.tokenizer.decode(model.tokenizer.encode(samples))
    lossy = replace(encode(model, samples, options, report), restores=restores)
    around = Options(kernel=options.kernel)
    pieces = [(part, choose_frame(part, around, lambda done: None)) for part in (block[:start], block[stop:])]
    return [piece for piece in (pieces[0], (samples, lossy), pieces[1]) if piece[0]]


def squared_error(source: bytes, restored: bytes) -> int:
    """Σ (s − ŝ)² over bytes."""
    a, b = (np.frombuffer(each, np.uint8).astype(np.int64) for each in (source, restored))
    return int(((a - b) ** 2).sum())

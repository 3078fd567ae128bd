"""Files whose pixels or sound are stored as the tokens of a lossy tokenizer, with or without what these leave out.

`tokpress compress --lossy` stores tokens only. Such a file restores a reconstruction, decode(encode(source)), which is the
same on every machine and is what its checksums are of. Otherwise the rest follows the tokens (`residual`), and the file
restores its source. What stands around the samples of a PPM, PGM or WAV file is stored as it is, in frames of its own.
"""

from dataclasses import replace

from . import content
from .choice import UNKNOWN, Coded, Options, Report, choose_frame, complete, encode
from .container import MOST_TOKENS
from .distortion import Distortion
from .errors import TokpressError
from .grid import Grid
from .model import Model


def coded_pieces(block: bytes, options: Options, report: Report, first: bool) -> list[tuple[bytes, Coded]]:
    """The frames of a block, each with its part of the source. first: whether the source begins here.

    Without `options.lossy` what the tokens lack follows them (`residual`), and a source that the tokenizer is not for is
    stored by other means. Raises TokpressError where it should be stored with a loss, and the tokenizer is not for it."""
    assert options.models is not None
    (model,) = options.models
    if not block:
        return [(block, choose_frame(block, Options(), report))]
    start, stop, grid = 0, len(block), None
    around = Options(kernel=options.kernel)
    if first and (found := content.find(block, UNKNOWN)):
        sound = found.kind == "sound"
        plain = found.dtype == ("<i2" if sound else "|u1") and not found.padding and not found.blue_first
        suits = plain and _suits(model, found.shape[-1], sound)
        if options.completes and not (suits and found.stop <= len(block)):
            return [(block, choose_frame(block, around, report, content.grid_of(block)))]
        if not suits:
            raise TokpressError(
                f"the tokenizer {model.tokenizer.name!r} takes other samples than these; --lossy takes pixels of a byte a "
                "channel, raw or in a PPM or PGM file, and sound of 16 bits, raw or in a WAV file"
            )
        if found.stop > len(block):
            raise TokpressError("--lossy takes a whole file, in one frame: it is cut off, or longer than --frame-size")
        start, stop = found.start, found.stop
        grid = replace(grid, start=0) if (grid := found.grid()) else None
    samples = block[start:stop]
    store_part = _exactly if options.completes else _with_loss
    coded = store_part(model, samples, options, report, grid)
    pieces = [(part, choose_frame(part, around, lambda done: None)) for part in (block[:start], block[stop:])]
    return [piece for piece in (pieces[0], (samples, coded), pieces[1]) if piece[0]]


def _exactly(model: Model, samples: bytes, options: Options, report: Report, grid: Grid | None) -> Coded:
    if grid or (samples and not len(samples) % model.tokenizer.unit_bytes):
        coded = complete(model, samples, options, report, grid)
        if _worth(coded, samples):
            return coded
    return choose_frame(samples, Options(kernel=options.kernel), report, grid)


def _with_loss(model: Model, samples: bytes, options: Options, report: Report, grid: Grid | None) -> Coded:
    tokenizer = model.tokenizer.on(grid) if grid else model.tokenizer
    tokens = tokenizer.encode(samples)
    restored = tokenizer.decode(tokens)
    coded = encode(model, samples, options, report, grid, tokens)
    if not _worth(coded, samples):
        restored, coded = samples, choose_frame(samples, Options(kernel=options.kernel), report)
    lost = Distortion.of(samples, restored, model.tokenizer.sound)
    return replace(coded, restores=restored, distortion=lost)


def _worth(coded: Coded, samples: bytes) -> bool:
    """Not so, for instance, where a few samples are filled up to a whole item."""
    return len(coded.payload) < len(samples) and (coded.tokens or 0) <= MOST_TOKENS * len(samples)


def _suits(model: Model, channels: int, sound: bool) -> bool:
    """Whether its tokenizer is for such samples."""
    tokenizer = model.tokenizer
    return tokenizer.sound == sound and not tokenizer.video and channels == tokenizer.channels

"""Frames of lossy tokenizers: tokens of pixels or sound, with or without what the tokens leave out.

`tokpress compress --lossy` stores tokens only. Such a file restores a reconstruction, decode(encode(source)). It is the same on every
machine, and the checksums are those of the reconstruction. Without `--lossy`, a residual follows the tokens (`residual`), and the file
restores its source. The bytes around the samples of a PPM, WAV or NPY file are stored exactly, in frames of their own.
"""

from ..container.frames import MAX_TOKENS
from ..media.distortion import Distortion
from ..media.grid import Grid
from ..models.model import Model
from ..tokenizers.samples import for_grid, samples_of
from .choose import choose_frame
from .encoded_frame import EncodedFrame, complete, encode
from .framing import Block
from .options import Options, Report


def coded_pieces(block: Block, options: Options, report: Report) -> list[tuple[bytes, EncodedFrame]]:
    """The frames of a block, each with its part of the source: bytes before the samples, samples, bytes after them.

    A block that the tokenizer cannot take is stored without it."""
    assert options.models is not None
    (model,) = options.models
    source, around, grid = block.source, Options(kernel=options.kernel), block.grid
    if not source or not block.suits:
        return [(source, choose_frame(source, around, report, grid))]
    start, stop = (grid.start, grid.stop) if grid else (0, len(source))
    samples = source[start:stop]
    store_part = _exactly if options.completes else _with_loss
    coded = store_part(model, samples, options, report, grid and grid._replace(start=0))
    pieces = [(part, choose_frame(part, around, lambda done: None)) for part in (source[:start], source[stop:])]
    return [piece for piece in (pieces[0], (samples, coded), pieces[1]) if piece[0]]


def _exactly(model: Model, samples: bytes, options: Options, report: Report, grid: Grid | None) -> EncodedFrame:
    if grid or (samples and not len(samples) % model.tokenizer.sizes.unit_bytes):
        coded = complete(model, samples, options, report, grid)
        if _worth(coded, samples):
            return coded
    return choose_frame(samples, Options(kernel=options.kernel), report, grid and grid.stacked)


def _with_loss(model: Model, samples: bytes, options: Options, report: Report, grid: Grid | None) -> EncodedFrame:
    tokenizer = for_grid(model.tokenizer, grid)
    tokens = tokenizer.encode(samples)
    restored = tokenizer.decode(tokens)
    coded = encode(model, samples, options, report, grid, tokens)
    if not _worth(coded, samples):
        restored, coded = samples, choose_frame(samples, Options(kernel=options.kernel), report)
    lost = Distortion.of(samples, restored, samples_of(model.tokenizer).sound)
    return coded._replace(restores=restored, distortion=lost)


def _worth(coded: EncodedFrame, samples: bytes) -> bool:
    """Whether a frame is smaller than its samples, with few enough tokens. Padding a few samples to a whole item is not worth it."""
    return len(coded.payload) < len(samples) and (coded.tokens or 0) <= MAX_TOKENS * len(samples)

"""Pixels and sound stored as the tokens of a lossy tokenizer, with or without their residual.

`tokpress compress --lossy` stores tokens only. Such a file restores the reconstruction decode(encode(source)), which is the same on
every machine; its checksums are those of the reconstruction. Otherwise the residual follows the tokens (`residual`), and the file
restores its source. Bytes around the samples of a PPM, WAV or NPY file are stored losslessly, in frames of their own.
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

    Without `options.lossy`, tokens are followed by their residual (`residual`); a block that the tokenizer is not for is stored
    as without it."""
    assert options.models is not None
    (model,) = options.models
    source, lossless, grid = block.source, Options(kernel=options.kernel), block.grid
    if not source or not block.suits:
        return [(source, choose_frame(source, lossless, report, grid))]
    start, stop = (grid.start, grid.stop) if grid else (0, len(source))
    samples = source[start:stop]
    store_part = _exactly if options.completes else _with_loss
    coded = store_part(model, samples, options, report, grid and grid._replace(start=0))
    pieces = [(part, choose_frame(part, lossless, lambda done: None)) for part in (source[:start], source[stop:])]
    return [piece for piece in (pieces[0], (samples, coded), pieces[1]) if piece[0]]


def _exactly(model: Model, samples: bytes, options: Options, report: Report, grid: Grid | None) -> EncodedFrame:
    if grid or (samples and not len(samples) % model.tokenizer.sizes.unit_bytes):
        coded = complete(model, samples, options, report, grid)
        if _is_smaller(coded, samples):
            return coded
    return choose_frame(samples, Options(kernel=options.kernel), report, grid and grid.stacked)


def _with_loss(model: Model, samples: bytes, options: Options, report: Report, grid: Grid | None) -> EncodedFrame:
    tokenizer = for_grid(model.tokenizer, grid)
    tokens = tokenizer.encode(samples)
    restored = tokenizer.decode(tokens)
    coded = encode(model, samples, options, report, grid, tokens)
    if not _is_smaller(coded, samples):
        restored, coded = samples, choose_frame(samples, Options(kernel=options.kernel), report)
    lost = Distortion.between(samples, restored, samples_of(model.tokenizer).sound)
    return coded._replace(restores=restored, distortion=lost)


def _is_smaller(coded: EncodedFrame, samples: bytes) -> bool:
    """Whether a frame is smaller than its samples. A few samples, padded to an item, may take more."""
    return len(coded.payload) < len(samples) and (coded.tokens or 0) <= MAX_TOKENS * len(samples)

"""What stands behind `Prior.fit` of the trained priors: build the network, fit it, hand over integers."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import TokpressError
from ..types import Config, Tokenizer
from .measure import token_lengths
from .options import FitOptions, settings_of
from .presets import PRESETS, shrunk

if TYPE_CHECKING:
    from .streams import Source

NEEDS_TORCH = 'training needs {name}, which is not installed: pip install "tokpress[train]"'


def fit_mingru(
    sources: "list[Source]", tokenizer: Tokenizer, config: Config, options: FitOptions
) -> tuple[Config, dict[str, np.ndarray]]:
    """(config, tensors) of a MinGRUPrior. Settings: width, depth, hidden; the `text` preset's where not given."""
    text = PRESETS["text"]
    shape = settings_of("mingru", config, {"width": text.width, "depth": text.depth, "hidden": text.hidden})
    try:
        import torch

        from .fit import fit
        from .mingru_net import MinGRUNet, export
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "accelerate"):
            raise
        raise TokpressError(NEEDS_TORCH.format(name=error.name)) from error
    torch.manual_seed(options.config.seed)
    net = MinGRUNet(tokenizer.vocab_size, **shape)
    fit(
        net,
        sources,
        token_lengths(tokenizer),
        shrunk(options.config, sources),
        options.folder,
        options.resume,
        options.report,
        options.stop,
    )
    return net.config, export(net)

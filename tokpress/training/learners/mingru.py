"""Train a minGRU: build its network, fit it, hand over integers."""

import torch

from ...errors import TokpressError
from ...priors.text.mingru import ONLINE, MinGRUPrior
from ...storage.settings import settings_of
from ...tokenizers.base import Config, Tokenizer
from ..data.streams import Source
from ..loop.fit import fit
from ..nets.classes import places
from ..nets.mingru import MinGRUNet, export, restore
from ..options import FitOptions
from ..presets import PRESETS
from ..sizes import shrunk


def fit_mingru(
    cls: type[MinGRUPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> MinGRUPrior:
    """Settings: width, depth, hidden; where they are not given, those of the prior to start from, or of the `text` preset.
    grams, features: rows and numbers of the tables of hashed n-grams, which a prior to start from may lack. groups: of symbols,
    for a head of two levels; 0 is a head of one. online: the rate at which its head learns while it codes. dropout: of what
    blocks and tables add, while it is trained."""
    text, init = PRESETS["text"], options.init
    defaults = {"width": text.width, "depth": text.depth, "hidden": text.hidden, "groups": 0}
    grams = {"grams": 0, "features": 64}
    if init:
        defaults = {key: init.config().get(key, 0) for key in defaults}
        grams = {key: init.config().get(key, value) for key, value in grams.items()}
    chosen = settings_of("mingru", config, {**defaults, **grams, "online": ONLINE, "dropout": 0.0})
    shape, tables = {key: chosen[key] for key in defaults}, {key: chosen[key] for key in grams}
    if init and (shape != defaults or (grams["grams"] and tables != grams)):
        raise TokpressError(
            f"the model to start from has {defaults | grams}, not {shape | tables}; leave the shape to it"
        )
    if tables["grams"] & (tables["grams"] - 1):
        raise TokpressError(f"grams={tables['grams']} of the prior 'mingru' should be a power of 2")
    if not 0 <= chosen["dropout"] < 1:
        raise TokpressError(f"dropout={chosen['dropout']} of the prior 'mingru' should be from 0 up to, but not, 1")
    symbols, groups = tokenizer.vocab_size, shape["groups"]
    powers = all(n > 1 and n & (n - 1) == 0 for n in (groups, symbols // max(groups, 1)))
    if groups and not (powers and symbols % groups == 0):
        raise TokpressError(
            f"groups={groups} of the prior 'mingru' should be a power of 2, and so should the {symbols:,} symbols / groups; both at least 2"
        )
    torch.manual_seed(options.config.seed)
    place = places(sources, symbols, groups, options.config.seed) if groups and not init else None
    net = MinGRUNet(symbols, **shape, **(tables if tables["grams"] else {}), place=place, dropout=chosen["dropout"])
    if init:  # tables that it lacks add nothing at first
        net.load_state_dict(restore(init.tensors()).state_dict(), strict=False)
    fit(
        net,
        sources,
        tokenizer.sizes.average(),
        shrunk(options.config, sources),
        options.folder,
        options.resume,
        options.report,
        options.stop,
    )
    return cls(net.config | {"online": chosen["online"]}, export(net))

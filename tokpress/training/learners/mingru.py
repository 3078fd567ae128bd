"""Train a minGRU: build its network, fit it, export integers."""

from dataclasses import replace
from typing import Any

import torch

from ...errors import TokpressError
from ...priors.base import Prior
from ...priors.text.mingru import MinGRUPrior
from ...storage.settings import settings_of
from ...tokenizers.base import Config, Tokenizer
from ..data.streams import Source
from ..loop.fit import fit
from ..nets.classes import places
from ..nets.mingru import MinGRUNet, export, restore
from ..options import FitOptions
from ..sizes import shrunk

SHAPE, TABLES = ("width", "depth", "hidden", "classes"), ("grams", "features")


def fit_mingru(
    cls: type[MinGRUPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> MinGRUPrior:
    """Settings, by default those of `options.init`:

    width, depth, hidden    shape of the network
    classes                 classes of a class-factored softmax; 0: one softmax over all symbols
    grams, features         rows and columns of the tables of hashed n-grams; a prior to start from may lack them
    online                  rate at which the head learns while it codes
    dropout                 of the output of blocks and tables, in training
    """
    settings = checked_settings(config, options.init, tokenizer.vocab_size)
    net = make_net(settings, sources, tokenizer.vocab_size, options)
    fit(net, sources, tokenizer.sizes.average(), replace(options, config=shrunk(options.config, sources)))
    return cls(net.config | {"online": settings["online"]}, export(net))


def checked_settings(config: Config, init: Prior | None, symbols: int) -> dict[str, Any]:
    """All settings of the prior. Raises TokpressError where one is wrong, or differs from those of `init`."""
    defaults = MinGRUPrior.defaults
    shape, tables = ({key: defaults[key] for key in keys} for keys in (SHAPE, TABLES))
    if init:
        shape = {key: init.config().get(key, 0) for key in SHAPE}
        tables = {key: init.config().get(key, tables[key]) for key in TABLES}
    settings = settings_of("mingru", config, {**defaults, **shape, **tables})
    if init:
        _check_same_shape(settings, shape, tables)
    grams, dropout, classes = settings["grams"], settings["dropout"], settings["classes"]
    if grams & (grams - 1):
        raise TokpressError(f"grams={grams} of the prior 'mingru' should be a power of 2")
    if not 0 <= dropout < 1:
        raise TokpressError(f"dropout={dropout} of the prior 'mingru' should be at least 0 and below 1")
    if classes and not (_is_power(classes) and symbols % classes == 0 and _is_power(symbols // classes)):
        raise TokpressError(
            f"classes={classes} of the prior 'mingru' should be a power of 2, and so should the {symbols:,} symbols / classes; both at least 2"
        )
    return settings


def _check_same_shape(settings: Config, shape: Config, tables: Config) -> None:
    """`shape` and `tables` are those of the model to start from, which may lack tables."""
    same_tables = not tables["grams"] or all(settings[key] == tables[key] for key in TABLES)
    if not same_tables or any(settings[key] != shape[key] for key in SHAPE):
        asked = {key: settings[key] for key in (*SHAPE, *TABLES)}
        raise TokpressError(f"the model to start from has {shape | tables}, not {asked}; leave the shape to it")


def _is_power(number: int) -> bool:
    """Whether it is a power of 2, and at least 2."""
    return number > 1 and number & (number - 1) == 0


def make_net(settings: Config, sources: list[Source], symbols: int, options: FitOptions) -> MinGRUNet:
    """The network that a run starts from: random weights, or those of `options.init`."""
    shape = {key: settings[key] for key in SHAPE}
    tables = {key: settings[key] for key in TABLES} if settings["grams"] else {}
    seed, init = options.config.seed, options.init
    torch.manual_seed(seed)
    place = places(sources, symbols, settings["classes"], seed) if settings["classes"] and not init else None
    net = MinGRUNet(symbols, **shape, **tables, place=place, dropout=settings["dropout"])
    if init:  # tables that it lacks add nothing at first
        net.load_state_dict(restore(init.tensors()).state_dict(), strict=False)
    return net

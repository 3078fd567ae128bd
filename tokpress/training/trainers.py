"""What stands behind `Prior.fit` of the trained priors: build the network, fit it, hand over integers."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import TokpressError
from ..priors.base import Prior
from ..tokenizers.base import Config, Tokenizer
from .options import FitOptions, settings_of
from .presets import PRESETS
from .sizes import shrunk

if TYPE_CHECKING:
    from ..priors.lecture.network import NetworkPrior
    from .data.streams import Source

NEEDS_TORCH = 'training needs {name}, which is not installed: pip install "tokpress[train]"'


def fit_mingru(
    sources: "list[Source]", tokenizer: Tokenizer, config: Config, options: FitOptions
) -> tuple[Config, dict[str, np.ndarray]]:
    """(config, tensors) of a MinGRUPrior. Settings: width, depth, hidden; where they are not given, those of
    the prior to start from, or of the `text` preset. grams, features: rows and numbers of the tables of hashed n-grams, which
    a prior to start from may lack. groups: of symbols, for a head of two levels; 0 is a head of one. online: the rate at which its
    head learns while it codes. dropout: of what blocks and tables add, while it is trained."""
    from ..priors.text.mingru import ONLINE

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
    try:
        import torch

        from .loop.fit import fit
        from .nets.classes import places
        from .nets.mingru import MinGRUNet, export, restore
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "accelerate"):
            raise
        raise TokpressError(NEEDS_TORCH.format(name=error.name)) from error
    torch.manual_seed(options.config.seed)
    place = places(sources, symbols, groups, options.config.seed) if groups and not init else None
    net = MinGRUNet(symbols, **shape, **(tables if tables["grams"] else {}), place=place, dropout=chosen["dropout"])
    if init:  # tables that it lacks add nothing at first
        net.load_state_dict(restore(init.tensors()).state_dict(), strict=False)
    fit(
        net,
        sources,
        tokenizer.average_bytes(),
        shrunk(options.config, sources),
        options.folder,
        options.resume,
        options.report,
        options.stop,
    )
    return net.config | {"online": chosen["online"]}, export(net)


def fit_network(
    cls: "type[NetworkPrior]", sources: "list[Source]", tokenizer: Tokenizer, settings: Config, options: FitOptions
) -> tuple[dict[str, np.ndarray], int]:
    """(tensors, vocabulary size) of a prior of `priors.lecture.network`."""
    plan = cls(settings, {}, tokenizer.vocab_size)
    try:
        from .loop.fit import fit
        from .nets.arithmetic import Trained
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "accelerate"):
            raise
        raise TokpressError(NEEDS_TORCH.format(name=error.name)) from error
    if plan.wants_given != (options.given is not None):
        if plan.wants_given:
            raise TokpressError(f"given={plan.settings['given']} of the prior {cls.name!r} wants --given FILE too")
        raise TokpressError(
            f"--given FILE wants a prior that is told its shape: --set given=SHAPE, if {cls.name!r} takes it"
        )
    try:
        net = Trained(plan.network, plan.shape, plan.order, options.config.seed, plan.given_size)
    except (IndexError, RuntimeError, ValueError) as error:  # of whatever a network is made of
        raise TokpressError(
            f"the prior {cls.name!r} cannot be made with the settings {plan.settings}: {str(error).splitlines()[0]}"
        ) from error
    if options.init:
        net.restore(options.init.tensors())
    fit(
        net,
        sources,
        tokenizer.average_bytes(),
        options.config if plan.shape else shrunk(options.config, sources),
        options.folder,
        options.resume,
        options.report,
        options.stop,
        options.given,
    )
    return net.export(), tokenizer.vocab_size


def trained_members(
    prior: str, config: Config, tokenizer: Tokenizer, settings: Config | None = None
) -> tuple[list[Prior], Config]:
    """The priors of the model directories that the setting `members` names, and the other settings, of which these are what
    they are if not given. Raises TokpressError, ModelError."""
    from ..models.store import load_folder
    from .data.tokenize import tokenizer_hash

    chosen = settings_of(prior, config, {"members": "", **(settings or {})})
    named = chosen.pop("members")
    if not named:
        raise TokpressError(f"a prior of the kind {prior} is made of trained models: say --set members=DIR,DIR,…")
    if not all(named.split(",")):
        raise TokpressError(f"members={named} names a model too few between two commas")
    models = [load_folder(name) for name in named.split(",")]
    for model in models:
        if tokenizer_hash(model.tokenizer) != tokenizer_hash(tokenizer):
            raise TokpressError(
                f"{model.name} has a {model.tokenizer.name} tokenizer, not the {tokenizer.name} one asked for"
            )
    return [model.prior for model in models], chosen

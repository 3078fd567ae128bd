"""Train a prior of `priors.lecture.network`: its network runs in torch, and is exported as integers."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import TokpressError
from ...priors.lecture.network import NetworkPrior
from ...tokenizers.base import Config, Tokenizer
from ...tokenizers.samples import ItemTokenizer
from ..data.streams import Source
from ..loop.fit import fit
from ..nets.arithmetic import Trained
from ..options import FitOptions
from ..sizes import shrunk


def fit_network(
    cls: type[NetworkPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> NetworkPrior:
    """Settings: those in the prior's `defaults`, `shape` and `order`; by default those of `options.init`."""
    settings = (options.init.config() if options.init else {}) | config
    if not settings.get("shape") and isinstance(tokenizer, ItemTokenizer):
        settings["shape"] = "x".join(map(str, tokenizer.item_shape))
    tensors = trained_tensors(cls, sources, tokenizer.sizes.average(), settings, options)
    return cls.load(settings, tensors, tokenizer.vocab_size)


def trained_tensors(
    cls: type[NetworkPrior],
    sources: list[Source],
    token_bytes: NDArray[np.float64],
    settings: Config,
    options: FitOptions,
) -> dict[str, np.ndarray]:
    """The tensors of a trained prior of this class. token_bytes [V]: mean source bytes of each symbol."""
    plan = cls(settings, {}, len(token_bytes))
    if plan.given_size and options.given is None:
        raise TokpressError(f"given={plan.settings['given']} of the prior {cls.name!r} needs --given FILE too")
    if options.given is not None and not plan.given_size:
        raise TokpressError(
            f"--given FILE needs a prior with the shape of its items: --set given=SHAPE, where {cls.name!r} has that setting"
        )
    try:
        net = Trained(plan.network, plan.shape, plan.order, options.config.seed, plan.given_size)
    except (IndexError, RuntimeError, ValueError) as error:  # from the operations of the network
        raise TokpressError(
            f"the prior {cls.name!r} cannot be made with the settings {plan.settings}: {str(error).splitlines()[0]}"
        ) from error
    if options.init:
        net.restore(options.init.tensors())
    config = options.config if plan.shape else shrunk(options.config, sources)
    fit(net, sources, token_bytes, replace(options, config=config))
    return net.export()

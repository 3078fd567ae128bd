"""Train a prior of `priors.lecture.network`: its network runs in torch, and is handed over as integers."""

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
    """Settings: the prior's `defaults`, `shape`, `order`; those not given are the ones of the prior to start from."""
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
    """The tensors of a prior of this class. token_bytes [V]: source bytes of each symbol, on average."""
    plan = cls(settings, {}, len(token_bytes))
    if bool(plan.given_size) != (options.given is not None):
        if bool(plan.given_size):
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
    config = options.config if plan.shape else shrunk(options.config, sources)
    fit(net, sources, token_bytes, replace(options, config=config))
    return net.export()

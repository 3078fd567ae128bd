"""Make a product or an ensemble of trained priors. A memory and a bitwise prior cannot be trained: train the prior inside them."""

from ...errors import TokpressError
from ...models.loading import load_folder
from ...priors.base import Prior
from ...priors.compose.ensemble import EnsemblePrior
from ...priors.compose.parts import innermost
from ...priors.compose.product import ProductPrior
from ...storage.settings import settings_of
from ...tokenizers.base import Config, Tokenizer
from ..data.streams import Source
from ..data.tokenize import tokenizer_hash
from ..options import FitOptions


def fit_product(
    cls: type[ProductPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> ProductPrior:
    """Settings: members, two model directories with a comma between them; quarters. Wrappers of the members' networks, such as a
    memory, are left out."""
    members, chosen = trained_members(cls, config, tokenizer)
    return cls([innermost(member) for member in members], chosen["quarters"])


def fit_ensemble(
    cls: type[EnsemblePrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> EnsemblePrior:
    """Settings: members, model directories with commas between them."""
    return cls(trained_members(cls, config, tokenizer)[0])


def refuse_memory(
    cls: type[Prior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> Prior:
    """Raises TokpressError."""
    raise TokpressError("a memory is wrapped around another prior: train that one with --memory")


def refuse_bitwise(
    cls: type[Prior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> Prior:
    """Raises TokpressError."""
    raise TokpressError("a bitwise prior is wrapped around another prior: train that one")


def trained_members(
    cls: type[ProductPrior | EnsemblePrior], config: Config, tokenizer: Tokenizer
) -> tuple[list[Prior], Config]:
    """The priors of the model directories in the setting `members`, and the other settings. Raises TokpressError, ModelError."""
    chosen = settings_of(cls.name, config, cls.defaults)
    members = chosen.pop("members")
    if not members:
        raise TokpressError(f"a prior of the kind {cls.name} is made of trained models: say --set members=DIR,DIR,…")
    if not all(members.split(",")):
        raise TokpressError(f"members={members} names a model too few between two commas")
    models = [load_folder(name) for name in members.split(",")]
    for model in models:
        if tokenizer_hash(model.tokenizer) != tokenizer_hash(tokenizer):
            raise TokpressError(
                f"{model.name} has a {model.tokenizer.name} tokenizer, not the {tokenizer.name} one asked for"
            )
    return [model.prior for model in models], chosen

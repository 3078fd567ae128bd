"""A model from a checkpoint, of a finished or an unfinished run: its weights, rounded to integers.

    from tokpress.training.export import model_of_checkpoint
    model_of_checkpoint("DIR/.checkpoint/state", "DIR/.checkpoint/tokenizer").save("NEW_DIR")

`tokpress train --resume` is the usual way to a model. This is for a model before its run is done, and for checkpoints that the
Python function `fit` wrote.
"""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import TokpressError
from ..models.model import Model
from ..priors.base import Prior
from ..priors.compose.memory import MemoryPrior
from ..priors.text.bitwise import BitwisePrior, is_spelled
from ..priors.text.mingru import ONLINE, MinGRUPrior
from ..tokenizers.base import Tokenizer
from .nets.mingru import MinGRUNet, export, shape_of
from .run_dir import load_tokenizer


def model_of_checkpoint(checkpoint: Path | str, tokenizer: Tokenizer | Path | str, memory: bool = True) -> Model:
    """tokenizer: the one that the run trained with, or its directory. memory: whether the prior is wrapped in a memory and
    in bitwise mixing.

    Raises TokpressError where the checkpoint is damaged or not of a minGRU, ModelError where the tokenizer has another number
    of symbols."""
    path = Path(checkpoint) / "net.safetensors"
    try:
        weights = load_file(path)
        net = MinGRUNet(**shape_of(weights))
        net.load_state_dict(weights)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise TokpressError(f"{path} is no checkpoint of a minGRU, or damaged: {str(error).splitlines()[0]}") from error
    prior: Prior = MinGRUPrior({**net.config, "online": ONLINE}, export(net))
    if not isinstance(tokenizer, Tokenizer):
        tokenizer = load_tokenizer(Path(tokenizer))
    return Model(tokenizer, mixed(prior, tokenizer) if memory else prior)


def mixed(prior: Prior, tokenizer: Tokenizer) -> Prior:
    """The prior in a memory; a minGRU over strings of bytes in bitwise mixing, too."""
    with_memory = MemoryPrior(prior)
    return (
        BitwisePrior(with_memory, tokenizer)
        if isinstance(prior, MinGRUPrior) and is_spelled(tokenizer)
        else with_memory
    )

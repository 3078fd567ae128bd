"""Learn tokenizers and priors from a corpus: `train` and `train_tokenizer`, as the command line.

api         these two                      plan      options → settings of a run
run         from files to a model directory
data/       corpora and batches             nets/      torch twins of the exact networks
loop/       steps and checkpoints           learners/  how each tokenizer and prior learns
options, presets, sizes   settings          prepare    corpus → tokenizer → token files
run_dir     the folder of a run             evaluate   bits on held-out data
card        README.md of a model            export     a model from a checkpoint
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .api import train, train_tokenizer

__all__ = ["train", "train_tokenizer"]


def __getattr__(name: str) -> object:
    """Import on first use: the command line reads settings without the rest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.api"), name)

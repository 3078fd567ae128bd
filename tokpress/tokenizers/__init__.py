"""Tokenizers: bytes to tokens and back. `base` is the contract, `registry` finds them by name.

text/    bytes, characters, words, byte pairs     pixels/    palettes      learned/    discrete autoencoders
segments     several tokenizers in one vocabulary

From Python, `load` and `train` give a `Processor`, which takes text, bytes, arrays and pictures (`tokpress.toolkit`):

>>> import tokpress.tokenizers
>>> tokpress.tokenizers.load("bytes").encode("ab").ids.tolist()
[97, 98]
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..toolkit.functions import load, train
    from ..toolkit.processor import Encoding, Processor

_HOME = {"Encoding": "processor", "Processor": "processor", "load": "functions", "train": "functions"}
__all__ = ["Encoding", "Processor", "load", "train"]


def __getattr__(name: str) -> object:
    """Import on first use: the toolkit stands above models and training, which use the tokenizers."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tokpress.toolkit.{_HOME[name]}"), name)

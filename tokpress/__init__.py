"""tokpress: lossless compression by autoregressive models, exact on every machine.

>>> import tokpress
>>> tokpress.decompress(tokpress.compress(b"hello, hello, hello"))
b'hello, hello, hello'
"""

from importlib import import_module

from . import forks  # noqa: F401  looks after forks beside other threads
from ._version import __version__

TYPE_CHECKING = False  # true to type checkers; to import it from typing would take 4 ms
if TYPE_CHECKING:
    from .bits import Bits
    from .errors import (
        ChecksumError,
        FormatError,
        ModelError,
        ModelMismatchError,
        TokpressError,
        UnknownComponentError,
    )
    from .file import TokpressFile, open
    from .model import Model
    from .pipeline import compress, decompress
    from .registry import register_prior, register_tokenizer
    from .store import load

_HOME = {
    "Bits": "bits",
    "ChecksumError": "errors",
    "FormatError": "errors",
    "Model": "model",
    "ModelError": "errors",
    "ModelMismatchError": "errors",
    "TokpressError": "errors",
    "TokpressFile": "file",
    "UnknownComponentError": "errors",
    "compress": "pipeline",
    "decompress": "pipeline",
    "load": "store",
    "open": "file",
    "register_prior": "registry",
    "register_tokenizer": "registry",
}
__all__ = [
    "Bits",
    "ChecksumError",
    "FormatError",
    "Model",
    "ModelError",
    "ModelMismatchError",
    "TokpressError",
    "TokpressFile",
    "UnknownComponentError",
    "__version__",
    "compress",
    "decompress",
    "load",
    "open",
    "register_prior",
    "register_tokenizer",
]


def __getattr__(name: str) -> object:
    """Import on first use: `tokpress --help` and small inputs import only what they touch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__

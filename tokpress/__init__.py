"""tokpress: lossless compression by autoregressive models, exact on every machine.

>>> import tokpress
>>> tokpress.decompress(tokpress.compress(b"hello, hello, hello"))
b'hello, hello, hello'
"""

from importlib import import_module

from ._version import __version__
from .native import forks  # noqa: F401  looks after forks beside other threads

TYPE_CHECKING = False  # true to type checkers; to import it from typing would take 4 ms
if TYPE_CHECKING:
    from . import conformance, tokenizers, training
    from .codec.context import Context
    from .codec.file import TokpressFile, open
    from .codec.incremental import TokpressCompressor, TokpressDecompressor
    from .codec.stream import compress, decompress
    from .errors import ChecksumError, FormatError, ModelError, ModelMismatchError, TokpressError, UnknownComponentError
    from .models.bits import Bits
    from .models.model import Model
    from .models.remote import load
    from .priors.registry import register_prior
    from .tokenizers.registry import register_tokenizer

_HOME = {
    "Bits": "models.bits",
    "ChecksumError": "errors",
    "Context": "codec.context",
    "FormatError": "errors",
    "Model": "models.model",
    "ModelError": "errors",
    "ModelMismatchError": "errors",
    "TokpressCompressor": "codec.incremental",
    "TokpressDecompressor": "codec.incremental",
    "TokpressError": "errors",
    "TokpressFile": "codec.file",
    "UnknownComponentError": "errors",
    "compress": "codec.stream",
    "decompress": "codec.stream",
    "load": "models.remote",
    "open": "codec.file",
    "register_prior": "priors.registry",
    "register_tokenizer": "tokenizers.registry",
}
#: parts of the package that users import
_MODULES = ("conformance", "tokenizers", "training")
__all__ = [
    "Bits",
    "ChecksumError",
    "Context",
    "FormatError",
    "Model",
    "ModelError",
    "ModelMismatchError",
    "TokpressCompressor",
    "TokpressDecompressor",
    "TokpressError",
    "TokpressFile",
    "UnknownComponentError",
    "__version__",
    "compress",
    "conformance",
    "decompress",
    "load",
    "open",
    "register_prior",
    "register_tokenizer",
    "tokenizers",
    "training",
]


def __getattr__(name: str) -> object:
    """Import on first use: `tokpress --help` and small inputs import only what they touch."""
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__

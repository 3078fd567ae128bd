"""The errors that tokpress raises. Each message says what is wrong, where, and what to do."""


class TokpressError(Exception):
    """Base class of all errors of tokpress."""


class FormatError(TokpressError):
    """The bytes are not a well-formed container: wrong magic, impossible length, truncated."""


class ChecksumError(FormatError):
    """The container is well-formed but its contents are damaged."""


class ModelMismatchError(TokpressError):
    """A frame needs a model that is not available, or not the given one."""


class UnknownComponentError(TokpressError):
    """No tokenizer or prior has this name."""


class ModelError(TokpressError):
    """A model directory lacks a file, or a file contradicts config.json."""


class TokenizerError(TokpressError):
    """A tokenizer cannot represent a source, or a token is not in its vocabulary."""


class CorpusError(TokpressError):
    """There is nothing to train on, or a corpus file cannot be read."""

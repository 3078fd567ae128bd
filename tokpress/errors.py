"""Everything tokpress raises on purpose. Each message says what, where, and what to do."""


class TokpressError(Exception):
    """Base of all errors a caller may want to catch."""


class FormatError(TokpressError):
    """The bytes are not a well-formed container: wrong magic, impossible length, truncated."""


class ChecksumError(FormatError):
    """The container is well-formed but its contents are damaged."""


class ModelMismatchError(TokpressError):
    """A frame was made with a model that is not here, or not this one."""


class UnknownComponentError(TokpressError):
    """A tokenizer or prior name that is not registered."""


class ModelError(TokpressError):
    """A model directory is missing a file, or a file in it is not what config.json promises."""


class TokenizerError(TokpressError):
    """A tokenizer cannot represent every byte string, or tokens do not belong to it."""


class CorpusError(TokpressError):
    """Nothing to train on, or a corpus file cannot be read."""

"""A context: bytes that a model reads before the frames it codes. The decoder needs the same bytes.

Records alike, such as log lines or JSON objects, hold little that other records did not hold. A context of such records stands for them:
a small file coded after it takes a fraction of the bytes. It serves as a raw dictionary does in zstd (`zstd -D`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from ..container.digest import digest_of
from ..container.frames import CONTEXT_BYTES, MAX_SOURCE, FrameHeader, Kind
from ..container.short import KEY_BYTES
from ..container.varint import as_bytes
from ..errors import ModelMismatchError, TokpressError
from ..models import store
from ..models.model import Model
from ..models.states import Entry, Kept
from ..models.store import ModelName
from ..native import library
from .efforts import EFFORTS, Effort

if TYPE_CHECKING:
    from ..coding.context import ContextTokens


class Context:
    """The parameter `context` of `tokpress.compress` and `tokpress.decompress`. A context that serves several calls is read once by each
    model, in each thread. Raises ValueError where it has more than 64 MiB.

    >>> import tokpress
    >>> context = tokpress.Context(b'{"name": "Ada", "born": 1815}')
    >>> packed = tokpress.compress(b'{"name": "Alan", "born": 1912}', context=context)
    >>> len(packed) < 22, tokpress.decompress(packed, context=context)
    (True, b'{"name": "Alan", "born": 1912}')
    """

    def __init__(self, source: bytes, keep: bool = True) -> None:
        """keep: keep what a model is after the context, in some tens of megabytes, for later calls."""
        self.source, self.keep = bytes(as_bytes(source)), keep
        if len(self.source) > MAX_SOURCE:
            raise ValueError(f"a context has at most {MAX_SOURCE:,} bytes, not {len(self.source):,}")
        self.digest = digest_of(self.source)
        self._lock, self._tokens = Lock(), dict[bytes, "ContextTokens"]()

    def __reduce__(self) -> tuple[type[Context], tuple[bytes, bool]]:
        return Context, (self.source, self.keep)

    def __repr__(self) -> str:
        return f"<Context: {len(self.source):,} bytes, {self.digest.hex()}>"

    def tokens(self, model: Model) -> ContextTokens:
        """The context of this model's frames. Raises TokpressError where the model reads none, or may cut it into other tokens elsewhere."""
        if not model.tokenizer.reproducible:
            raise TokpressError(
                f"the model {model.name} reads no context: a library cuts texts into its tokens, and may cut them otherwise in later releases"
            )
        with self._lock:
            if (found := self._tokens.get(model.id)) is None:
                found = self._tokens[model.id] = model.context(self.source, self.keep)
            return found

    def prime(self, model: ModelName | None = None, effort: Effort = "default", name: str = "") -> list[Entry]:
        """Write what models are after the context to the user's cache folder. Later calls, of other processes too, then do not read the
        context again. model, effort: as those of `tokpress.compress`. name: of the context, for a list.

        Returns the files, one for each model that keeps a state: none without the native core. Raises TokpressError, ModelError and OSError."""
        names = [model] if model is not None else EFFORTS[effort][0]
        return [entry for each in names for entry in self._prime(store.load(each), name)]

    def _prime(self, model: Model, name: str) -> list[Entry]:
        if not library.is_here():  # the twins keep no states
            return []
        about = {"context": name, "context_bytes": len(self.source), "model": model.name, "model_id": model.id.hex()}
        kept = Kept(self.digest, about)
        model.encode(bytes(1), tokens=array("i", [0]), context=model.context(self.source, states=kept))
        return kept.entries

    def id(self) -> bytes:
        """What frames with this context store."""
        return self.digest[:CONTEXT_BYTES]

    def key(self, model_id: bytes) -> bytes:
        """What short frames with this context and this model store."""
        return digest_of(model_id + self.digest)[:KEY_BYTES]


def of(given: bytes | Context | None) -> Context | None:
    """The context that a caller gave as bytes, for one call, or as an object."""
    return given if given is None or isinstance(given, Context) else Context(given, keep=False)


def models_for(header: FrameHeader, context: Context | None, models: Sequence[Model]) -> Iterator[Model]:
    """Models that may decode this frame with a context: one, or all that have the key of a short frame. Raises ModelMismatchError where
    context or model are not those of the encoder."""
    if context is None:
        raise ModelMismatchError(
            f"{header.where}: made with a context, and none is given: name the file of the context with --context"
        )
    if header.kind == Kind.SHORT:
        found = set[bytes]()
        for id in store.ids(models):
            if context.key(id) == header.context_id and id not in found:
                found.add(id)
                yield store.by_id(id, models)
        if found:
            return
        raise ModelMismatchError(
            f"{header.where}: made with another context, or with a model that is not here: name the same file with --context, and "
            "the model's directory with -m"
        )
    if header.context_id != context.id():
        raise ModelMismatchError(
            f"{header.where}: made with another context ({header.context_id.hex()}) than this one ({context.id().hex()}): name the "
            "same file with --context"
        )
    assert header.model_id is not None
    yield store.by_id(header.model_id, models)

"""The definition of byte-pair merging (core: bpe.c).

    source ─every 64 KiB─► parts ─`pieces`─► pieces; a piece begins as the ids of its bytes
    in a piece, while neighbours (l, r) are a merge: replace the pair of lowest rank, the leftmost of these, by one id
    the word of that id is word(l) + word(r)

The ids are those of the Hugging Face library (`tokenizers`, models/bpe/word.rs, merge_all), and decode to the source whatever
the ranks are.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from ...errors import TokenizerError
from .pieces import cut

#: pieces end at multiples of this, which bounds memory; frames and blocks may begin there
CUT_BYTES = 1 << 16
#: maximum number of pieces whose ids are cached
MAX_CACHED = 1 << 16


class Tables:
    """Words and merges: the twin of `native.bpe.Tables`.

    >>> ids = {chr(byte): byte for byte in range(256)} | {"ab": 256, "aba": 257}
    >>> tables = Tables(ids, [["a", "b"], ["ab", "a"]])
    >>> tables.encode(b"ababa", None, False)
    array('i', [256, 257])
    >>> tables.decode(array("i", [256, 257]))
    b'ababa'
    """

    def __init__(self, vocab: Mapping[str, int], merges: Sequence[Sequence[str]]):
        self.vocab_size = max(vocab.values()) + 1
        self._ids = {word.encode("latin-1"): id for word, id in vocab.items()}
        self._words = [b""] * self.vocab_size  # b"" for an id without a token
        for word, id in self._ids.items():
            self._words[id] = word
        self.longest = max(map(len, self._words))
        self._bytes = [self._ids[bytes([byte])] for byte in range(256)]
        #: (left, right) → (rank, merged id); of a repeated merge, the last rank
        self._merges = {
            (vocab[left], vocab[right]): (rank, vocab[left + right]) for rank, (left, right) in enumerate(merges)
        }

    def words(self) -> tuple[array[int], bytes]:
        """Lengths int32 [V], 0 where an id has no word, and all words one after another."""
        return array("i", map(len, self._words)), b"".join(self._words)

    def encode(self, source: Any, classes: bytes | None, words_first: bool) -> array[int]:
        """The ids int32 [N] of a buffer. classes [256]: class of each byte (`pieces.CLASSES`); None: do not cut into pieces. words_first:
        replace a piece that is a word by its id, without merging."""
        ids = array("i")
        cache: dict[bytes, list[int]] = {}
        for piece in _pieces(memoryview(source).cast("B"), classes):
            if (piece_ids := cache.get(piece)) is None:
                if len(cache) == MAX_CACHED:
                    cache.clear()
                word_id = self._ids.get(piece) if words_first else None
                piece_ids = cache[piece] = self._merged(piece) if word_id is None else [word_id]
            ids.extend(piece_ids)
        return ids

    def _merged(self, piece: bytes) -> list[int]:
        """The ids of a piece, by a heap of (rank, place). A place holds the id of the word that begins there."""
        ids: list[int | None] = [self._bytes[byte] for byte in piece]
        after, before = list(range(1, len(ids) + 1)), list(range(-1, len(ids) - 1))

        def merge_at(place: int) -> tuple[int, int] | None:
            right = after[place]
            return self._merges.get((ids[place], ids[right])) if right < len(ids) else None  # type: ignore[arg-type]

        heap = [(merge[0], place) for place in range(len(ids)) if (merge := merge_at(place))]
        heapify(heap)
        while heap:
            rank, place = heappop(heap)
            merge = merge_at(place) if ids[place] is not None else None
            if merge is None or merge[0] != rank:
                continue  # one of the two has been merged with another neighbour
            removed = after[place]
            ids[place], ids[removed], after[place] = merge[1], None, after[removed]
            if after[place] < len(ids):
                before[after[place]] = place
            for changed in (place, before[place]):
                if changed >= 0 and (merge := merge_at(changed)):
                    heappush(heap, (merge[0], changed))
        return [id for id in ids if id is not None]

    def length(self, ids: Any) -> int:
        """Length of `decode(ids)`. ids: a buffer of int32. Raises TokenizerError where an id has no word."""
        return sum(map(len, self._words_of(ids)))

    def decode(self, ids: Any) -> bytes:
        """The words of ids, a buffer of int32, one after another. Raises TokenizerError where an id has no word."""
        return b"".join(self._words_of(ids))

    def _words_of(self, ids: Any) -> Iterator[bytes]:
        for id in memoryview(ids).cast("B").cast("i"):
            if not 0 <= id < self.vocab_size or not self._words[id]:
                raise TokenizerError(f"a token is outside the tokenizer's ids 0 … {self.vocab_size - 1}")
            yield self._words[id]


def _pieces(source: memoryview, classes: bytes | None) -> Iterator[bytes]:
    for at in range(0, len(source), CUT_BYTES):
        part = bytes(source[at : at + CUT_BYTES])
        if classes is None:
            yield part
        else:
            yield from cut(part, classes)

"""The definition of byte-pair merging (core: bpe.c).

    source ─every 64 KiB─► parts ─`pieces`─► pieces; a piece begins as the ids of its bytes
    in a piece, while neighbours (l, r) are a merge: replace the pair of lowest rank, the leftmost of these, by one id
    the word of that id is word(l) + word(r)

The ids are those of the Hugging Face library (`tokenizers`, models/bpe/word.rs, merge_all), and decode to the source whatever
the ranks are.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from ...errors import TokenizerError
from .pieces import cut

#: pieces end at multiples of this: it bounds memory, and frames and blocks may begin there
CUT_BYTES = 1 << 16
#: pieces whose ids are remembered, at most
MAX_KNOWN = 1 << 16


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
        self._words = [b""] * self.vocab_size  # an id that nobody uses stays empty
        for word, id in self._ids.items():
            self._words[id] = word
        self.longest = max(map(len, self._words))
        self._bytes = [self._ids[bytes([byte])] for byte in range(256)]
        #: (left, right) → rank, made; of a merge told twice, the last rank
        self._merges = {
            (vocab[left], vocab[right]): (rank, vocab[left + right]) for rank, (left, right) in enumerate(merges)
        }

    def words(self) -> tuple[array, bytes]:
        """Lengths int32 [V], 0 where an id has no word, and all words one after another."""
        return array("i", map(len, self._words)), b"".join(self._words)

    def encode(self, source: Any, classes: bytes | None, words_first: bool) -> array:
        """The ids int32 [N] of a buffer. classes [256]: of each byte (`pieces.CLASSES`); None: a source is not cut into pieces.
        words_first: a piece that is a word becomes its id unmerged."""
        ids = array("i")
        known: dict[bytes, list[int]] = {}
        for piece in _pieces(memoryview(source).cast("B"), classes):
            if (found := known.get(piece)) is None:
                if len(known) == MAX_KNOWN:
                    known.clear()
                whole = self._ids.get(piece) if words_first else None
                found = known[piece] = self._merged(piece) if whole is None else [whole]
            ids.extend(found)
        return ids

    def _merged(self, piece: bytes) -> list[int]:
        """The ids of a piece. A heap of (rank, place) makes it n log n; a place holds the id of the word that begins there."""
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
            gone = after[place]
            ids[place], ids[gone], after[place] = merge[1], None, after[gone]
            if after[place] < len(ids):
                before[after[place]] = place
            for changed in (place, before[place]):
                if changed >= 0 and (merge := merge_at(changed)):
                    heappush(heap, (merge[0], changed))
        return [id for id in ids if id is not None]

    def length(self, ids: Any) -> int:
        """How many bytes `decode` gives. ids: a buffer of int32. Raises TokenizerError where one of them has no word."""
        return sum(map(len, self._of(ids)))

    def decode(self, ids: Any) -> bytes:
        """The words of ids, a buffer of int32, one after another. Raises TokenizerError where one of them has no word."""
        return b"".join(self._of(ids))

    def _of(self, ids: Any) -> Iterator[bytes]:
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

"""The length of the records of a source: tables of numbers, rows of a bitmap, lines of one width.

Every EVERY bytes, the last WINDOW bytes are compared with the bytes d before them, for each length d. Only bytes that differ from their
predecessor count: a run repeats at every distance. The decoder has seen the same bytes, so a payload does not hold the length.
`core/records.h` is the same.
"""

EVERY, WINDOW = 4096, 2048
SHORTEST, LONGEST = 3, 1024
FEW = 64  # with fewer bytes to count, as in a blank part, the length stays
SURE = 16  # a length below this needs half of the bytes: code and text have short repetitions
PLACES = 4096


def find_record(history: bytes | bytearray, before: int) -> int:
    """The length of the records at the end of the history, 0 for none. The history has a multiple of EVERY bytes. before: the length
    found EVERY bytes earlier."""
    here = len(history)
    places = [i for i in range(here - WINDOW, here) if history[i] != history[i - 1]]
    if len(places) < FEW:
        return before
    lengths = range(SHORTEST, LONGEST + 1)
    same = {d: sum(history[i] == history[i - d] for i in places) for d in lengths}
    most = max(same.values())
    if most < len(places) // 8 or most < _told_by_pairs(history):
        return 0
    # the shortest of about the best, not a multiple of it
    found = before if before and same[before] * 8 >= most * 7 else next(d for d in lengths if same[d] * 16 >= most * 15)
    return 0 if found < SURE and most < len(places) // 2 else found


def _told_by_pairs(history: bytes | bytearray) -> int:
    """How often the last two bytes alone tell a byte that counts: a length must do better."""
    following, told = bytearray(PLACES), 0
    for i in range(len(history) - WINDOW, len(history)):
        place = (history[i - 1] * 16 + history[i - 2] * 43) % PLACES
        told += history[i] != history[i - 1] and following[place] == history[i]
        following[place] = history[i]
    return told

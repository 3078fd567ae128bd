"""Places for the labels of a plot, so that no two overlap and none lies on a point."""

from collections.abc import Iterator, Sequence
from math import cos, hypot, pi, sin

#: half the side of a point's mark; the room between a label and its mark or other labels, and between it and other marks
MARK, GAP, MARK_GAP = 5.0, 3.0, 8.0
#: directions that are tried, to the right first; rings around the point, a ring apart
DIRECTIONS, RINGS, RING = 16, 24, 9.0
#: a label farther away than this gets a line to its point
NEAR = 14.0

Box = tuple[float, float, float, float]  # left, low, right, high


def placed(points: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], frame: Box) -> list[Box]:
    """The box of each label, near its point and within the frame. sizes: width and height of each label.

    Labels are placed in order. One that finds no free place takes the place with the smallest collision.

    >>> placed([(50, 50), (20, 52)], [(30, 10), (30, 10)], (0, 0, 100, 100))[0]
    (58.0, 45.0, 88.0, 55.0)
    """
    marks = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in points]
    found: list[Box] = []
    for i, (point, size) in enumerate(zip(points, sizes)):
        others = marks[:i] + marks[i + 1 :]

        def collision(box: Box, mark: Box = marks[i], others: list[Box] = others) -> float:
            near = overlap(box, mark, GAP / 2) + sum(overlap(box, label, GAP) for label in found)
            return near + sum(overlap(box, other, MARK_GAP) for other in others)

        candidates = list(_candidates(point, size, frame))
        free = (box for box in candidates if not collision(box))
        found.append(next(free, None) or min(candidates, key=collision))
    return found


def _candidates(point: tuple[float, float], size: tuple[float, float], frame: Box) -> Iterator[Box]:
    """Boxes within the frame whose nearest point lies on rings around a point."""
    (x, y), (width, height) = point, size
    for ring in range(RINGS):
        radius = MARK + GAP + ring * RING
        for i in range(DIRECTIONS):
            angle = 2 * pi * (i + 1 >> 1) / DIRECTIONS * (1 if i % 2 else -1)
            left = x + radius * cos(angle) - width * (1 - cos(angle)) / 2
            low = y + radius * sin(angle) - height * (1 - sin(angle)) / 2
            left = min(max(left, frame[0]), frame[2] - width)
            low = min(max(low, frame[1]), frame[3] - height)
            yield left, low, left + width, low + height


def overlap(a: Box, b: Box, gap: float = 0.0) -> float:
    """Area that two boxes share, the second one larger by `gap` on all sides."""
    wide = min(a[2], b[2] + gap) - max(a[0], b[0] - gap)
    high = min(a[3], b[3] + gap) - max(a[1], b[1] - gap)
    return max(wide, 0.0) * max(high, 0.0)


def leader(point: tuple[float, float], box: Box) -> tuple[float, float] | None:
    """The place of the label at which a line from its point ends; None where the label is near."""
    x = min(max(point[0], box[0]), box[2])
    y = min(max(point[1], box[1]), box[3])
    return (x, y) if hypot(x - point[0], y - point[1]) > NEAR else None

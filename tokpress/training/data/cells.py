"""The corpus of one stage of a hierarchical prior: some cells of every item."""

from pathlib import Path

import numpy as np

from .streams import Source

ITEMS_AT_ONCE = 4096


def stage_sources(sources: list[Source], item: int, cells: np.ndarray, folder: Path) -> list[Source]:
    """For each source a new one, in `folder`, that holds the `cells` of each item. item: tokens of an item."""
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for number, source in enumerate(sources):
        path = folder / f"{number}.u16"
        items = source.all[len(source.all) % item :].reshape(-1, item)
        with open(path, "wb") as file:
            for at in range(0, len(items), ITEMS_AT_ONCE):
                file.write(np.ascontiguousarray(items[at : at + ITEMS_AT_ONCE, cells]).tobytes())
        out.append(Source(path, source.weight))
    return out

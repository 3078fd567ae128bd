"""The way of a source's bytes from `tokpress.compress` to the range coder, recorded while it runs.

A stop is a file that the bytes, or their tokens, are handed to; several functions of one file in a row are one stop. A climb is a step to
a room further up than the last one's (`source_counts.ROOMS`): down is the way of imports.
"""

import io
import sys
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import tokpress

from .source_counts import is_upward, room

PACKAGE = Path(tokpress.__file__).parent


class Stop(NamedTuple):
    """A file below tokpress/, and its functions in the order of their calls."""

    file: str
    functions: tuple[str, ...]


def module(file: str) -> str:
    return f"tokpress.{file.removesuffix('.py').replace('/', '.')}"


def way(data: bytes) -> list[Stop]:
    """The stops of `data`, which takes one model frame, in `tokpress.compress`."""
    tokpress.compress(data)  # what happens once a process, such as opening a model, happens here
    chains = _chains(data)
    last = chains[-1]
    begin = next(i for i, frame in enumerate(last) if frame.f_code.co_qualname == "Model.encode")
    # tokens are made within the same call of Model.encode that codes them
    parts = [chain for chain in chains if chain[: begin + 1] == last[: begin + 1] and _function(chain[-1]) == "encode"]
    frames = parts[0] + [frame for chain in parts[1:] for frame in chain[begin:]]
    stops: list[Stop] = []
    for frame in frames:
        file, function = _file(frame), frame.f_code.co_qualname.replace(".<locals>", "")
        if stops and stops[-1].file == file:
            functions = stops.pop().functions
            stops.append(Stop(file, functions if function in functions else (*functions, function)))
        else:
            stops.append(Stop(file, (function,)))
    return stops


def climbs(stops: list[Stop]) -> list[tuple[Stop, Stop]]:
    return [(a, b) for a, b in pairwise(stops) if is_upward(module(a.file), module(b.file))]


def _chains(data: bytes) -> list[list[FrameType]]:
    """For each call that hands the data to tokpress/native/: the frames of tokpress from `compress` to it."""
    found: list[list[FrameType]] = []

    def called(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or room(module(_file(frame))) != "native" or not _takes(frame, len(data) // 8):
            return
        frames, each = [frame], frame.f_back
        while each is not None:
            frames += [each] * bool(_file(each))
            each = each.f_back
        if room(module(_file(frames[1]))) != "native":  # not from one function of native/ to the next
            found.append(frames[::-1])

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        tokpress.compress(data)
    finally:
        sys.setprofile(before)
    return found


def _file(frame: FrameType) -> str:
    """Below tokpress/; "" for all others."""
    path = Path(frame.f_code.co_filename)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else ""


def _function(frame: FrameType) -> str:
    return frame.f_code.co_name


def _takes(frame: FrameType, size: int) -> bool:
    """Whether an argument of the call is a buffer of `size` bytes."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return any(_size(frame.f_locals[name]) >= size for name in names if name in frame.f_locals)


def _size(value: Any) -> int:
    if isinstance(value, io.BytesIO):
        return len(value.getbuffer())
    try:
        return memoryview(value).nbytes
    except TypeError:
        return 0

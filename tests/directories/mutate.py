"""Mutations of a model directory: of its JSON values by type, of its tensors, and of the bytes of its files."""

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

ODD: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 64, 65536, 10**9, 10**30, 1.5, -0.5, 1e308, "", "x", "1", "256", "2x2", "1x1x1x1", "bytes", "raster",
    "\ud800", [], [1], ["x"], [[]], {}, {"name": "bytes"}, {"name": "histogram"}, {"name": "context_mixing"}, {"name": None},
]  # fmt: skip
#: which json.dumps does not write
RAW = [
    "Infinity",
    "-Infinity",
    "NaN",
    "1e400",
    "-1e400",
    "1" * 5000,
    "[" * 3000 + "]" * 3000,
    "[" * 100_000,
    "'x'",
    "",
    "{}x",
]
MARK = "the value to be replaced"


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value inside."""
    found = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


def mutate_json(path: Path, rng: random.Random) -> str:
    whole = json.loads(path.read_text("utf-8"))
    container, key = rng.choice(places(whole))
    old, kind = container[key], rng.choice(["odd", "odd", "near", "near", "drop", "rename", "more", "raw", "twice"])
    text = None
    if kind == "near" and type(old) in (int, float):
        container[key] = rng.choice([old + 1, old - 1, 2 * old, -old, old / 2, old + 0.0, str(old), [old], bool(old)])
    elif kind == "near" and isinstance(old, str) and old:
        container[key] = rng.choice([old + "x", old[:-1], old.upper(), old * 2, [old], "-" + old])
    elif kind == "near" and isinstance(old, list) and old:
        container[key] = rng.choice([old[:-1], old + old, [*old, old], old[::-1], {"x": old}, old * 300])
    elif kind == "drop":
        del container[key]
    elif kind == "rename" and isinstance(container, dict):
        container[rng.choice(["x", key + "s", key.upper(), ""])] = container.pop(key)
    elif kind == "more" and isinstance(container, dict):
        container[rng.choice(["x", "static", "online", "given", "levels", "lanes"])] = rng.choice(ODD)
    elif kind == "raw":
        container[key] = MARK
        text = json.dumps(whole).replace(json.dumps(MARK), rng.choice(RAW))
    elif kind == "twice" and isinstance(container, dict):
        container[MARK] = rng.choice(ODD)
        text = json.dumps(whole).replace(json.dumps(MARK), json.dumps(key))
    else:
        container[key] = rng.choice(ODD)
    path.write_text(json.dumps(whole) if text is None else text)
    return f"{kind} {key}"


DTYPES = ["int8", "uint8", "int16", "int32", "int64", "float32", "float64", "float16", "bool"]


def mutate_tensors(path: Path, rng: random.Random) -> str:
    tensors = load_file(path)
    name = rng.choice(list(tensors))
    t, kind = (
        tensors[name],
        rng.choice(["value", "value", "value", "all", "dtype", "shape", "drop", "rename", "swap", "more"]),
    )
    if kind in ("value", "all"):
        floats = [np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e38, 65536.0, 65537.0, 1e-45, 1e-38, 4.0, 4.1]
        integers = [
            -(1 << 63),
            -(1 << 31),
            -129,
            -128,
            -65,
            -64,
            -1,
            0,
            1,
            63,
            64,
            127,
            255,
            (1 << 31) - 1,
            1 << 36,
            1 << 40,
            (1 << 63) - 1,
        ]
        limits = (None, None) if t.dtype.kind == "f" else (np.iinfo(t.dtype).min, np.iinfo(t.dtype).max)
        able = floats if t.dtype.kind == "f" else [v for v in integers if limits[0] <= v <= limits[1]]
        t = t.copy()
        value = rng.choice(able)
        if kind == "all":
            t[...] = value
        else:
            t.reshape(-1)[rng.randrange(t.size)] = value
        tensors[name] = t
    elif kind == "dtype":
        with np.errstate(all="ignore"):
            tensors[name] = t.astype(rng.choice(DTYPES))
    elif kind == "shape":
        tensors[name] = np.ascontiguousarray(
            rng.choice([t.reshape(-1), t[None], t[..., None], t[:-1], t[..., :-1], t.T, t[:0], np.concatenate([t, t])])
        )
    elif kind == "drop":
        del tensors[name]
    elif kind == "rename":
        tensors[rng.choice([name + "x", "0." + name, ""])] = tensors.pop(name)
    elif kind == "swap":
        other = rng.choice(list(tensors))
        tensors[name], tensors[other] = tensors[other], tensors[name]
    else:
        tensors["more"] = t
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, path)
    return f"{kind} {name}"


def mutate_bytes(path: Path, rng: random.Random) -> str:
    data, kind = (
        bytearray(path.read_bytes()),
        rng.choice(["cut", "flip", "more", "empty", "zeros", "head", "folder", "fifo", "device"]),
    )
    if kind in ("folder", "fifo", "device"):
        path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/zero")
        return f"{kind} {path.name}"
    if kind == "cut":
        del data[rng.randrange(len(data)) :]
    elif kind == "flip":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "more":
        data += bytes(rng.randrange(1, 9))
    elif kind == "empty":
        data.clear()
    elif kind == "zeros":
        data[:] = bytes(len(data))
    else:
        at = rng.randrange(min(300, len(data)))
        data[at : at + 2] = rng.choice([b"99", b"-1", b"\xff\xff", b"[[", b'""'])
    path.write_bytes(data)
    return f"{kind} {path.name}"


def mutate(folder: Path, rng: random.Random) -> str:
    """Change one thing in a model directory. Returns what was done."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    path = rng.choice([*files, *[path for path in files if path.name == "config.json"]])
    if rng.random() < 0.15:
        return mutate_bytes(path, rng)
    done = mutate_json(path, rng) if path.suffix == ".json" else mutate_tensors(path, rng)
    return f"{path.name}: {done}"

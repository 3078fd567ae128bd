"""The minGRU step as one compiled function (mingru.py has the formulas and the readable form).

Nothing in it needs the interpreter, so two threads run it on half of the lanes each without waiting for
one another. A test holds it to the readable form bit for bit.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..exact import fused, gemm, jit
from .grams import MIX, THREE, TWO, slots


class Weights(NamedTuple):
    """Of L blocks. Products are packed (`gemm.pack`); `…_first` are their first sums, `…_scale` their scales."""

    rows: np.ndarray  # [V, D] float32, the embedding
    grams: np.ndarray  # [2, G, F] int8, the tables of hashed n-grams
    grams_scale: np.ndarray  # [2, G] float32
    mix_grams: np.ndarray
    mix_grams_first: np.ndarray
    mix_grams_scale: np.ndarray
    mix_mu: np.ndarray  # [L, D] float32
    mix_in: np.ndarray  # [L, blocks, D/4, block, 4] int8
    mix_in_first: np.ndarray  # [L, N'] int32
    mix_in_scale: np.ndarray  # [L, N] float32
    forget_bias: np.ndarray
    mix_out: np.ndarray
    mix_out_first: np.ndarray
    mix_out_scale: np.ndarray
    ff_mu: np.ndarray
    ff_in: np.ndarray
    ff_in_first: np.ndarray
    ff_in_scale: np.ndarray
    ff_out: np.ndarray
    ff_out_first: np.ndarray
    ff_out_scale: np.ndarray
    head: np.ndarray  # [blocks, D/4, block, 4] int8
    head_first: np.ndarray
    head_scale: np.ndarray
    bias: np.ndarray  # [V] float32


def pack_weights(tensors: Mapping[str, np.ndarray], depth: int, grams: int) -> Weights:
    nothing: dict[str, np.ndarray] = {"weight": np.zeros((0, 1), np.int8), "scale": np.zeros(0, np.float32)}

    def of_grams(name: str, part: str) -> np.ndarray:
        return tensors[f"{name}.{part}"] if grams else nothing[part]

    found: dict[str, np.ndarray] = {
        "rows": tensors["embedding.weight"].astype(np.float32) * tensors["embedding.scale"][:, None],
        "head_scale": tensors["head.scale"],
        "bias": tensors["bias"],
        "grams": np.stack([of_grams(name, "weight") for name in (TWO, THREE)]),
        "grams_scale": np.stack([of_grams(name, "scale") for name in (TWO, THREE)]),
        "mix_grams_scale": of_grams(MIX, "scale"),
    }
    found["mix_grams"], found["mix_grams_first"] = gemm.pack(of_grams(MIX, "weight"))
    found["head"], found["head_first"] = gemm.pack(tensors["head.weight"])
    blocks = [f"blocks.{i}." for i in range(depth)]
    for name in ("mix_in", "mix_out", "ff_in", "ff_out"):
        packed = [gemm.pack(tensors[b + name + ".weight"]) for b in blocks]
        found[name] = np.stack([p for p, _ in packed])
        found[name + "_first"] = np.stack([first for _, first in packed])
        found[name + "_scale"] = np.stack([tensors[b + name + ".scale"] for b in blocks])
    for name in ("mix_mu", "ff_mu", "forget_bias"):
        found[name] = np.stack([tensors[b + name] for b in blocks])
    return Weights(**found)


_jit = jit.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
_slots = _jit(slots)


@_jit
def _add_grams(w, given, last, x, r):
    """Look up the rows of hashed n-grams, mix them and add them to x; `last` [2, n] goes on."""
    n, size, features = last.shape[1], w.grams.shape[1], w.grams.shape[2]
    looked_up = np.empty((given.shape[0], 2 * features), np.float32)
    a = np.zeros((given.shape[0], w.mix_grams.shape[1] * 4), np.uint8)
    for k in range(given.shape[0]):
        lane, now = k % n, np.int64(given[k])
        two, three = _slots(now, np.int64(last[0, lane]), np.int64(last[1, lane]), size)
        for c in range(features):
            looked_up[k, c] = np.float32(w.grams[0, two, c]) * w.grams_scale[0, two]
            looked_up[k, features + c] = np.float32(w.grams[1, three, c]) * w.grams_scale[1, three]
        last[1, lane] = last[0, lane]
        last[0, lane] = now
    fused.quantize_rows(looked_up, a, r)
    acc = np.empty((given.shape[0], w.mix_grams_first.shape[0]), np.int32)
    gemm.product(a, w.mix_grams, w.mix_grams_first, acc)
    fused.add(x, acc, w.mix_grams_scale, r)


@_jit
def features(w, given, last_mix, h, last_ff, last, start, stop, a, r):
    """given [T · n] int32, the inputs of lanes start … stop − 1 over T steps → a [T · n, D'] uint8, r [T · n]."""
    rows, width = given.shape[0], w.rows.shape[1]
    x = np.empty((rows, width), np.float32)
    for k in range(rows):
        row = w.rows[given[k]]
        for c in range(width):  # no slice, as in two_level_loop_kernel._hand_over
            x[k, c] = row[c]
    if w.grams.shape[1]:
        _add_grams(w, given, last[:, start:stop], x, r)
    wide = np.zeros((rows, w.ff_out.shape[2] * 4), np.uint8)
    per = np.float32(1) / np.float32(width)
    acc_in = np.empty((rows, w.mix_in_first.shape[1]), np.int32)
    acc_wide = np.empty((rows, w.ff_in_first.shape[1]), np.int32)
    acc_out = np.empty((rows, w.mix_out_first.shape[1]), np.int32)
    for i in range(w.mix_mu.shape[0]):
        fused.shift(x, last_mix[i, start:stop], w.mix_mu[i], per, a, r)
        gemm.product(a, w.mix_in[i], w.mix_in_first[i], acc_in)
        fused.recur(acc_in, w.mix_in_scale[i], r, w.forget_bias[i], h[i, start:stop], a)
        gemm.product(a, w.mix_out[i], w.mix_out_first[i], acc_out)
        fused.add(x, acc_out, w.mix_out_scale[i], r)
        fused.shift(x, last_ff[i, start:stop], w.ff_mu[i], per, a, r)
        gemm.product(a, w.ff_in[i], w.ff_in_first[i], acc_wide)
        fused.squared_relu(acc_wide, w.ff_in_scale[i], r, wide)
        gemm.product(wide, w.ff_out[i], w.ff_out_first[i], acc_out)
        fused.add(x, acc_out, w.ff_out_scale[i], r)
    fused.normalize_rows(x, per, a, r)


@_jit
def head(packed, first, scale, bias, a, r, out):
    """out [n, V] float32 of features a [n, D'], r [n]."""
    logits = np.empty((a.shape[0], first.shape[0]), np.int32)
    gemm.product(a, packed, first, logits)
    fused.softmax(logits, scale, r, bias, out)

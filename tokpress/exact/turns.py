"""How two threads of compiled code wait for each other: each counts what it has done, and reads the other's count.

A step of a decoder takes a millisecond, and its threads meet four times in it. Locks would cost a tenth of it: a thread that
sleeps takes some fifty microseconds to wake. So a thread that waits looks again and again, and now and then offers its processor to
others, which may be what the other thread is waiting for.
"""

import os

import numpy as np
from numba import types
from numba.extending import intrinsic

from . import jit

_jit = jit.njit(nogil=True, error_model="numpy")
#: int64 between two counts, so that they lie in different cache lines
APART = 16
#: a count that ends all waiting
OVER = 1 << 62
#: looks at a count before the processor is offered to others
LOOKS = 4000


def counts() -> np.ndarray:
    """Those of two threads, before they have done anything."""
    return np.zeros(2 * APART, np.int64)


@intrinsic
def _load(typingctx, array, at):
    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "acquire", 8)

    return types.int64(array, types.int64), generate


@intrinsic
def _store(typingctx, array, at, value):
    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.store_atomic(args[2], builder.gep(data, [args[1]]), "release", 8)
        return context.get_dummy_value()

    return types.none(array, types.int64, types.int64), generate


if os.name == "posix":
    _offer = types.ExternalFunction("sched_yield", types.int32())
else:  # there it goes on looking

    @_jit
    def _offer():
        return 0


@_jit
def post(counts, thread, done):
    """What `thread` has written before is there for whoever sees this count."""
    _store(counts, thread * APART, done)  # type: ignore[call-arg]  # numba gives the first argument


def end(counts: np.ndarray, thread: int) -> None:
    """`post` OVER, for whoever must not wait for a compiler: a store of one aligned int64, which no reader sees in halves."""
    counts[thread * APART] = OVER


@_jit
def wait(counts, thread, done):
    """Until `thread` has posted this count or more; gives back how often that was looked for."""
    looks = 0
    while _load(counts, thread * APART) < done:  # type: ignore[call-arg]
        looks += 1
        if looks % LOOKS == 0:
            _offer()
    return looks


@_jit
def over(counts, thread):
    return _load(counts, thread * APART) == OVER  # type: ignore[call-arg]

"""`prefetch(array, at)` for compiled code: ask for the cache line of a byte of an array, which will be read soon.

It changes no value, only how long the read then takes. Looked up one after the other, entries all over a large
table each wait for memory; asked for together, they arrive together.
"""

import numba
from llvmlite import ir
from numba.extending import intrinsic, overload

#: bytes that come together
LINE = 64
#: arguments of LLVM's instruction: for writing, to be kept in all caches, data
WRITE, KEEP, DATA = 1, 3, 1


def prefetch(array, at):
    """array: contiguous; at: a byte of it, which need not exist. Outside compiled code it does nothing."""


@overload(prefetch)
def _compiled_prefetch(array, at):
    return lambda array, at: _instruction(array, at)  # type: ignore[call-arg]  # numba adds the context


@intrinsic
def _instruction(typingctx, array, at):
    def generate(context, builder, signature, args):
        i8, i32 = ir.IntType(8), ir.IntType(32)
        start = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.gep(builder.bitcast(start, i8.as_pointer()), [args[1]], source_etype=i8)
        kind = ir.FunctionType(ir.VoidType(), [i8.as_pointer(), i32, i32, i32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [i8.as_pointer()], kind)
        builder.call(function, [place] + [ir.Constant(i32, choice) for choice in (WRITE, KEEP, DATA)])
        return context.get_dummy_value()

    return numba.types.none(array, numba.types.int64), generate

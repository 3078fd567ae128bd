"""The integer matrix product for compiled code: a · qᵀ with 8-bit activations and 7-bit weights, in registers.

numba has no vector types, so the inner block is written in LLVM's own language. It multiplies four bytes at a
time into 32-bit sums, by the instruction this processor has for it:

    vnni512, vnni256    vpdpbusd: u8 × s8, four products added to an int32, one instruction
    avx2                vpmaddubsw, vpmaddwd, vpaddd; a pair sum is at most 255 · 64 · 2 < 2^15, never saturated
    generic             whatever LLVM makes of widen, multiply and add, on any processor

One operand is unsigned, so an activation a is kept as the byte a + 128, and the sums start from −128 · Σ_k q.
Integer sums have one right answer: which instruction computes them cannot show (docs/exactness.md).

    weights   int8 [N, K] ─pack─► int8 [N / (4·W), K / 4, 4·W, 4]   W = 16, 8 or 4 int32 in a vector register
    product   uint8 [n, K] · packed ─► int32 [n, N'],  N' = N rounded up to whole blocks

A register block is 6 rows × 4 vectors where there are 32 registers: 24 accumulators, so that each weight vector loaded serves six
rows (Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication", §6). Of 16 registers 2 rows fill all; with more,
sums go to memory and back at every step.
"""

from functools import lru_cache

import numba
import numpy as np
from llvmlite import ir
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from . import jit

VECTORS = 4
OFFSET = 128


def _features() -> set[str]:
    """Of the processor for which numba compiles here."""
    return set(cpu_target.target_context.codegen().magic_tuple()[2].split(","))


@lru_cache
def instruction() -> str:
    """The best instruction there is."""
    features = _features()
    if {"+avx512vnni", "+avx512bw"} <= features:
        return "vnni512"
    if "+avxvnni" in features or {"+avx512vnni", "+avx512vl"} <= features:
        return "vnni256"
    return "avx2" if "+avx2" in features else "generic"


def width() -> int:
    """W, the int32 values in one vector."""
    return {"vnni512": 16, "vnni256": 8, "avx2": 8, "generic": 4}[instruction()]


def pack(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights int8 [N, K], each −64 … 63 → (blocks, first sums int32 [N'])."""
    block = VECTORS * width()
    outputs, inputs = -(-q.shape[0] // block) * block, -(-q.shape[1] // 4) * 4
    full = np.zeros((outputs, inputs), np.int8)
    full[: q.shape[0], : q.shape[1]] = q
    blocks = full.reshape(-1, block, inputs // 4, 4).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(blocks), (-OFFSET * full.sum(1, dtype=np.int32)).astype(np.int32)


def _add_products(builder, kind: str, total, a, q):
    """total [W] + Σ of the four u8 × s8 products in each 32 bits of a and q."""
    lanes = width()
    i32, i16, i8 = (ir.VectorType(ir.IntType(b), lanes * 32 // b) for b in (32, 16, 8))

    def call(name, result, *args):
        kinds = ir.FunctionType(result, [v.type for v in args])
        function = builder.module.globals.get(name) or ir.Function(builder.module, kinds, name)
        return builder.call(function, args)

    if kind == "generic":
        longer = ir.VectorType(ir.IntType(32), lanes * 4)
        products = builder.mul(
            builder.zext(builder.bitcast(a, i8), longer), builder.sext(builder.bitcast(q, i8), longer)
        )
        for part in range(4):
            every_fourth = ir.Constant(i32, [4 * lane + part for lane in range(lanes)])
            total = builder.add(total, builder.shuffle_vector(products, products, every_fourth))
        return total
    if kind != "avx2":
        return call(f"llvm.x86.avx512.vpdpbusd.{lanes * 32}", i32, total, a, q)
    pairs = call("llvm.x86.avx2.pmadd.ub.sw", i16, builder.bitcast(a, i8), builder.bitcast(q, i8))
    ones = ir.Constant(i16, [1] * (2 * lanes))
    return builder.add(total, call("llvm.x86.avx2.pmadd.wd", i32, pairs, ones))


def _register_block(rows: int, vectors: int = VECTORS):
    """An intrinsic: rows × `vectors` vectors of out, at (row, block), from one of the block's vectors on."""

    @intrinsic
    def block(typingctx, a, packed, first, out, row, at, vector):
        def generate(context, builder, signature, args):
            kind, lanes = instruction(), width()
            i8, i32, i64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
            vector = ir.VectorType(i32, lanes)
            arrays = [context.make_array(t)(context, builder, v) for t, v in zip(signature.args[:4], args[:4])]
            bytes_of = [builder.bitcast(array.data, i8.as_pointer()) for array in arrays]
            inputs = builder.extract_value(arrays[0].shape, 1)
            outputs = builder.extract_value(arrays[3].shape, 1)
            constant = lambda value: ir.Constant(i64, value)  # noqa: E731
            quads = builder.udiv(inputs, constant(4))
            at_row, at_block, at_vector = args[4:7]

            def load(base, offset, kind_of, align):
                place = builder.gep(base, [offset], source_etype=i8)
                return builder.load(builder.bitcast(place, kind_of.as_pointer()), typ=kind_of, align=align)

            step = constant(VECTORS * lanes * 4)
            start = builder.mul(at_block, step)
            sums = []
            for v in range(vectors):
                value = load(bytes_of[2], builder.add(start, constant(v * lanes * 4)), vector, 4)
                sums.append(value)
            weights = builder.mul(builder.mul(at_block, quads), step)
            weights = builder.add(weights, builder.mul(at_vector, constant(lanes * 4)))
            rows_at = [builder.mul(builder.add(at_row, constant(m)), inputs) for m in range(rows)]

            before = builder.block
            loop = builder.append_basic_block("products")
            after = builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(i64)
            k.add_incoming(constant(0), before)
            totals = [builder.phi(vector) for _ in range(rows * vectors)]
            for number, total in enumerate(totals):
                total.add_incoming(sums[number % vectors], before)
            here = builder.add(weights, builder.mul(k, step))
            loaded = [load(bytes_of[1], builder.add(here, constant(v * lanes * 4)), vector, 4) for v in range(vectors)]
            new = []
            for m in range(rows):
                quad = load(bytes_of[0], builder.add(rows_at[m], builder.mul(k, constant(4))), i32, 1)
                one = builder.insert_element(ir.Constant(vector, ir.Undefined), quad, ir.Constant(i32, 0))
                all_same = ir.Constant(ir.VectorType(i32, lanes), [0] * lanes)
                spread = builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), all_same)
                mine = totals[m * vectors : (m + 1) * vectors]
                new += [_add_products(builder, kind, total, spread, q) for total, q in zip(mine, loaded)]
            for total, value in zip(totals, new):
                total.add_incoming(value, builder.block)
            following = builder.add(k, constant(1))
            k.add_incoming(following, builder.block)
            builder.cbranch(builder.icmp_unsigned("<", following, quads), loop, after)
            builder.position_at_end(after)
            for m in range(rows):
                row_start = builder.mul(builder.mul(builder.add(at_row, constant(m)), outputs), constant(4))
                for v in range(vectors):
                    offset = builder.add(row_start, builder.add(start, constant(v * lanes * 4)))
                    place = builder.gep(bytes_of[3], [offset], source_etype=i8)
                    builder.store(new[m * vectors + v], builder.bitcast(place, vector.as_pointer()), align=4)
            return context.get_dummy_value()

        i64 = numba.types.int64
        signature = numba.types.none(a, packed, first, out, i64, i64, i64)
        return signature, generate

    return block


#: of register blocks, the tallest first
TALL, LOW = (6, 3) if "+avx512vl" in _features() else (2, 2)
_tall, _low, _one = _register_block(TALL), _register_block(LOW), _register_block(1)
_vector = _register_block(1, 1)


@jit.njit(nogil=True, **jit.NO_ALLOCATION)
def product(a, packed, first, out):
    """out [n, N'] int32 = (a − 128) · qᵀ for a uint8 [n, K] C-contiguous, K a multiple of 4."""
    if a.shape[1] != packed.shape[1] * 4 or out.shape[1] != first.shape[0] or out.shape[0] < a.shape[0]:
        raise ValueError("the shapes of a product do not fit")
    for block in range(packed.shape[0]):
        row = 0
        while row + TALL <= a.shape[0]:
            _tall(a, packed, first, out, row, block, 0)
            row += TALL
        while row + LOW <= a.shape[0]:
            _low(a, packed, first, out, row, block, 0)
            row += LOW
        while row < a.shape[0]:
            _one(a, packed, first, out, row, block, 0)
            row += 1


@jit.njit(nogil=True, **jit.NO_ALLOCATION)
def product_within(a, packed, first, start, stop, out):
    """`product` for one row a [1, K], of its outputs start … stop − 1 only: gives back where in out [1, …] they begin. It writes
    whole vectors; out has room for one more than stop − start fill."""
    width = packed.shape[2] // VECTORS
    before, last = start // width, (stop - 1) // width
    room = (last + 1 - before) * width
    if a.shape[1] != packed.shape[1] * 4 or out.shape[1] < room or (last + 1) * width > first.shape[0]:
        raise ValueError("the shapes of a product do not fit")
    for vector in range(before, last + 1):
        block, here, there = vector // VECTORS, vector * width, (vector - before) * width
        these, sums, target = packed[block : block + 1], first[here : here + width], out[:, there : there + width]
        _vector(a, these, sums, target, 0, 0, vector % VECTORS)
    return start - before * width

/* The integer matrix product a q^T, 8-bit activations and 7-bit weights, in registers. Integer sums have one right
 * answer, whatever the instruction and the order.
 *
 * Weights int8 [N, K] are packed to [N / OUTPUT_BLOCK, K / 4, OUTPUT_BLOCK, 4], N and K rounded up and filled with
 * zeros. A register block is PRODUCT_ROWS rows by OUTPUT_BLOCK outputs: each weight that is loaded serves PRODUCT_ROWS
 * rows (Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication", section 6). Signed activations
 * are stored as bytes a + OFFSET. Activations after a squared ReLU are stored as bytes 0 ... 127; most are 0, so quads
 * of four zeros are skipped. */
#ifndef TP_PRODUCT_H
#define TP_PRODUCT_H

#include "product_sums.h"

/* To which inputs are filled up with zeros. */
#define INPUTS_PAD (WEIGHT_OFFSET ? 32 : 4)

#define BLOCK_VECTORS 4
#define OUTPUT_BLOCK (BLOCK_VECTORS * FLOATS)
/* Most inputs of a product: 2^16 * 255 * 64 < 2^31; rows that are multiplied together. */
#define MAX_INPUTS (1 << 16)
#define MAX_ROWS 64

/* Packed weights of N outputs (a multiple of OUTPUT_BLOCK) and K inputs (of INPUTS_PAD). `first`: what the sums of each output start
 * from, or, with AVX2, what product_pairs.h knows of its weights. */
typedef struct {
    int64_t outputs, inputs;
    int8_t *weights;
    int32_t *first;
    bool nonnegative; /* for activations that are never negative */
} packed_weights;

INLINE int64_t packed_outputs(int64_t outputs) { return (outputs + OUTPUT_BLOCK - 1) / OUTPUT_BLOCK * OUTPUT_BLOCK; }
INLINE int64_t packed_inputs(int64_t inputs) { return (inputs + INPUTS_PAD - 1) / INPUTS_PAD * INPUTS_PAD; }

#if WEIGHT_OFFSET
#include "product_pairs.h"
INLINE int32_t first_of(const int8_t *q, int64_t inputs) { return largest_square(q, inputs); }
#else
INLINE int32_t first_of(const int8_t *q, int64_t inputs) {
    int32_t sum = 0;
    for (int64_t k = 0; k < inputs && OFFSET != 0; k++) sum += q[k];
    return -OFFSET * sum;
}
#endif

/* Weights of 0 everywhere. */
INLINE void pack_zeros(packed_weights *p) {
    memset(p->weights, p->nonnegative ? 0 : WEIGHT_OFFSET, (size_t)(p->outputs * p->inputs));
    memset(p->first, 0, (size_t)p->outputs * 4);
}

/* Write one output's weights q [inputs], over zeros or former weights. */
INLINE void pack_row(packed_weights *p, int64_t output, const int8_t *q, int64_t inputs) {
    const bool moved = WEIGHT_OFFSET != 0 && !p->nonnegative; /* q + 64 of seven bits, without a carry to the next */
    const uint32_t low = moved ? 0x7F7F7F7Fu : ~0u, offset = moved ? 0x40404040u : 0;
    int8_t *to = p->weights + (output / OUTPUT_BLOCK * (p->inputs / 4) * OUTPUT_BLOCK + output % OUTPUT_BLOCK) * 4;
    int64_t quad = 0;
    for (; quad < inputs / 4; quad++) store32(to + quad * OUTPUT_BLOCK * 4, (load32(q + quad * 4) & low) ^ offset);
    for (int64_t k = 4 * quad; k < inputs; k++) to[quad * OUTPUT_BLOCK * 4 + k % 4] = (int8_t)(((uint8_t)q[k] & (low & 255)) ^ (offset & 255));
    p->first[output] = p->nonnegative ? 0 : first_of(q, inputs);
}

/* The same of many outputs, from `output` on, whose weights are q [count, inputs]: some rows at a time, so that what is written lies
 * together. */
static UNUSED void pack_rows(packed_weights *p, int64_t output, const int8_t *q, int64_t count, int64_t inputs) {
    enum { AT_A_TIME = 16 };
    const bool moved = WEIGHT_OFFSET != 0 && !p->nonnegative;
    const uint32_t low = moved ? 0x7F7F7F7Fu : ~0u, offset = moved ? 0x40404040u : 0;
    int64_t v = 0;
    for (; v < count && (output + v) % AT_A_TIME; v++) pack_row(p, output + v, q + v * inputs, inputs);
    for (; v + AT_A_TIME <= count; v += AT_A_TIME) {
        const int8_t *from = q + v * inputs;
        int8_t *to = p->weights + ((output + v) / OUTPUT_BLOCK * (p->inputs / 4) * OUTPUT_BLOCK + (output + v) % OUTPUT_BLOCK) * 4;
        if (inputs % 4) {
            for (int64_t i = 0; i < AT_A_TIME; i++) pack_row(p, output + v + i, from + i * inputs, inputs);
            continue;
        }
        for (int64_t k = 0; k < inputs; k += 4, to += OUTPUT_BLOCK * 4)
            for (int64_t i = 0; i < AT_A_TIME; i++) store32(to + 4 * i, (load32(from + i * inputs + k) & low) ^ offset);
        for (int64_t i = 0; i < AT_A_TIME && !p->nonnegative; i++) p->first[output + v + i] = first_of(from + i * inputs, inputs);
    }
    for (; v < count; v++) pack_row(p, output + v, q + v * inputs, inputs);
}

#if !WEIGHT_OFFSET
/* Each sum is a variable of its own: compilers keep arrays in memory. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define START_ROW(m) sums of_##m##_0 = first_0, of_##m##_1 = first_1, of_##m##_2 = first_2, of_##m##_3 = first_3;
#define ADD_ROW(m)                                                                                                                   \
    if (rows > m) {                                                                                                                  \
        quad_of quad = spread(a + m * stride + 4 * k);                                                                               \
        of_##m##_0 = add_products(of_##m##_0, quad, q0), of_##m##_1 = add_products(of_##m##_1, quad, q1);                             \
        of_##m##_2 = add_products(of_##m##_2, quad, q2), of_##m##_3 = add_products(of_##m##_3, quad, q3);                             \
    }
#define STORE_ROW(m)                                                                                                                 \
    if (rows > m) {                                                                                                                  \
        int32_t *to = out + m * out_stride;                                                                                          \
        store_sums(to, of_##m##_0), store_sums(to + FLOATS, of_##m##_1);                                                              \
        store_sums(to + 2 * FLOATS, of_##m##_2), store_sums(to + 3 * FLOATS, of_##m##_3);                                              \
    }

/* `rows` (a constant, at most PRODUCT_ROWS) rows of one block of outputs. */
INLINE void product_block(
    const int rows, const uint8_t *a, int64_t stride, const int8_t *weights, const int32_t *first, int64_t quads, int32_t *out,
    int64_t out_stride
) {
#if OFFSET
    const sums first_0 = load_sums(first), first_1 = load_sums(first + FLOATS);
    const sums first_2 = load_sums(first + 2 * FLOATS), first_3 = load_sums(first + 3 * FLOATS);
#else
    const sums first_0 = no_sums(), first_1 = no_sums(), first_2 = no_sums(), first_3 = no_sums();
    (void)first;
#endif
    EACH_ROW(START_ROW)
    for (int64_t k = 0; k < quads; k++, weights += 4 * OUTPUT_BLOCK) {
        const weights_of q0 = load_weights(weights), q1 = load_weights(weights + 4 * FLOATS);
        const weights_of q2 = load_weights(weights + 8 * FLOATS), q3 = load_weights(weights + 12 * FLOATS);
        EACH_ROW(ADD_ROW)
    }
    EACH_ROW(STORE_ROW)
}

/* out [n, outputs] int32 of bytes a + OFFSET [n, stride], the first `inputs` of each row; at most MAX_ROWS rows. */
static UNUSED void product(const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride) {
    int64_t quads = p->inputs / 4, parts = (n + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
    for (int64_t block = 0; block < p->outputs / OUTPUT_BLOCK; block++) {
        const int8_t *weights = p->weights + block * quads * OUTPUT_BLOCK * 4;
        const int32_t *first = p->first + block * OUTPUT_BLOCK;
        for (int64_t part = 0, row = 0; part < parts; part++) {
            int64_t rows = (n - row + parts - part - 1) / (parts - part); /* parts of nearly the same height */
            const uint8_t *of_a = a + row * stride;
            int32_t *to = out + row * out_stride + block * OUTPUT_BLOCK;
            switch (rows) {
#define TP_CASE(R) \
    case R: product_block(R < PRODUCT_ROWS ? R : PRODUCT_ROWS, of_a, stride, weights, first, quads, to, out_stride); break
                TP_CASE(1);
                TP_CASE(2);
                TP_CASE(3);
                TP_CASE(4);
                TP_CASE(5);
                TP_CASE(6);
#undef TP_CASE
            }
            row += rows;
        }
    }
}
#endif

#if defined(__AVX2__)
/* Where the ones of four bits stand, times 4. */
static const uint32_t places_of_ones[16] = {
    0,   0,     0x4,   0x400,   0x8,   0x800,   0x804,   0x80400, /* below 8 */
    0xC, 0xC00, 0xC04, 0xC0400, 0xC08, 0xC0800, 0xC0804, 0xC080400,
};
/* Write them, from `base` on; four numbers are written, of which the next call overwrites the rest. */
INLINE uint32_t *put_places(uint32_t *to, uint32_t ones, uint32_t base) {
    const __m128i at = _mm_cvtepu8_epi32(_mm_cvtsi32_si128((int32_t)places_of_ones[ones]));
    _mm_storeu_si128((__m128i *)to, _mm_add_epi32(at, _mm_set1_epi32((int32_t)base)));
    return to + __builtin_popcount(ones);
}
#endif

/* Where the quads of a row begin that are not all 0; their number. */
INLINE int64_t find_quads(const uint8_t *row, int64_t quads, uint32_t *room) {
    uint32_t *to = room;
    int64_t k = 0;
#if defined(__AVX2__)
    for (; k + 8 <= quads; k += 8) {
        const __m256i none = _mm256_cmpeq_epi32(_mm256_loadu_si256((const __m256i *)(row + 4 * k)), _mm256_setzero_si256());
        const uint32_t some = 0xFF ^ (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(none));
        to = put_places(to, some & 15, 4 * (uint32_t)k);
        to = put_places(to, some >> 4, 4 * (uint32_t)k + 16);
    }
#endif
    for (; k < quads; k++) {
        *to = 4 * (uint32_t)k;
        to += load32(row + 4 * k) != 0;
    }
    return to - room;
}

/* One row of a block: the quads that are not all 0, two at a time. */
INLINE void product_of_quads(const uint8_t *a, const uint32_t *some, int64_t count, const int8_t *weights, int32_t *out) {
    sums one[BLOCK_VECTORS], two[BLOCK_VECTORS];
    for (int v = 0; v < BLOCK_VECTORS; v++) one[v] = two[v] = no_sums();
    int64_t k = 0;
    for (; k + 2 <= count; k += 2) {
        const quad_of x = spread(a + some[k]), y = spread(a + some[k + 1]);
        const int8_t *q = weights + (size_t)some[k] * OUTPUT_BLOCK, *p = weights + (size_t)some[k + 1] * OUTPUT_BLOCK;
        UNROLL for (int v = 0; v < BLOCK_VECTORS; v++) {
#if WEIGHT_OFFSET
            one[v] = add_products_twice(one[v], x, y, load_weights(q + v * FLOATS * 4), load_weights(p + v * FLOATS * 4));
#else
            one[v] = add_products(one[v], x, load_weights(q + v * FLOATS * 4));
            two[v] = add_products(two[v], y, load_weights(p + v * FLOATS * 4));
#endif
        }
    }
    if (k < count)
        for (int v = 0; v < BLOCK_VECTORS; v++)
            one[v] = add_products(
                one[v], spread(a + some[k]), load_weights(weights + (size_t)some[k] * OUTPUT_BLOCK + v * FLOATS * 4)
            );
    for (int v = 0; v < BLOCK_VECTORS; v++) {
#if WEIGHT_OFFSET
        store_sums(out + v * FLOATS, one[v]);
        (void)two;
#else
        int32_t more[FLOATS];
        store_sums(out + v * FLOATS, one[v]);
        store_sums(more, two[v]);
        vi_store(out + v * FLOATS, vi_load(out + v * FLOATS) + vi_load(more));
#endif
    }
}

/* The same as `product`, of bytes 0 ... 127; `room` is for n * (inputs / 4 + 4) numbers. */
static UNUSED void product_of_nonnegative(
    const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride, uint32_t *room
) {
    const int64_t quads = p->inputs / 4, each = quads + 4; /* some are written past the last one */
    int64_t counts[MAX_ROWS];
    for (int64_t i = 0; i < n; i++) counts[i] = find_quads(a + i * stride, quads, room + i * each);
    for (int64_t block = 0; block < p->outputs / OUTPUT_BLOCK; block++)
        for (int64_t i = 0; i < n; i++) {
            int32_t *to = out + i * out_stride + block * OUTPUT_BLOCK;
            product_of_quads(a + i * stride, room + i * each, counts[i], p->weights + block * quads * OUTPUT_BLOCK * 4, to);
        }
}

#endif

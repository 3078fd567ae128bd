/* The integer matrix product a q^T, 8-bit activations and 7-bit weights, in registers.
 *
 * One operand of the instructions is unsigned, so an activation a is the byte a + 128, and the sums start from -128 sum_k q.
 * Activations that are never negative (squared_relu) are bytes without that offset. Integer sums have one right answer, whatever
 * the instruction:
 *
 *     vpdpbusd      four products u8 * s8 added to an int32
 *     vpmaddubsw    two products u8 * s8 added to an int16: at most 255 * 64 * 2 < 2^15, never saturated
 *     sdot          four products s8 * s8
 *
 * Weights int8 [N, K] are packed to [N / BLOCK, K / 4, BLOCK, 4], N and K rounded up and filled with zeros. A register block is ROWS
 * rows by BLOCK outputs: each weight that is loaded serves ROWS rows (Goto & van de Geijn 2008, "Anatomy of high-performance matrix
 * multiplication", section 6). */
#ifndef TP_PRODUCT_H
#define TP_PRODUCT_H

#include "vectors.h"

#define VECTORS 4
#define BLOCK (VECTORS * LANES)
#define OFFSET 128
#if defined(__AVX512F__)
#define ROWS 6
#elif defined(__AVX2__)
#define ROWS 2
#elif defined(__aarch64__)
#define ROWS 4
#else
#define ROWS 2
#endif
/* Most inputs of a product: 2^16 * 255 * 64 < 2^31. */
#define MOST_INPUTS (1 << 16)

/* Packed weights; `first` is what the sums of each output start from, `outputs` a multiple of BLOCK, `inputs` of 4. */
typedef struct {
    int64_t outputs, inputs;
    int8_t *weights;
    int32_t *first;
} packed_weights;

INLINE int64_t packed_outputs(int64_t outputs) { return (outputs + BLOCK - 1) / BLOCK * BLOCK; }
INLINE int64_t packed_inputs(int64_t inputs) { return (inputs + 3) & ~(int64_t)3; }

/* Where the four weights of inputs 4 * quad ... of an output lie. */
INLINE int8_t *packed_quad(const packed_weights *p, int64_t output, int64_t quad) {
    return p->weights + ((output / BLOCK * (p->inputs / 4) + quad) * BLOCK + output % BLOCK) * 4;
}

/* Write one output's weights q [inputs]; sets its first sum. */
INLINE void pack_row(packed_weights *p, int64_t output, const int8_t *q, int64_t inputs) {
    int32_t sum = 0;
    int8_t *to = packed_quad(p, output, 0);
    int64_t quad = 0;
    for (int64_t k = 0; k < inputs; k++) sum += q[k];
    for (; quad < inputs / 4; quad++) memcpy(to + quad * BLOCK * 4, q + quad * 4, 4);
    if (inputs % 4) memcpy(to + quad * BLOCK * 4, q + quad * 4, (size_t)(inputs % 4));
#if defined(__aarch64__)
    p->first[output] = 0;
#else
    p->first[output] = -OFFSET * sum;
#endif
}

/* total + the four products of bytes a (the same quad everywhere) and weights q in each 32 bits. */
#if defined(__AVX512VNNI__)
typedef __m512i sums, weights_of, quad_of;
INLINE weights_of load_weights(const int8_t *q) { return _mm512_loadu_si512(q); }
/* gcc 12 keeps what its intrinsic adds to in memory. */
INLINE sums add_products(sums total, __m512i a, weights_of q) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(a), "v"(q));
    return total;
}
INLINE __m512i spread(const uint8_t *a, UNUSED uint32_t offset) { return _mm512_set1_epi32((int32_t)load32(a)); }
#elif defined(__AVX2__)
typedef __m256i sums, weights_of, quad_of;
INLINE weights_of load_weights(const int8_t *q) { return _mm256_loadu_si256((const __m256i *)q); }
/* So that the compiler keeps a sum in one register. */
INLINE sums add_in_place(sums total, __m256i more) {
    __asm__("vpaddd %1, %0, %0" : "+x"(total) : "x"(more));
    return total;
}
INLINE sums add_products(sums total, __m256i a, weights_of q) {
    return add_in_place(total, _mm256_madd_epi16(_mm256_maddubs_epi16(a, q), _mm256_set1_epi16(1)));
}
INLINE __m256i spread(const uint8_t *a, UNUSED uint32_t offset) { return _mm256_set1_epi32((int32_t)load32(a)); }
/* Of activations 0 ... 127, two pair sums fit an int16: one widening serves eight products. */
INLINE sums add_products_twice(sums total, __m256i a, __m256i b, weights_of q, weights_of p) {
    __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(a, q), _mm256_maddubs_epi16(b, p));
    return add_in_place(total, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#elif defined(__SSE2__)
typedef struct {
    __m128i low, high; /* of outputs 0, 1 and 2, 3: two partial sums each */
} sums, weights_of;
typedef __m128i quad_of;
INLINE weights_of load_weights(const int8_t *q) {
    __m128i w = _mm_loadu_si128((const __m128i *)q), sign = _mm_cmpgt_epi8(_mm_setzero_si128(), w);
    return (weights_of){_mm_unpacklo_epi8(w, sign), _mm_unpackhi_epi8(w, sign)};
}
INLINE sums add_products(sums total, __m128i a, weights_of q) {
    total.low = _mm_add_epi32(total.low, _mm_madd_epi16(a, q.low));
    total.high = _mm_add_epi32(total.high, _mm_madd_epi16(a, q.high));
    return total;
}
INLINE __m128i spread(const uint8_t *a, UNUSED uint32_t offset) {
    return _mm_unpacklo_epi8(_mm_set1_epi32((int32_t)load32(a)), _mm_setzero_si128());
}
#elif defined(__ARM_FEATURE_DOTPROD)
typedef int32x4_t sums;
typedef int8x16_t weights_of, quad_of;
INLINE weights_of load_weights(const int8_t *q) { return vld1q_s8(q); }
INLINE sums add_products(sums total, int8x16_t a, int8x16_t q) { return vdotq_s32(total, a, q); }
INLINE int8x16_t spread(const uint8_t *a, uint32_t offset) { return vreinterpretq_s8_u32(vdupq_n_u32(load32(a) ^ offset)); }
#else
typedef vi sums;
typedef struct {
    int32_t each[4];
} quad_of;
typedef const int8_t *weights_of;
INLINE weights_of load_weights(const int8_t *q) { return q; }
INLINE sums add_products(sums total, quad_of a, const int8_t *q) {
    for (int v = 0; v < LANES; v++)
        total[v] += a.each[0] * q[4 * v] + a.each[1] * q[4 * v + 1] + a.each[2] * q[4 * v + 2] + a.each[3] * q[4 * v + 3];
    return total;
}
#if defined(__aarch64__)
INLINE quad_of spread(const uint8_t *a, uint32_t offset) {
    int32_t o = (int32_t)(offset & 255);
    return (quad_of){{a[0] - o, a[1] - o, a[2] - o, a[3] - o}};
}
#else
INLINE quad_of spread(const uint8_t *a, UNUSED uint32_t offset) { return (quad_of){{a[0], a[1], a[2], a[3]}}; }
#endif
#endif

#if defined(__SSE2__) && !defined(__AVX2__)
INLINE sums first_sums(const int32_t *first, bool signed_a) {
    sums s = {_mm_setzero_si128(), _mm_setzero_si128()};
    if (signed_a) {
        __m128i f = _mm_loadu_si128((const __m128i *)first), none = _mm_setzero_si128();
        s = (sums){_mm_unpacklo_epi32(f, none), _mm_unpackhi_epi32(f, none)};
    }
    return s;
}
INLINE void store_sums(int32_t *out, sums s) {
    __m128 low = _mm_castsi128_ps(s.low), high = _mm_castsi128_ps(s.high);
    __m128i even = _mm_castps_si128(_mm_shuffle_ps(low, high, 0x88)), odd = _mm_castps_si128(_mm_shuffle_ps(low, high, 0xDD));
    _mm_storeu_si128((__m128i *)out, _mm_add_epi32(even, odd));
}
#else
INLINE sums first_sums(const int32_t *first, bool signed_a) { return (sums)(signed_a ? vi_load(first) : (vi){0}); }
INLINE void store_sums(int32_t *out, sums s) { vi_store(out, (vi)s); }
#endif

/* `rows` (a constant, at most ROWS) rows of one block of outputs. Each sum is a variable of its own: compilers keep arrays in memory. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define START_ROW(m) sums of_##m##_0 = first_0, of_##m##_1 = first_1, of_##m##_2 = first_2, of_##m##_3 = first_3;
#define ADD_ROW(m)                                                                                                                   \
    if (rows > m) {                                                                                                                  \
        quad_of quad = spread(a + m * stride + 4 * k, offset);                                                                       \
        of_##m##_0 = add_products(of_##m##_0, quad, q0), of_##m##_1 = add_products(of_##m##_1, quad, q1);                             \
        of_##m##_2 = add_products(of_##m##_2, quad, q2), of_##m##_3 = add_products(of_##m##_3, quad, q3);                             \
    }
#define ADD_ROW_TWICE(m)                                                                                                             \
    if (rows > m) {                                                                                                                  \
        quad_of quad = spread(a + m * stride + 4 * k, offset), next = spread(a + m * stride + 4 * k + 4, offset);                    \
        of_##m##_0 = add_products_twice(of_##m##_0, quad, next, q0, p0);                                                             \
        of_##m##_1 = add_products_twice(of_##m##_1, quad, next, q1, p1);                                                             \
        of_##m##_2 = add_products_twice(of_##m##_2, quad, next, q2, p2);                                                             \
        of_##m##_3 = add_products_twice(of_##m##_3, quad, next, q3, p3);                                                             \
    }
#define STORE_ROW(m)                                                                                                                 \
    if (rows > m) {                                                                                                                  \
        int32_t *to = out + m * out_stride;                                                                                          \
        store_sums(to, of_##m##_0), store_sums(to + LANES, of_##m##_1);                                                              \
        store_sums(to + 2 * LANES, of_##m##_2), store_sums(to + 3 * LANES, of_##m##_3);                                              \
    }
#define LOAD_WEIGHTS(w, at)                                                                                                          \
    weights_of w##0 = load_weights(at), w##1 = load_weights((at) + 4 * LANES);                                                       \
    weights_of w##2 = load_weights((at) + 8 * LANES), w##3 = load_weights((at) + 12 * LANES)

INLINE void product_block(
    const int rows, const bool signed_a, const uint8_t *a, int64_t stride, const int8_t *weights, const int32_t *first,
    int64_t quads, int32_t *out, int64_t out_stride
) {
    const uint32_t offset = signed_a ? 0x80808080u : 0;
    const sums first_0 = first_sums(first, signed_a), first_1 = first_sums(first + LANES, signed_a);
    const sums first_2 = first_sums(first + 2 * LANES, signed_a), first_3 = first_sums(first + 3 * LANES, signed_a);
    EACH_ROW(START_ROW)
    int64_t k = 0;
#if defined(__AVX2__) && !defined(__AVX512VNNI__)
    if (!signed_a)
        for (; k + 2 <= quads; k += 2, weights += 8 * BLOCK) {
            LOAD_WEIGHTS(q, weights);
            LOAD_WEIGHTS(p, weights + 4 * BLOCK);
            EACH_ROW(ADD_ROW_TWICE)
        }
#endif
    for (; k < quads; k++, weights += 4 * BLOCK) {
        LOAD_WEIGHTS(q, weights);
        EACH_ROW(ADD_ROW)
    }
    EACH_ROW(STORE_ROW)
}

/* out [n, outputs] int32 of bytes a [n, stride], the first `inputs` of each row. `signed_a`: they are a + 128, else 0 ... 127. */
INLINE void product_as(
    const bool signed_a, const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride
) {
    int64_t quads = p->inputs / 4, parts = (n + ROWS - 1) / ROWS;
    for (int64_t block = 0; block < p->outputs / BLOCK; block++) {
        const int8_t *weights = p->weights + block * quads * BLOCK * 4;
        const int32_t *first = p->first + block * BLOCK;
        for (int64_t part = 0, row = 0; part < parts; part++) {
            int64_t rows = (n - row + parts - part - 1) / (parts - part); /* parts of nearly the same height */
            const uint8_t *of_a = a + row * stride;
            int32_t *to = out + row * out_stride + block * BLOCK;
            switch (rows) {
#define TP_CASE(R) \
    case R: product_block(R < ROWS ? R : ROWS, signed_a, of_a, stride, weights, first, quads, to, out_stride); break
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
static UNUSED void product(const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride) {
    product_as(true, a, stride, n, p, out, out_stride);
}
static UNUSED void product_of_nonnegative(
    const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride
) {
    product_as(false, a, stride, n, p, out, out_stride);
}

#endif

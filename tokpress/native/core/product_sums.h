/* The instructions of an integer product. A register `sums` holds FLOATS outputs. One operation adds to each output the
 * dot product of four activations (a quad, the same for all outputs) with four of its weights. x86 instructions need
 * one unsigned operand, so an offset is added to the activations or the weights; the initial sums cancel it.
 *
 *     vpdpbusd      (AVX-512 VNNI) four products u8 * s8 added to an int32    activations a + 128
 *     vpmaddubsw    (AVX2) two products u8 * s8 added to an int16    weights q + 64, or activations >= 0
 *     pmaddwd       (SSE2) two products of int16 added to an int32
 *     sdot          (NEON) four products s8 * s8 added to an int32 */
#ifndef TP_PRODUCT_SUMS_H
#define TP_PRODUCT_SUMS_H

#include "vectors.h"

/* OFFSET: added to signed activations. WEIGHT_OFFSET: added to their weights. PRODUCT_ROWS: rows that use each loaded
 * weight. */
#if defined(__AVX512VNNI__)
#define OFFSET 128
#define WEIGHT_OFFSET 0
#define PRODUCT_ROWS 6
#elif defined(__AVX2__)
#define OFFSET 0
#define WEIGHT_OFFSET 64
#define PRODUCT_ROWS 2
#elif defined(__aarch64__)
#define OFFSET 0
#define WEIGHT_OFFSET 0
#define PRODUCT_ROWS 4
#else
#define OFFSET 0
#define WEIGHT_OFFSET 0
#define PRODUCT_ROWS 2
#endif

#if defined(__AVX512VNNI__)
typedef __m512i sums, weights_of, quad_of;
INLINE sums no_sums(void) { return _mm512_setzero_si512(); }
INLINE sums all_sums(int32_t x) { return _mm512_set1_epi32(x); }
INLINE sums load_sums(const int32_t *from) { return _mm512_loadu_si512(from); }
INLINE void store_sums(int32_t *to, sums s) { _mm512_storeu_si512(to, s); }
INLINE weights_of load_weights(const int8_t *q) { return _mm512_loadu_si512(q); }
INLINE quad_of spread(const uint8_t *a) { return _mm512_set1_epi32((int32_t)load32(a)); }
/* gcc 12 keeps what its intrinsic adds to in memory. */
INLINE sums add_products(sums total, quad_of a, weights_of q) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(a), "v"(q));
    return total;
}
#elif defined(__AVX2__)
typedef __m256i sums, weights_of, quad_of;
INLINE sums no_sums(void) { return _mm256_setzero_si256(); }
INLINE sums all_sums(int32_t x) { return _mm256_set1_epi32(x); }
INLINE sums load_sums(const int32_t *from) { return _mm256_loadu_si256((const __m256i *)from); }
INLINE void store_sums(int32_t *to, sums s) { _mm256_storeu_si256((__m256i *)to, s); }
INLINE weights_of load_weights(const int8_t *q) { return _mm256_loadu_si256((const __m256i *)q); }
INLINE quad_of spread(const uint8_t *a) { return _mm256_set1_epi32((int32_t)load32(a)); }
/* So that the compiler keeps a sum in one register. */
INLINE sums add_pairs(sums total, __m256i pairs) {
    __m256i more = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __asm__("vpaddd %1, %0, %0" : "+x"(total) : "x"(more));
    return total;
}
/* Of weights q + 64 and activations of either sign; of weights of either sign and activations 0 ... 127. A pair sum is at most
 * 127 * 127 * 2 < 2^15. */
INLINE sums add_signed(sums total, quad_of a, weights_of q) { return add_pairs(total, _mm256_maddubs_epi16(q, a)); }
INLINE sums add_products(sums total, quad_of a, weights_of q) { return add_pairs(total, _mm256_maddubs_epi16(a, q)); }
/* Of two quads at once: with activations 0 ... 127, four products fit an int16. */
INLINE sums add_products_twice(sums total, quad_of a, quad_of b, weights_of q, weights_of p) {
    return add_pairs(total, _mm256_add_epi16(_mm256_maddubs_epi16(a, q), _mm256_maddubs_epi16(b, p)));
}
#elif defined(__SSE2__)
typedef struct {
    __m128i low, high; /* of outputs 0, 1 and 2, 3: two partial sums each */
} sums, weights_of;
typedef __m128i quad_of;
INLINE sums no_sums(void) { return (sums){_mm_setzero_si128(), _mm_setzero_si128()}; }
INLINE void store_sums(int32_t *to, sums s) {
    __m128 low = _mm_castsi128_ps(s.low), high = _mm_castsi128_ps(s.high);
    __m128i even = _mm_castps_si128(_mm_shuffle_ps(low, high, 0x88)), odd = _mm_castps_si128(_mm_shuffle_ps(low, high, 0xDD));
    _mm_storeu_si128((__m128i *)to, _mm_add_epi32(even, odd));
}
INLINE __m128i widened_low(__m128i bytes) { return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8); }
INLINE weights_of load_weights(const int8_t *q) {
    __m128i w = _mm_loadu_si128((const __m128i *)q);
    return (weights_of){widened_low(w), _mm_srai_epi16(_mm_unpackhi_epi8(w, w), 8)};
}
INLINE quad_of spread(const uint8_t *a) { return widened_low(_mm_set1_epi32((int32_t)load32(a))); }
INLINE sums add_products(sums total, quad_of a, weights_of q) {
    total.low = _mm_add_epi32(total.low, _mm_madd_epi16(a, q.low));
    total.high = _mm_add_epi32(total.high, _mm_madd_epi16(a, q.high));
    return total;
}
#elif defined(__ARM_FEATURE_DOTPROD)
typedef int32x4_t sums;
typedef int8x16_t weights_of, quad_of;
INLINE sums no_sums(void) { return vdupq_n_s32(0); }
INLINE void store_sums(int32_t *to, sums s) { vst1q_s32(to, s); }
INLINE weights_of load_weights(const int8_t *q) { return vld1q_s8(q); }
INLINE quad_of spread(const uint8_t *a) { return vreinterpretq_s8_u32(vdupq_n_u32(load32(a))); }
INLINE sums add_products(sums total, quad_of a, weights_of q) { return vdotq_s32(total, a, q); }
#else
typedef vi sums;
typedef const int8_t *weights_of;
typedef struct {
    int32_t each[4];
} quad_of;
INLINE sums no_sums(void) { return (sums){0}; }
INLINE void store_sums(int32_t *to, sums s) { vi_store(to, s); }
INLINE weights_of load_weights(const int8_t *q) { return q; }
INLINE quad_of spread(const uint8_t *a) { return (quad_of){{(int8_t)a[0], (int8_t)a[1], (int8_t)a[2], (int8_t)a[3]}}; }
INLINE sums add_products(sums total, quad_of a, weights_of q) {
    for (int v = 0; v < FLOATS; v++)
        total[v] += a.each[0] * q[4 * v] + a.each[1] * q[4 * v + 1] + a.each[2] * q[4 * v + 2] + a.each[3] * q[4 * v + 3];
    return total;
}
#endif

#endif

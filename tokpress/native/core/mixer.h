/* A mixer: online logistic regression over int16 inputs (Mahoney, Florida Tech CS-2005-16).
 *
 *     x = sum_i w_i · input_i        p = squash(x)        w_i += rate / 2^9 · (bit - p) · input_i
 *
 * w is the sum of several rows of weights. A context selects each row: a row with few choices learns what holds in
 * general, a row with many choices learns special cases. All rows get the same update. 2^14 is a weight of 1; inputs
 * are in 1/128 octave and x in 1/256, hence >> 13. With at most 16 inputs of log-odds and 16 of p - 1/2
 * (counters.h) and one constant of MIXER_ONE, |x| stays below 2^31: 16 · (22 · 128 + 512) · 2^15 + 512 · 2^15. */
#ifndef TP_MIXER_H
#define TP_MIXER_H

#include "logistic.h"

#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#define MIXER_ONE 512  /* the bias: an input that is always this */
#define MIXER_WIDE 16  /* inputs of a vector */
#define MIXER_SMALL 128 /* smallest |error| that is learned, in 2^-16 */

typedef int16_t i16x16 __attribute__((vector_size(32)));

/* a + b, kept within int16. */
INLINE i16x16 add_saturated(i16x16 a, i16x16 b) {
#if defined(__AVX2__)
    return (i16x16)_mm256_adds_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    union { i16x16 wide; __m128i half[2]; } x = {a}, y = {b};
    for (int k = 0; k < 2; k++) x.half[k] = _mm_adds_epi16(x.half[k], y.half[k]);
    return x.wide;
#else
    for (int i = 0; i < 16; i++) a[i] = (int16_t)clamp(a[i] + b[i], -32768, 32767);
    return a;
#endif
}

/* Lane i: a[2i] · b[2i] + a[2i + 1] · b[2i + 1]. */
INLINE i32x8 multiply_pairs(i16x16 a, i16x16 b) {
#if defined(__AVX2__)
    return (i32x8)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    union { i16x16 wide; __m128i half[2]; } x = {a}, y = {b};
    for (int k = 0; k < 2; k++) x.half[k] = _mm_madd_epi16(x.half[k], y.half[k]);
    return (i32x8)x.wide;
#else
    i32x8 sum;
    for (int i = 0; i < 8; i++) sum[i] = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
    return sum;
#endif
}

/* a · b / 2^15, rounded: ((a · b >> 14) + 1) >> 1, for |a| < 2^13 and |b| < 2^15. */
INLINE i16x16 multiply_rounded(i16x16 a, i16x16 b) {
#if defined(__AVX2__)
    return (i16x16)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    union { i16x16 wide; __m128i half[2]; } x = {a}, y = {b};
    for (int k = 0; k < 2; k++) {
        __m128i product = _mm_mulhi_epi16(_mm_slli_epi16(x.half[k], 2), y.half[k]);
        x.half[k] = _mm_srai_epi16(_mm_add_epi16(product, _mm_set1_epi16(1)), 1);
    }
    return x.wide;
#else
    for (int i = 0; i < 16; i++) a[i] = (int16_t)(((a[i] * b[i] >> 14) + 1) >> 1);
    return a;
#endif
}

INLINE int32_t sum_of(i32x8 v) {
#if defined(__SSE2__)
    union { i32x8 wide; __m128i half[2]; } x = {v};
    __m128i s = _mm_add_epi32(x.half[0], x.half[1]);
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
#else
    return v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7];
#endif
}

/* x in 1/256 octave, from 16 · `vectors` inputs and the sum of `rows` rows of weights. */
INLINE int32_t mixer_predict(const i16x16 *inputs, i16x16 *const *row, const int rows, const int vectors) {
    i32x8 sum = {0};
    for (int v = 0; v < vectors; v++) {
        i16x16 weights = row[0][v];
        for (int k = 1; k < rows; k++) weights = add_saturated(weights, row[k][v]);
        sum += multiply_pairs(inputs[v], weights);
    }
    return clamp(sum_of(sum) >> 13, -ODDS_LIMIT, ODDS_LIMIT);
}

/* Update all rows. error: (bit - p) · 2^16; rate: at most 512. Errors below MIXER_SMALL are skipped, to save time. */
INLINE void mixer_learn(const i16x16 *inputs, i16x16 *const *row, const int rows, const int vectors, int32_t error,
                        int32_t rate) {
    if (error > -MIXER_SMALL && error < MIXER_SMALL) return;
    int16_t step = (int16_t)(error * rate >> 10);
    i16x16 steps = (i16x16){0} + step;
    for (int v = 0; v < vectors; v++) {
        i16x16 change = multiply_rounded(inputs[v], steps);
        for (int k = 0; k < rows; k++) row[k][v] = add_saturated(row[k][v], change);
    }
}

#endif

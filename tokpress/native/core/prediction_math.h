/* Vectors of floats for linear prediction, and the logistic function on them.
 *
 * Every operation is one IEEE operation in the written order. Lanes are summed by halves: first lane i + lane i + n/2,
 * then the same of the result. So every register width, and numpy, gives the same bits. log2 and exp2 are polynomials.
 * The twin is priors/linear_prediction/arithmetic.py. */
#ifndef TP_PREDICTION_MATH_H
#define TP_PREDICTION_MATH_H

#include "vectors.h"

typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef double f64x4 __attribute__((vector_size(32)));
typedef int64_t i64x4 __attribute__((vector_size(32)));

/* The sum of all lanes, by halves. */
INLINE float sum8(f32x8 x) {
    f32x4 four = __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
    return (four[0] + four[2]) + (four[1] + four[3]);
}
INLINE double sum4(f64x4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }

/* Lane by lane x where the mask is set, else y. */
INLINE f32x8 pick8(i32x8 mask, f32x8 x, f32x8 y) { return (f32x8)(((i32x8)x & mask) | ((i32x8)y & ~mask)); }
/* x where it is no number, as maxps and minps give their second operand. */
INLINE f32x8 clamp8(f32x8 x, float low, float high) {
    f32x8 least = (f32x8){} + low, most = (f32x8){} + high;
#if defined(__AVX2__)
    return (f32x8)_mm256_min_ps((__m256)most, _mm256_max_ps((__m256)least, (__m256)x));
#else
    x = pick8(x < least, least, x);
    return pick8(x > most, most, x);
#endif
}
INLINE f32x8 abs8(f32x8 x) { return (f32x8)((i32x8)x & 0x7FFFFFFF); }
INLINE float clampf(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

#define ROUND 12582912.0f /* 1.5 * 2^23: adding and subtracting it rounds to whole numbers */

/* 2^x for |x| <= 40: a whole power, times a polynomial of the fraction (minimax, relative error 2^-17). */
#define EXP2(x, real, whole, out)                                                      \
    do {                                                                               \
        real rounded_ = (x) + ROUND - ROUND, f_ = (x) - rounded_;                      \
        real p_ = ((0.0096673f * f_ + 0.0558759f) * f_ + 0.2402231f) * f_ + 0.6931272f; \
        p_ = p_ * f_ + 1.0f;                                                           \
        out = (real)((whole)p_ + (__builtin_convertvector(rounded_, whole) << 23));    \
    } while (0)

INLINE f32x8 exp2_8(f32x8 x) {
    f32x8 out;
    EXP2(x, f32x8, i32x8, out);
    return out;
}

/* log2 x for positive normal x: the exponent, and a polynomial of the mantissa in [sqrt(1/2), sqrt(2)) (error <
 * 2^-14). */
INLINE f32x8 log2_8(f32x8 x) {
    i32x8 bits = (i32x8)x;
    i32x8 e = (bits - 0x3F3504F3) >> 23;
    f32x8 m = (f32x8)(bits - (e << 23)) - 1.0f;
    f32x8 p = (((0.2404941f * m - 0.3887535f) * m + 0.4875218f) * m - 0.7206297f) * m + 1.4425580f;
    return __builtin_convertvector(e, f32x8) + p * m;
}

/* 1 / (1 + 2^-x) of one number. */
INLINE float squash(float x) {
    f32x8 power = exp2_8((f32x8){-x});
    return 1.0f / (1.0f + power[0]);
}

#endif

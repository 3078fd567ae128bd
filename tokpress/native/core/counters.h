/* Adaptive probabilities, sixteen learned side by side: each moves towards what happened by 1 / (times seen + 3/2).
 *
 * A counter is a word: p of a one, 22 bits, above the times it was used, 10 bits. The division is of floats, for
 * speed; for these numbers it gives the integer quotient (2 · error) / (2 · seen + 3), rounded towards zero. */
#ifndef TP_COUNTERS_H
#define TP_COUNTERS_H

#include "logistic.h"

#define COUNTER_HALF ((uint32_t)HALF_22 << 10)

/* Two inputs of a mixer from each of 8 counters: stretch(p), and p - 1/2, which is small where the counter is unsure.
 * int16 pairs. */
INLINE i32x8 counters_inputs(i32x8 counters) {
    i32x8 p = (i32x8)((u32x8)counters >> 10);
    return (((p >> 12) - 512) << 16) | (stretch(p) & 0xFFFF);
}

/* The counters after a bit. most: `seen` stops there, so that the rate never falls below 1 / (most + 3/2) and about the
 * last `most` bits count. */
INLINE i32x8 counters_learn(i32x8 counters, int bit, i32x8 most) {
    i32x8 p = (i32x8)((u32x8)counters >> 10), seen = counters & 1023;
    f32x8 error = __builtin_convertvector((bit << 22) - p, f32x8);
    i32x8 change = __builtin_convertvector(error / (__builtin_convertvector(seen, f32x8) + 1.5f), i32x8);
    return (i32x8)((u32x8)(p + change) << 10) | (seen - (seen < most)); /* a comparison that holds is -1 */
}

#endif

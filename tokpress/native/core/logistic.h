/* Probabilities and their log-odds, in octaves: stretch(p) = log2(p / (1 - p)), squash(x) = 1 / (1 + 2^-x) undoes it.
 *
 * A mixer adds log-odds, as independent evidence adds up. A table gives squash. Stretch needs none: the bits of a
 * float, read as an integer, are a piecewise linear log2 (exponent · 2^23 + mantissa), at most 0.09 octaves off, and
 * no step of the conversion rounds. */
#ifndef TP_LOGISTIC_H
#define TP_LOGISTIC_H

#include "core.h"

#define ODDS_OCTAVE 256                /* of mixed log-odds; those of an input are in 128ths */
#define ODDS_LIMIT (14 * ODDS_OCTAVE - 1)   /* of |log-odds|: p down to 2^-14 */
#define ODDS_CENTRE (14 * ODDS_OCTAVE)      /* squash[x + ODDS_CENTRE] */
#define HALF_22 (1 << 21)         /* inputs come with 22-bit probabilities */
#define ROOT_OF_HALF 4283353945u  /* 2^32 · 2^(-1/256) */

/* squash[2 · ODDS_CENTRE]: p · 2^16, between 4 and 65532. */
static UNUSED void squash_fill(uint16_t *squash) {
    uint64_t power = (uint64_t)1 << 32; /* 2^(32 - x/256) */
    for (int x = 0; x <= ODDS_CENTRE; x++) {
        int32_t p = (int32_t)(((uint64_t)1 << 48) / (((uint64_t)1 << 32) + power));
        if (x < ODDS_CENTRE) squash[ODDS_CENTRE + x] = (uint16_t)clamp(p, 4, 65532);
        if (x > 0) squash[ODDS_CENTRE - x] = (uint16_t)clamp(65536 - p, 4, 65532);
        power = power * ROOT_OF_HALF >> 32;
    }
}

/* log2(p / (1 - p)) in 128ths of an octave; 0 < p < 2^22. */
INLINE i32x8 stretch(i32x8 p) {
    i32x8 one = (i32x8)__builtin_convertvector(p, f32x8);
    i32x8 zero = (i32x8)__builtin_convertvector((1 << 22) - p, f32x8);
    return (one - zero) >> 16;
}

#endif

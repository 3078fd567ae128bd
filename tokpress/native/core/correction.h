/* The last stage: a table of what really happened when the mixer said this (secondary symbol estimation; Mahoney's
 * APM).
 *
 * A row holds a probability for each octave of log-odds; the answer is halfway between the mixer's and the table's,
 * interpolated between two bins, of which the nearer one learns. */
#ifndef TP_CORRECTION_H
#define TP_CORRECTION_H

#include "logistic.h"

#define CORRECTION_BINS 32 /* 29 are used */
#define CORRECTION_RATE 6

/* Rows that agree with the mixer. */
static UNUSED void correction_fill(uint16_t *rows, size_t count, const uint16_t *squash) {
    for (size_t r = 0; r < count; r++)
        for (int bin = 0; bin < CORRECTION_BINS; bin++)
            rows[r * CORRECTION_BINS + (size_t)bin] = squash[clamp(bin * ODDS_OCTAVE, 1, 2 * ODDS_CENTRE - 1)];
}

/* p · 2^16 from log-odds; *bin is the one that learns. */
INLINE int32_t correction_predict(uint16_t *row, int32_t log_odds, const uint16_t *squash, uint16_t **bin) {
    int32_t x = log_odds + ODDS_CENTRE, at = x >> 8, share = x & 255;
    *bin = row + at + (share >> 7);
    return (squash[x] + ((row[at] * (256 - share) + row[at + 1] * share) >> 8)) >> 1;
}

INLINE void correction_learn(uint16_t *bin, int bit) {
    *bin = (uint16_t)(*bin + ((bit * 65535 - *bin) >> CORRECTION_RATE));
}

#endif

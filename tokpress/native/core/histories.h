/* Bit histories: what has followed a context, in a byte (after zpaq's state table; Mahoney, The ZPAQ Open Standard
 * Format, 2016).
 *
 * A state is (zeros, ones, last bit), the last bit only while zeros + ones <= 17. Counts are bounded, more tightly
 * the more both bits occur, and seeing one bit shrinks the other's count: the recent past matters. States are
 * numbered by how much they have seen, so the lowest of some numbers is the one to forget.
 * priors/context_mixing/histories.py is the twin. */
#ifndef TP_HISTORIES_H
#define TP_HISTORIES_H

#include "core.h"

typedef struct {
    uint8_t next[2][256];   /* the state after a bit */
    uint32_t first_p[256];  /* (ones + 1/2) / (zeros + ones + 1), 22 bits */
} history_table;

/* How many states a pair of counts has: 0, 1, or 2 where the last bit is known too. */
static int history_kinds(int zeros, int ones) {
    static const uint8_t most[6] = {20, 48, 15, 8, 6, 5}; /* the larger count may reach most[the smaller] */
    int small = zeros < ones ? zeros : ones, large = zeros < ones ? ones : zeros;
    if (small < 0 || small > 5 || large > most[small]) return 0;
    return small > 0 && zeros + ones <= 17 ? 2 : 1;
}

/* The counts after one more bit of a kind: seen of it, other of the other kind; `seen` is a one if `bit`. */
static void history_after(int *zeros, int *ones, int bit) {
    int seen = bit ? *ones : *zeros, other = bit ? *zeros : *ones;
    other = (other >= 1) + (other >= 2) + (other >= 3) + (other >= 4) + (other >= 5) + (other >= 7) + (other >= 8);
    seen++;
    /* the larger count gives way until there is such a state; of equal counts, those of the bit that came */
    int z = bit ? other : seen, o = bit ? seen : other;
    bool swap = *zeros < *ones;
    if (swap) { int t = z; z = o; o = t; }
    while (history_kinds(z, o) == 0) {
        if (o < 2) {
            z--;
        } else {
            z = (z * (o - 1) + o / 2) / o;
            o--;
        }
    }
    *zeros = swap ? o : z;
    *ones = swap ? z : o;
}

static UNUSED void histories_fill(history_table *t) {
    uint8_t number[64][64] = {{0}}; /* of the first state of a pair of counts */
    int states = 0;
    for (int total = 0; total < 50; total++)
        for (int ones = 0; ones <= total; ones++)
            if (history_kinds(total - ones, ones) > 0) {
                number[total - ones][ones] = (uint8_t)states;
                states += history_kinds(total - ones, ones);
            }
    memset(t, 0, sizeof *t);
    for (int s = 0; s < 256; s++) t->first_p[s] = 1 << 21;
    for (int total = 0; total < 50; total++)
        for (int ones = 0; ones <= total; ones++) {
            int kinds = history_kinds(total - ones, ones), state = number[total - ones][ones];
            for (int k = 0; k < kinds; k++, state++) {
                t->first_p[state] = ((uint32_t)(2 * ones + 1) << 21) / (uint32_t)(total + 1);
                for (int bit = 0; bit < 2; bit++) {
                    int z = total - ones, o = ones;
                    history_after(&z, &o, bit);
                    t->next[bit][state] = (uint8_t)(number[z][o] + (bit && history_kinds(z, o) == 2));
                }
            }
        }
}

#endif

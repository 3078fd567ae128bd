/* What a bit costs: a table of -log2(p / 2^16) in 2^-20 bits, in integers, since scores are the same everywhere. */
#ifndef TP_COSTS_H
#define TP_COSTS_H

#include "core.h"

#define COST_UNIT 20

/* [65536], by squaring: each square gives another binary digit of the logarithm. */
static UNUSED void costs_fill(uint32_t *cost) {
    cost[0] = 16u << COST_UNIT;
    for (uint32_t p = 1; p < 65536; p++) {
        uint32_t shift = (uint32_t)__builtin_clz(p), over = 0;
        uint64_t x = (uint64_t)p << shift; /* x / 2^31 in [1, 2) */
        for (int digit = COST_UNIT; digit-- > 0;) {
            x = x * x >> 31;
            if (x >> 32) {
                over |= 1u << digit;
                x >>= 1;
            }
        }
        cost[p] = ((shift - 15) << COST_UNIT) - over;
    }
}

#endif

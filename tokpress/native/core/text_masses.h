/* What bitwise coding asks of a step (bitwise.c): how much probability lies on either side of a decision. A decision halves the outcomes
 * that are left, so both sides are ranges of outcomes, in an order in which like ones are near. */
#ifndef TP_TEXT_MASSES_H
#define TP_TEXT_MASSES_H

#include "text_state.h"

#define MASSES_TOGETHER 16

/* Masses: floor(2^30 p) + 1 of the outcomes of a row, in the order in which decisions divide them, and the sums before each
 * MASSES_TOGETHER of them, of two rows: with the memory, and of the base alone. Sums wrap where a row is no distribution. */
typedef struct {
    const uint32_t *masses[2], *sums[2];
} text_masses;

static void weigh(const float *row, const int32_t *order, int64_t room, uint32_t *masses, uint32_t *sums) {
    uint32_t total = 0;
    for (int64_t at = 0; at < room; at += MASSES_TOGETHER) {
        float p[MASSES_TOGETHER];
        if (order)
            for (int i = 0; i < MASSES_TOGETHER; i++) p[i] = row[order[at + i]];
        else
            memcpy(p, row + at, sizeof p);
        vu sum = {0};
        for (int i = 0; i < MASSES_TOGETHER; i += FLOATS) {
            vf bounded = vf_min(vf_max(vf_load(p + i), vf_all(0.0f)), vf_all(1.0f));
            vi mass = vf_truncate(bounded * (float)(1 << 30)) + 1;
            vi_store((int32_t *)masses + at + i, mass);
            sum += (vu)mass;
        }
        sums[at / MASSES_TOGETHER] = total;
        total += vu_sum(sum);
    }
    sums[room / MASSES_TOGETHER] = total;
}

INLINE int64_t sums_of(int64_t room) { return room / MASSES_TOGETHER + 1; }
/* Where the masses of a lane are: of classes or symbols (`members` false), or of the members of its class. with: 0, or 1 of the base
 * alone. */
INLINE uint32_t *masses_at(const text *t, int64_t lane, bool members, int with) {
    return t->masses + (2 * lane + with) * (t->mass_room + t->member_room) + (members ? t->mass_room : 0);
}
INLINE uint32_t *sums_at(const text *t, int64_t lane, bool members, int with) {
    return t->mass_sums + (2 * lane + with) * (sums_of(t->mass_room) + sums_of(t->member_room)) + (members ? sums_of(t->mass_room) : 0);
}
INLINE text_masses masses_of(const text *t, int64_t lane, bool members) {
    text_masses m;
    for (int with = 0; with < 2; with++) {
        const int from = t->remembers ? with : 0;
        m.masses[with] = masses_at(t, lane, members, from);
        m.sums[with] = sums_at(t, lane, members, from);
    }
    return m;
}

/* The sum of the masses of the outcomes before `at`. */
INLINE uint32_t masses_below(const text_masses *m, int with, int64_t at) {
    static const int32_t taken[2 * MASSES_TOGETHER] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const int64_t first = at / MASSES_TOGETHER * MASSES_TOGETHER;
    const uint32_t *masses = m->masses[with];
    const int32_t *mask = taken + MASSES_TOGETHER - (at - first);
    uint32_t total = m->sums[with][at / MASSES_TOGETHER];
    for (int i = 0; i < MASSES_TOGETHER; i++) total += masses[first + i] & (uint32_t)mask[i];
    return total;
}
/* Where a model's numbers are no probabilities, sums have wrapped. */
INLINE uint32_t mass_between(uint32_t low, uint32_t high) {
    uint32_t mass = (high - low) & 0x7FFFFFFF;
    return mass + (mass == 0);
}

/* Room for masses. order [V]: the symbol at each place, where there are no classes. */
static UNUSED bool start_masses(text *t, const int32_t *order) {
    t->mass_room = padded(t->top);
    t->masses = text_zeros(t, 2 * t->lanes * (t->mass_room + t->member_room) + MASSES_TOGETHER, 4); /* all of a block is read */
    t->mass_sums = text_zeros(t, 2 * t->lanes * (sums_of(t->mass_room) + sums_of(t->member_room)), 4);
    const int64_t since = t->owned_count;
    t->order = t->members ? NULL : text_zeros(t, t->mass_room, 4);
    text_fix(t, since);
    if (t->order) memcpy(t->order, order, (size_t)t->symbols * 4);
    return !t->failed;
}

#endif

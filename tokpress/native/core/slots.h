/* Where the bit histories of contexts live: a hash table of cache lines.
 *
 * A nibble is four binary decisions: a path through a tree of 15 nodes, so a context has 15 histories. A line holds
 * four contexts:
 *
 *     4 check bytes | 4 histories of node 1 | 4 of node 2 | … | 4 of node 15            (16 · 4 = 64 bytes)
 *
 * One word compares all checks, one more tells the least used. Latency is the cost, so a line's place is known two
 * bits before it is needed: the line of a low nibble depends on the upper half of the high one, and only the check on
 * the rest (slots_step). */
#ifndef TP_SLOTS_H
#define TP_SLOTS_H

#include "saved.h"

typedef struct {
    uint8_t *lines;
    int log2; /* of the number of lines */
    change_log *changed; /* lines that were asked for, since a state was saved; else NULL */
} slot_table;

/* The histories of node n lie at 4 · n behind the pointer. A context that is new takes the place of the least used. */
INLINE uint8_t *slots_find(const slot_table *t, uint32_t line, uint32_t check) {
    uint8_t *at = t->lines + ((size_t)line << 6);
    log_change(t->changed, line);
    uint32_t differ = load32(at) ^ check * 0x01010101u;
    /* the zero bytes; of these bits the lowest is right, those above it may not be */
    uint32_t same = (differ - 0x01010101u) & ~differ & 0x80808080u;
    if (__builtin_expect(same != 0, 1)) return at + (__builtin_ctz(same) >> 3);
    int slot = 0;
    for (int k = 1; k < 4; k++)
        if (at[4 + k] < at[4 + slot]) slot = k;
    uint32_t keep = ~(0xFFu << 8 * slot);
    for (int node = 0; node < 16; node++) store32(at + 4 * node, load32(at + 4 * node) & keep);
    at[slot] = (uint8_t)check;
    return at + slot;
}

/* The line and the check of a context from 64 bits of hash. */
INLINE void slots_place(const slot_table *t, uint64_t hash, uint32_t *line, uint32_t *check) {
    *line = (uint32_t)(hash >> (64 - t->log2));
    *check = (uint32_t)(hash >> 32) & 255;
    prefetch(t->lines + ((size_t)*line << 6));
}

/* On to the line of the low nibble, two bits of the high one being known: one of four in the same kilobyte. */
INLINE void slots_step(const slot_table *t, uint64_t bits, uint32_t *line) {
    *line ^= 1 + (uint32_t)bits;
    prefetch(t->lines + ((size_t)*line << 6));
}

/* Small differences of the input change all upper bits of the result. */
INLINE uint64_t scramble(uint64_t x) {
    x *= 0x9E3779B97F4A7C15u;
    x ^= x >> 32;
    return x * 0xD6E8FEB86659FD93u;
}

#endif

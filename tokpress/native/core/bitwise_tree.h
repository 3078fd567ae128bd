/* All tokens as the leaves of a binary tree: the path to a leaf spells the token.
 *
 * A token's rank is its place in the order of the tokens' bytes. A byte is nine binary digits: 1 if the
 * token has this byte (0: it has ended), then the byte's bits, the highest first. Split r is the first digit, its
 * `place`, at which the tokens of ranks r - 1 and r differ: a decision there separates the ranks below r from the
 * others. V tokens have V - 1 splits; a digit that all remaining tokens share is not coded. Within a range of ranks,
 * the split of the lowest place is the root (a Cartesian tree; Vuillemin 1980). */
#ifndef TP_BITWISE_TREE_H
#define TP_BITWISE_TREE_H

#include "core.h"

#define LONGEST_SPELLING 32
#define SPELLING_DIGITS 9 /* of a byte */

typedef struct {
    uint16_t place, below, above; /* digit; the splits of both sides, 0: a single token */
} bitwise_split;

typedef struct {
    int64_t symbols, longest;
    uint16_t root;
    bitwise_split *splits; /* [V]; split 0 is none */
    uint8_t *bytes;
    int32_t *start; /* [V + 1]: of the token of each rank */
    int32_t *symbol, *rank; /* [V], each the reverse of the other */
} bitwise_tree;

static void bitwise_tree_free(bitwise_tree *t) {
    tp_free(t->splits);
    tp_free(t->bytes);
    tp_free(t->start);
    tp_free(t->symbol);
}

INLINE int32_t bitwise_size(const bitwise_tree *t, int64_t rank) { return t->start[rank + 1] - t->start[rank]; }

/* The first digit at which the token of a rank and the one before differ; -1 where they do not come in order. */
static int32_t bitwise_place(const bitwise_tree *t, int64_t rank) {
    const uint8_t *one = t->bytes + t->start[rank - 1], *other = t->bytes + t->start[rank];
    int32_t size = bitwise_size(t, rank - 1), at = 0;
    while (at < size && at < bitwise_size(t, rank) && one[at] == other[at]) at++;
    if (at == bitwise_size(t, rank)) return -1;
    if (at == size) return SPELLING_DIGITS * at;
    if (one[at] > other[at]) return -1;
    return SPELLING_DIGITS * at + 1 + __builtin_clz((uint32_t)(one[at] ^ other[at])) - 24;
}

/* Of V tokens: symbol [V] of each rank, sizes [V] in bytes, and all bytes, by rank. 0, TP_MEMORY or TP_ARGUMENT. */
static int64_t bitwise_tree_start(
    bitwise_tree *t, int64_t symbols, const int32_t *symbol, const int32_t *sizes, const uint8_t *bytes,
    int64_t byte_count
) {
    if (symbols < 2 || symbols > 1 << 16) return TP_ARGUMENT;
    if (byte_count < symbols || byte_count > symbols * LONGEST_SPELLING) return TP_ARGUMENT;
    t->symbols = symbols;
    t->splits = tp_zeros((size_t)symbols * sizeof *t->splits);
    t->bytes = tp_zeros((size_t)byte_count);
    t->start = tp_zeros((size_t)(symbols + 1) * 4);
    t->symbol = tp_zeros((size_t)symbols * 8);
    if (!t->splits || !t->bytes || !t->start || !t->symbol) return TP_MEMORY;
    t->rank = t->symbol + symbols;
    memcpy(t->bytes, bytes, (size_t)byte_count);
    for (int64_t r = 0; r < symbols; r++) t->rank[r] = -1;
    for (int64_t r = 0; r < symbols; r++) {
        if (symbol[r] < 0 || symbol[r] >= symbols || t->rank[symbol[r]] >= 0) return TP_ARGUMENT;
        if (sizes[r] < 1 || sizes[r] > LONGEST_SPELLING || sizes[r] > byte_count - t->start[r]) return TP_ARGUMENT;
        t->symbol[r] = symbol[r];
        t->rank[symbol[r]] = (int32_t)r;
        t->start[r + 1] = t->start[r] + sizes[r];
        t->longest = sizes[r] > t->longest ? sizes[r] : t->longest;
    }
    if (t->start[symbols] != byte_count) return TP_ARGUMENT;
    /* splits whose upper side is not complete yet, from the root down: their places rise */
    uint16_t open[LONGEST_SPELLING * SPELLING_DIGITS + 1];
    int depth = 0;
    for (int64_t r = 1; r < symbols; r++) {
        int32_t place = bitwise_place(t, r);
        if (place < 0) return TP_ARGUMENT;
        uint16_t last = 0;
        while (depth > 0 && t->splits[open[depth - 1]].place >= place) last = open[--depth];
        t->splits[r] = (bitwise_split){(uint16_t)place, last, 0};
        if (depth > 0) t->splits[open[depth - 1]].above = (uint16_t)r;
        open[depth++] = (uint16_t)r;
    }
    t->root = open[0];
    return 0;
}

#endif

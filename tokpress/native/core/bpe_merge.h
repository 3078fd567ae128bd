/* Merge the bytes of one piece: again and again the neighbours with the lowest rank, of these the leftmost, until no merge is left.
 *
 * Short pieces look for the lowest rank anew each time: n² steps, but of a few cycles. Longer ones keep the ranks in a heap:
 * n log n, whatever is in the piece (a piece may be as long as the source). */
#ifndef TP_BPE_MERGE_H
#define TP_BPE_MERGE_H

#include "bpe.h"

enum { BPE_SHORT = 32 };

/* n bytes, 1 ≤ n ≤ BPE_SHORT, to ids; the number of ids. */
static int64_t bpe_merge_short(const bpe_tables *t, const uint8_t *piece, int64_t n, int32_t *out) {
    uint32_t ids[BPE_SHORT], ranks[BPE_SHORT]; /* ranks[i]: of ids[i] and ids[i + 1] */
    for (int64_t i = 0; i < n; i++) ids[i] = t->byte_ids[piece[i]];
    for (int64_t i = 0; i + 1 < n; i++) ranks[i] = bpe_rank(t, ids[i], ids[i + 1]);
    while (n > 1) {
        int64_t best = 0;
        for (int64_t i = 1; i + 1 < n; i++) best = ranks[i] < ranks[best] ? i : best;
        if (ranks[best] == BPE_NONE) break;
        ids[best] = t->merges[ranks[best]].made;
        n--;
        for (int64_t i = best + 1; i < n; i++) ids[i] = ids[i + 1];
        for (int64_t i = best; i + 1 < n; i++) ranks[i] = ranks[i + 1];
        if (best + 1 < n) ranks[best] = bpe_rank(t, ids[best], ids[best + 1]);
        if (best > 0) ranks[best - 1] = bpe_rank(t, ids[best - 1], ids[best]);
    }
    for (int64_t i = 0; i < n; i++) out[i] = (int32_t)ids[i];
    return n;
}

/* Room for pieces of up to `room` bytes. */
typedef struct {
    int64_t room, heap_count;
    uint32_t *ids, *ranks, *next, *previous; /* [room] a linked list of the ids; ranks[i]: of i and next[i] */
    uint64_t *heap;                          /* [3 room] rank · 2^32 + place: the smallest is the next merge */
} bpe_workspace;

static void bpe_workspace_free(bpe_workspace *w) {
    tp_free(w->ids);
    tp_free(w->heap);
}

static bool bpe_workspace_make(bpe_workspace *w, int64_t room) {
    w->ids = tp_zeros((size_t)room * 4 * sizeof *w->ids);
    w->heap = tp_zeros((size_t)room * 3 * sizeof *w->heap);
    if (w->ids == NULL || w->heap == NULL) return false;
    w->ranks = w->ids + room, w->next = w->ranks + room, w->previous = w->next + room;
    w->room = room;
    return true;
}

static void bpe_heap_push(bpe_workspace *w, uint64_t entry) {
    int64_t at = w->heap_count++;
    while (at > 0 && entry < w->heap[(at - 1) / 2]) {
        w->heap[at] = w->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w->heap[at] = entry;
}

static uint64_t bpe_heap_pop(bpe_workspace *w) {
    uint64_t top = w->heap[0], last = w->heap[--w->heap_count];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < w->heap_count; at = child) {
        if (child + 1 < w->heap_count && w->heap[child + 1] < w->heap[child]) child++;
        if (last <= w->heap[child]) break;
        w->heap[at] = w->heap[child];
    }
    w->heap[at] = last;
    return top;
}

/* The rank of the pair at a place, in the list and in the heap. n − 1 pairs at first and two for each of at most n − 1 merges:
 * fewer than 3 n are ever pushed. */
INLINE void bpe_note_rank(const bpe_tables *t, bpe_workspace *w, uint32_t at, uint32_t after) {
    w->ranks[at] = bpe_rank(t, w->ids[at], w->ids[after]);
    if (w->ranks[at] != BPE_NONE) bpe_heap_push(w, (uint64_t)w->ranks[at] << 32 | at);
}

/* n bytes, 1 ≤ n ≤ w->room, to ids; the number of ids. */
static int64_t bpe_merge_long(const bpe_tables *t, bpe_workspace *w, const uint8_t *piece, int64_t n, int32_t *out) {
    w->heap_count = 0;
    for (int64_t i = 0; i < n; i++) {
        w->ids[i] = t->byte_ids[piece[i]];
        w->next[i] = (uint32_t)i + 1;
        w->previous[i] = (uint32_t)i - 1; /* BPE_NONE of the first */
    }
    for (int64_t i = 0; i + 1 < n; i++) bpe_note_rank(t, w, (uint32_t)i, (uint32_t)i + 1);
    w->ranks[n - 1] = BPE_NONE;
    while (w->heap_count) {
        uint64_t top = bpe_heap_pop(w);
        uint32_t at = (uint32_t)top, rank = (uint32_t)(top >> 32);
        if (w->ranks[at] != rank) continue; /* its pair has become another, or part of the id before it */
        uint32_t gone = w->next[at], after = w->next[gone], before = w->previous[at];
        w->ids[at] = t->merges[rank].made;
        w->ranks[gone] = w->ranks[at] = BPE_NONE;
        w->next[at] = after;
        if (after < n) {
            w->previous[after] = at;
            bpe_note_rank(t, w, at, after);
        }
        if (before != BPE_NONE) bpe_note_rank(t, w, before, at);
    }
    int64_t count = 0;
    for (int64_t at = 0; at < n; at = w->next[at]) out[count++] = (int32_t)w->ids[at];
    return count;
}

#endif

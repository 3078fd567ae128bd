/* Byte-pair encoding: the tables of a vocabulary, and the way from bytes to token ids.
 *
 * The definition is tokpress/tokenizers/text/merges.py. A word is the byte string of an id. Merge r (its rank) says: the neighbours
 * `left` and `right` become `made`, whose word is the word of left and the word of right together. So ids always decode to the
 * bytes that they were encoded from, whatever the ranks are.
 *
 * Tables are built once (bpe_json.h) and never written again: any number of threads may encode with them. */
#ifndef TP_BPE_H
#define TP_BPE_H

#include "core.h"

enum {
    BPE_MAX_IDS = (1 << 24) - 1,  /* below the 2^24 symbols of a coder */
    BPE_MAX_HOLES = 1 << 16,      /* ids without a word: so many, and three times as many as there are words */
    BPE_MAX_TEXT = 1 << 26,       /* bytes of a tokenizer.json */
    BPE_MAX_PROBES = 512,         /* slots tried for one key: a file whose keys all collide is refused, not waited for */
    BPE_SLACK = 16,                /* bytes behind the last word, so that 16 can always be copied */
};
#define BPE_NONE UINT32_MAX

typedef struct {
    uint32_t left, right, made;
} bpe_merge;

typedef struct {
    uint32_t left, right, rank; /* rank BPE_NONE: an empty slot */
} bpe_pair;

typedef struct {
    int64_t ids;                          /* V: one more than the largest id */
    int64_t word_bytes, longest;          /* of all words together; of the longest one */
    int64_t merge_count;
    uint8_t *words;                       /* all words, one after another, then BPE_SLACK bytes */
    uint32_t *start, *length;             /* [V] of each id's word; length 0: the id has none */
    uint32_t *slots;                      /* hash of a word → id + 1, or 0 */
    uint32_t slot_mask;
    uint32_t byte_ids[256];               /* the ids of the 256 words of one byte */
    bpe_merge *merges;                    /* [merge_count] by rank */
    bpe_pair *pairs;                      /* hash of (left, right) → rank */
    uint32_t pair_mask;
} bpe_tables;

INLINE uint32_t bpe_hash_word(const uint8_t *word, int64_t length) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (int64_t i = 0; i < length; i++) hash = (hash ^ word[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

INLINE uint32_t bpe_hash_pair(uint32_t left, uint32_t right) {
    uint64_t product = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(product >> 32);
}

/* The id of a word, or BPE_NONE. */
static UNUSED uint32_t bpe_find_word(const bpe_tables *t, const uint8_t *word, int64_t length) {
    uint32_t slot = bpe_hash_word(word, length) & t->slot_mask;
    for (int probe = 0; probe < BPE_MAX_PROBES && t->slots[slot]; probe++, slot = (slot + 1) & t->slot_mask) {
        uint32_t id = t->slots[slot] - 1;
        if (t->length[id] == length && !memcmp(t->words + t->start[id], word, (size_t)length)) return id;
    }
    return BPE_NONE;
}

/* The rank of a pair of neighbours, or BPE_NONE where no merge is of them. */
INLINE uint32_t bpe_rank(const bpe_tables *t, uint32_t left, uint32_t right) {
    uint32_t slot = bpe_hash_pair(left, right) & t->pair_mask;
    for (int probe = 0; probe < BPE_MAX_PROBES; probe++, slot = (slot + 1) & t->pair_mask) {
        const bpe_pair *pair = &t->pairs[slot];
        if (pair->rank == BPE_NONE || (pair->left == left && pair->right == right)) return pair->rank;
    }
    return BPE_NONE;
}

#endif

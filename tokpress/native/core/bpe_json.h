/* Read the two long parts of a tokenizer.json, its vocabulary and its merges, into tables.
 *
 *     "vocab": {"word": id, …}, "merges": [["left", "right"], …]
 *
 * A word is written with one character, U+0000 … U+00FF, for each byte. The short rest of the file is Python's to read. Refused is
 * all that the Python reader refuses, and some unusual spellings that it takes (it then writes the file anew in the usual one):
 * nothing is guessed here. */
#ifndef TP_BPE_JSON_H
#define TP_BPE_JSON_H

#include "bpe.h"

typedef struct {
    const uint8_t *text;
    int64_t size, at;
} json_reader;

INLINE int json_peek(const json_reader *r) { return r->at < r->size ? r->text[r->at] : -1; }

/* Step over white space and the character `wanted`. */
static bool json_take(json_reader *r, char wanted) {
    int c = json_peek(r);
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t') r->at++, c = json_peek(r);
    if (c != wanted) return false;
    r->at++;
    return true;
}

/* Four hexadecimal digits, or −1. */
static int json_hex4(json_reader *r) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = json_peek(r), lower = c | 0x20;
        int digit = c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
        r->at++;
    }
    return value;
}

/* A string of characters below U+0100 to `out`, one byte each, never more bytes than its text has. −1: it is none. */
static int64_t json_bytes(json_reader *r, uint8_t *out) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int64_t length = 0;
    if (!json_take(r, '"')) return -1;
    for (;;) {
        int c = json_peek(r);
        r->at++;
        if (c == '"') return length;
        if (c < 0x20) return -1; /* the end, too */
        if (c == '\\') {
            c = json_peek(r);
            r->at++;
            const char *name = c > 0 ? strchr(names, c) : NULL;
            c = name != NULL ? values[name - names] : c == 'u' ? json_hex4(r) : -1;
            if (c < 0 || c > 0xff) return -1;
        } else if (c >= 0x80) { /* UTF-8 of U+0080 … U+00FF is C2 or C3, and a byte 10xxxxxx */
            int low = json_peek(r);
            r->at++;
            if ((c != 0xc2 && c != 0xc3) || low < 0x80 || low > 0xbf) return -1;
            c = (c & 3) << 6 | (low & 0x3f);
        }
        out[length++] = (uint8_t)c;
    }
}

/* A whole number up to BPE_MAX_IDS without sign or leading zeros, or −1. */
static int64_t json_number(json_reader *r) {
    while (json_peek(r) == ' ') r->at++;
    int64_t value = -1;
    for (int c; (c = json_peek(r)) >= '0' && c <= '9'; r->at++) {
        if (value == 0 || value > BPE_MAX_IDS) return -1;
        value = (value < 0 ? 0 : value * 10) + (c - '0');
    }
    return value > BPE_MAX_IDS ? -1 : value;
}

/* A power of two with room for twice `count` entries. */
INLINE uint32_t bpe_slots_for(int64_t count) {
    uint32_t slots = 16;
    while (slots < 2 * count) slots *= 2; /* count is below 2^26 */
    return slots;
}

static int64_t bpe_index_words(bpe_tables *t, int64_t count) {
    uint32_t slots = bpe_slots_for(count);
    t->slots = tp_zeros(slots * sizeof *t->slots);
    if (t->slots == NULL) return TP_MEMORY;
    t->slot_mask = slots - 1;
    for (int64_t id = 0; id < t->ids; id++) {
        if (t->length[id] == 0) continue;
        const uint8_t *word = t->words + t->start[id];
        uint32_t slot = bpe_hash_word(word, t->length[id]) & t->slot_mask;
        int probe = 0;
        for (; t->slots[slot]; probe++, slot = (slot + 1) & t->slot_mask) {
            uint32_t other = t->slots[slot] - 1;
            bool same = t->length[other] == t->length[id] && !memcmp(t->words + t->start[other], word, t->length[id]);
            if (same || probe == BPE_MAX_PROBES - 1) return TP_ARGUMENT; /* a word twice */
        }
        t->slots[slot] = (uint32_t)id + 1;
    }
    for (int byte = 0; byte < 256; byte++) {
        uint8_t word = (uint8_t)byte;
        t->byte_ids[byte] = bpe_find_word(t, &word, 1);
        if (t->byte_ids[byte] == BPE_NONE) return TP_ARGUMENT;
    }
    return 0;
}

/* {"word": id, …} */
static int64_t bpe_read_words(bpe_tables *t, json_reader *r) {
    typedef struct {
        uint32_t start, length, id;
    } entry;
    int64_t room = (r->size - r->at) / 5 + 1, count = 0, most = 0, status = TP_ARGUMENT; /* "a":0 has five bytes */
    entry *entries = tp_zeros((size_t)room * sizeof *entries);
    t->words = tp_zeros((size_t)(r->size - r->at) + BPE_SLACK);
    if (entries == NULL || t->words == NULL) status = TP_MEMORY;
    else if (json_take(r, '{')) {
        bool more = true, sound = true;
        while (more && sound) {
            int64_t length = json_bytes(r, t->words + t->word_bytes);
            int64_t id = length > 0 && json_take(r, ':') ? json_number(r) : -1;
            sound = id >= 0 && count < room;
            if (!sound) break;
            entries[count++] = (entry){(uint32_t)t->word_bytes, (uint32_t)length, (uint32_t)id};
            t->word_bytes += length;
            if (length > t->longest) t->longest = length;
            if (id > most) most = id;
            more = json_take(r, ',');
        }
        int64_t ids_allowed = 4 * count + BPE_MAX_HOLES < BPE_MAX_IDS ? 4 * count + BPE_MAX_HOLES : BPE_MAX_IDS;
        if (sound && json_take(r, '}') && most < ids_allowed) {
            t->ids = most + 1;
            t->start = tp_zeros((size_t)t->ids * sizeof *t->start);
            t->length = tp_zeros((size_t)t->ids * sizeof *t->length);
            status = t->start == NULL || t->length == NULL ? TP_MEMORY : 0;
            for (int64_t i = 0; status == 0 && i < count; i++) {
                if (t->length[entries[i].id]) status = TP_ARGUMENT; /* an id twice */
                t->start[entries[i].id] = entries[i].start;
                t->length[entries[i].id] = entries[i].length;
            }
            if (status == 0) status = bpe_index_words(t, count);
        }
    }
    tp_free(entries);
    return status;
}

static int64_t bpe_index_merges(bpe_tables *t) {
    uint32_t slots = bpe_slots_for(t->merge_count);
    t->pairs = tp_zeros(slots * sizeof *t->pairs);
    if (t->pairs == NULL) return TP_MEMORY;
    t->pair_mask = slots - 1;
    for (uint32_t slot = 0; slot < slots; slot++) t->pairs[slot].rank = BPE_NONE;
    for (int64_t rank = 0; rank < t->merge_count; rank++) {
        uint32_t left = t->merges[rank].left, right = t->merges[rank].right;
        uint32_t slot = bpe_hash_pair(left, right) & t->pair_mask;
        for (int probe = 0; t->pairs[slot].rank != BPE_NONE; probe++, slot = (slot + 1) & t->pair_mask) {
            if (t->pairs[slot].left == left && t->pairs[slot].right == right) break; /* told twice: the last rank holds */
            if (probe == BPE_MAX_PROBES - 1) return TP_ARGUMENT;
        }
        t->pairs[slot] = (bpe_pair){left, right, (uint32_t)rank};
    }
    return 0;
}

/* [["left", "right"], …] */
static int64_t bpe_read_merges(bpe_tables *t, json_reader *r) {
    int64_t room = (r->size - r->at) / 9 + 1, status = TP_ARGUMENT; /* ["a","b"] has nine bytes */
    uint8_t *both = tp_zeros((size_t)(r->size - r->at) + 1);
    t->merges = tp_zeros((size_t)room * sizeof *t->merges);
    if (both == NULL || t->merges == NULL) status = TP_MEMORY;
    else if (json_take(r, '[')) {
        bool more = !json_take(r, ']'), sound = true;
        bool closed = !more;
        while (more) {
            int64_t left = json_take(r, '[') ? json_bytes(r, both) : -1;
            int64_t right = left > 0 && json_take(r, ',') ? json_bytes(r, both + left) : -1;
            sound = right > 0 && json_take(r, ']') && t->merge_count < room;
            if (!sound) break;
            bpe_merge merge = {bpe_find_word(t, both, left), bpe_find_word(t, both + left, right),
                               bpe_find_word(t, both, left + right)};
            sound = merge.left != BPE_NONE && merge.right != BPE_NONE && merge.made != BPE_NONE;
            if (!sound) break;
            t->merges[t->merge_count++] = merge;
            more = json_take(r, ',');
        }
        if (sound && (closed || json_take(r, ']'))) status = bpe_index_merges(t);
    }
    tp_free(both);
    return status;
}

/* Both parts, from the brace of the vocabulary at r->at to behind the bracket of the merges. */
static int64_t bpe_read(bpe_tables *t, json_reader *r) {
    static const char key[] = "merges";
    int64_t status = bpe_read_words(t, r);
    if (status) return status;
    if (!json_take(r, ',') || !json_take(r, '"') || r->size - r->at < (int64_t)sizeof key) return TP_ARGUMENT;
    if (memcmp(r->text + r->at, key, sizeof key - 1)) return TP_ARGUMENT;
    r->at += sizeof key - 1;
    if (json_peek(r) != '"') return TP_ARGUMENT;
    r->at++;
    return json_take(r, ':') ? bpe_read_merges(t, r) : TP_ARGUMENT;
}

#endif

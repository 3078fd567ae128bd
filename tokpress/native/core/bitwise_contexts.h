/* What a lane knows before its next token, as contexts of the decisions that code it (bitwise_model.h): the last tokens, words,
 * kinds of characters, the line, the token above, and the place where the last tokens occurred before.
 * priors/text/bitwise_contexts.py is the twin. */
#ifndef TP_BITWISE_CONTEXTS_H
#define TP_BITWISE_CONTEXTS_H

#include "byte_contexts.h"

#define TOKEN_CONTEXTS 13
#define COLUMNS 256 /* of a line that are told apart */
#define FOLLOWED 6 /* tokens that agree before a match is followed */
#define COMPARED 32
#define FOLLOWED_BUCKETS 32 /* of lengths; 0: no match */
#define LONGEST_TOKEN 32 /* bytes */

/* The bytes of all tokens, by place; the place of token v is its number in an order in which like tokens are near. */
typedef struct {
    int64_t symbols;
    int32_t *place, *symbol; /* [V], each the reverse of the other */
    int32_t *start; /* [V + 1] */
    uint8_t *bytes;
} token_table;

typedef struct {
    byte_state bytes;
    uint64_t last[4]; /* places of the last tokens plus 1, the newest first; 0: none */
    uint64_t first, first_before; /* of this line, and of the line before, as in `last` */
    uint64_t own; /* differs from lane to lane */
    int32_t column; /* bytes since the last line feed */
    uint32_t above[COLUMNS]; /* the last token that began in each column */
    int64_t begin, here; /* in the history: its first token, and its next one */
    int64_t match; /* place in the history of the token that is expected */
    int32_t length; /* tokens that agree before it; 0: none is expected */
    int32_t expected; /* its place */
    uint64_t hash[TOKEN_CONTEXTS];
} token_lane;

INLINE uint64_t kind_of(uint32_t byte) {
    if (byte >= 'A' && byte <= 'Z') return 1;
    if (is_letter(byte)) return 0;
    return byte >= '0' && byte <= '9' ? 2 : byte == ' ' ? 3 : byte == '\n' ? 4 : 5;
}

static void hash_contexts(token_lane *l) {
    const uint64_t *last = l->last, word = l->bytes.word, byte = l->bytes.last & 255;
    const uint64_t column = (uint64_t)(l->column < COLUMNS ? l->column : COLUMNS - 1);
    uint64_t kinds = 0, *h = l->hash;
    for (int i = 0; i < 8; i++) kinds = 6 * kinds + kind_of(l->bytes.last >> 8 * i & 255);
    h[0] = word + (byte << 44);
    h[1] = 3 * word + 0x10001 * l->bytes.older_word + (byte << 40);
    h[2] = last[0] + l->own;
    h[3] = 3 * (last[0] + (last[1] << 17) + l->own);
    h[4] = 5 * (word + l->own) + byte;
    h[5] = l->first << 17 | last[0];
    h[6] = kinds;
    h[7] = kinds << 17 | last[0];
    h[8] = l->first_before << 17 | l->first | (column < 31 ? column : 31) << 40;
    h[9] = last[2] | last[3] << 17;
    h[10] = column << 17 | l->above[column];
    h[11] = l->bytes.last & 0xFFFF;
    h[12] = byte;
    for (int i = 0; i < TOKEN_CONTEXTS; i++) h[i] = scramble(h[i] + ((uint64_t)(i + 1) << 56));
}

INLINE int32_t followed_bucket(int32_t length) {
    return length < 16 ? length : length < 32 ? 12 + length / 4 : 20 + (length < 320 ? length / 32 : 10);
}

/* Follow the match, or look for one. The newest token is in the history. heads: where a hash of tokens ended last. */
static void follow_match(token_lane *l, const uint32_t *history, uint32_t *heads, int log2) {
    const int64_t here = l->here, seen = here - l->begin;
    if (l->length > 0 && history[l->match] == history[here - 1]) {
        l->match++;
        if (l->length < 65535) l->length++;
    } else {
        l->length = 0;
    }
    if (seen >= FOLLOWED) {
        uint64_t hash = 0;
        for (int i = 1; i <= FOLLOWED; i++) hash = 0x10001 * hash + history[here - i];
        uint32_t *head = heads + (scramble(hash) >> (64 - log2));
        if (l->length == 0 && *head > 0) {
            const int64_t found = *head;
            int64_t most = found < seen ? found : seen;
            int32_t length = 0;
            if (most > COMPARED) most = COMPARED;
            while (length < most && history[found - 1 - length] == history[here - 1 - length]) length++;
            if (length >= FOLLOWED) {
                l->match = found;
                l->length = length;
            }
        }
        *head = (uint32_t)here;
    }
    l->expected = (int32_t)history[l->match] - 1;
    if (l->expected < 0) l->length = 0; /* not written yet */
}

/* A lane has one more token. */
static void add_token(token_lane *l, const token_table *t, int32_t place, uint32_t *history, uint32_t *heads, int log2) {
    l->above[l->column < COLUMNS ? l->column : COLUMNS - 1] = (uint32_t)place + 1;
    for (int32_t at = t->start[place]; at < t->start[place + 1]; at++) {
        const uint32_t byte = t->bytes[at];
        byte_add(&l->bytes, byte);
        l->column++;
        if (byte == '\n') {
            l->first_before = l->first;
            l->first = 0;
            l->column = 0;
        }
    }
    if (l->first == 0 && l->column > 0) l->first = (uint64_t)place + 1;
    for (int i = 3; i > 0; i--) l->last[i] = l->last[i - 1];
    l->last[0] = (uint64_t)place + 1;
    history[l->here++] = (uint32_t)place + 1;
    follow_match(l, history, heads, log2);
}

#endif

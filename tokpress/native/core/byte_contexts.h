/* Contexts of a byte: hashes of some of the bytes before it, for text, records and programs. */
#ifndef TP_BYTE_CONTEXTS_H
#define TP_BYTE_CONTEXTS_H

#include "slots.h"

#define HASHED 10 /* contexts whose bit histories are hashed */

typedef struct {
    uint64_t last; /* the last 8 bytes, the newest lowest */
    uint64_t word, older_word; /* hashes of the letters since the last other byte, and of the word before */
} byte_state;

INLINE bool is_letter(uint32_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 128;
}

INLINE uint64_t word_with(uint64_t word, uint32_t byte) {
    if (!is_letter(byte)) return 0;
    return ((word + byte - (byte >= 'A' && byte <= 'Z') * ('A' - 'a') + 1) * 0x2C1B3C6D297A2D39u) >> 20;
}

INLINE void byte_add(byte_state *s, uint32_t byte) {
    if (s->word != 0 && !is_letter(byte)) s->older_word = s->word;
    s->word = word_with(s->word, byte);
    s->last = s->last << 8 | byte;
}

/* Hashes for the byte at `position`, of the state that will be after `byte`. record: length of the records that end
 * there, or 0 (records.h); `history` lacks the last byte. */
INLINE void byte_contexts(const byte_state *state, const uint8_t *history, int64_t record, uint32_t byte,
                          int64_t position, uint64_t *hash) {
    byte_state s = *state;
    byte_add(&s, byte);
    uint64_t last = s.last;
    hash[0] = (last & 0xFFFF) + ((uint64_t)1 << 60);
    hash[1] = (last & 0xFFFFFF) + ((uint64_t)2 << 60);
    hash[2] = (last & 0xFFFFFFFF) + ((uint64_t)3 << 60);
    hash[3] = (last & 0xFFFFFFFFFFFF) + ((uint64_t)4 << 60);
    hash[4] = s.word + ((last & 255) << 52) + 5;
    hash[5] = s.word * 3 + s.older_word * 0x10001 + (last << 56) + 6;
    hash[6] = (last & 0xFFFF00) + ((uint64_t)7 << 60);   /* the bytes 2 and 3 back */
    hash[7] = (last & 0xFFFF0000) + ((uint64_t)8 << 60); /* 3 and 4 back */
    hash[8] = (last & 0xFF000000FF000000) + (uint64_t)(position & 3) + 9; /* records of 4 bytes */
    hash[9] = (last & 0xF0F0F0F0) + ((uint64_t)10 << 60); /* the kinds of the last four characters */
    if (record > 0) {
        const uint8_t *above = history + position - record;
        uint64_t up = above[0], west = last & 255, column = (uint64_t)(position % record);
        hash[5] = (up << 16 | (uint64_t)above[-record] << 8 | west) + ((uint64_t)11 << 60);
        hash[6] = (column << 16 | up << 8) + ((uint64_t)12 << 60);
        hash[7] = (column << 16 | west << 8) + ((uint64_t)13 << 60);
        hash[8] = (up << 24 | (last & 0xFFFF) << 8 | above[1]) + ((uint64_t)14 << 60);
        hash[9] = (up << 8 | west) + ((uint64_t)15 << 60);
    }
    for (int i = 0; i < HASHED; i++) hash[i] = scramble(hash[i]);
}

#endif

/* The match model: follow the last place where the last bytes occurred, and expect what came there.
 *
 * A table tells, for a hash of five bytes, where they ended last. A match is verified by comparing bytes, and given
 * up only after some failures: one differing byte does not end it, as a record goes on after its number. */
#ifndef TP_MATCH_H
#define TP_MATCH_H

#include "slots.h"

#define MATCH_LONGEST 32  /* bytes compared when a match is looked up */
#define MATCH_SHORTEST 4
#define MATCH_PATIENCE 16
#define MATCH_BUCKETS 32  /* of lengths; 0: no match */

typedef struct {
    uint32_t *heads; /* 0: nowhere */
    int log2;
    /* from here on, what coding changes */
    uint32_t head;  /* the first of four */
    int64_t place;  /* of the byte that is expected */
    int32_t length; /* bytes that agree; 0: none is expected */
    int32_t misses, bucket;
    uint32_t expected;
} match_model;

/* Two bits early: the four heads, side by side, of which the last two bits of the newest byte will choose one. */
INLINE void match_ask(match_model *m, uint64_t last) {
    m->head = (uint32_t)(scramble(last << 24 | 1) >> (66 - m->log2)) << 2;
    prefetch(m->heads + m->head);
}

/* One bit early: the two places where the last bytes may have ended before. two_bits: the last one not known yet, 0. */
INLINE void match_look(const match_model *m, const uint8_t *history, uint32_t two_bits) {
    if (m->length > 0) return;
    for (uint32_t bit = 0; bit < 2; bit++) {
        uint32_t found = m->heads[m->head + two_bits + bit];
        if (found > 0) prefetch(history + found - 1);
    }
}

INLINE int32_t match_bucket(int32_t length) {
    return length < 16 ? 1 + length : length < 32 ? 13 + (length >> 2) : length < 160 ? 19 + (length >> 4) : 28;
}

/* A byte has been added to the history, which now has `here` bytes. */
INLINE void match_follow(match_model *m, const uint8_t *history, int64_t here) {
    uint32_t *head = m->heads + m->head + (history[here - 1] & 3);
    int64_t place = m->place > 0 ? m->place + 1 : 0;
    if (m->length > 0) {
        if (m->length < 65535) m->length++;
        if (m->length >= 16) m->misses = 0;
    } else if (here > MATCH_SHORTEST) {
        int64_t found = *head;
        int32_t length = 0;
        int64_t most = found < here ? found : here; /* several matches in one history: what is found may be further on */
        if (most > MATCH_LONGEST) most = MATCH_LONGEST;
        while (length < most && history[found - 1 - length] == history[here - 1 - length]) length++;
        if (length >= MATCH_SHORTEST) {
            place = found;
            m->length = length;
            m->misses = 0;
        } else if (place > 0 && m->misses < MATCH_PATIENCE) {
            m->length = 1;
        } else {
            place = 0;
        }
    }
    *head = (uint32_t)here;
    m->place = place;
    m->bucket = m->length > 0 ? match_bucket(m->length) : 0;
    m->expected = history[place];
}

/* Another bit came than was expected. */
INLINE void match_miss(match_model *m) {
    m->length = m->bucket = 0;
    m->misses++;
}

#endif

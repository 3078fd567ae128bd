/* The match model: follow the last place where the last bytes occurred, and expect what came there.
 *
 * A table tells, for a hash of five bytes, where they ended last. A match is verified by comparing bytes, and given up only after
 * some failures: one differing byte does not end it, as a record goes on after its number. */
#ifndef TP_MATCH_H
#define TP_MATCH_H

#include "slots.h"

#define MATCH_LONGEST 32  /* bytes compared when a match is looked up */
#define MATCH_SHORTEST 4
#define MATCH_PATIENCE 8
#define MATCH_BUCKETS 32  /* of lengths; 0: no match */

typedef struct {
    uint32_t *heads; /* 0: nowhere */
    int log2;
    uint32_t head;  /* of the bytes before the next one */
    uint32_t found; /* what it held */
    int64_t place;  /* of the byte that is expected */
    int32_t length; /* bytes that agree; 0: none is expected */
    int32_t misses, bucket;
    uint32_t expected;
} match_model;

/* Two bits early, those of the newest byte not being known: where the head lies. */
INLINE void match_ask(match_model *m, uint64_t last) {
    m->head = (uint32_t)(scramble(last << 24 | 1) >> (64 - m->log2));
    prefetch(m->heads + m->head);
}

/* One bit early: where the last bytes ended before. */
INLINE void match_look(match_model *m, const uint8_t *history) {
    m->found = m->heads[m->head];
    if (m->length == 0 && m->found > 0) prefetch(history + m->found - 1);
}

INLINE int32_t match_bucket(int32_t length) {
    return length < 16 ? 1 + length : length < 32 ? 13 + (length >> 2) : length < 160 ? 19 + (length >> 4) : 28;
}

/* A byte has been added to the history, which now has `here` bytes. */
INLINE void match_follow(match_model *m, const uint8_t *history, int64_t here) {
    int64_t place = m->place > 0 ? m->place + 1 : 0;
    if (m->length > 0) {
        if (m->length < 65535) m->length++;
        if (m->length >= 16) m->misses = 0;
    } else if (here > MATCH_SHORTEST) {
        int64_t found = m->found;
        int32_t length = 0;
        while (length < MATCH_LONGEST && length < found && history[found - 1 - length] == history[here - 1 - length]) length++;
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
    m->heads[m->head] = (uint32_t)here;
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

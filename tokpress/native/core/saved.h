/* A state to come back to: copies of the memory that coding changes. A model that has read the context of many short sources codes each of
 * them from there. Blocks stay where they are, so pointers between them stay valid.
 *
 * Of a large table, a short source changes a few places. A log tells which, and only these are copied back. */
#ifndef TP_SAVED_H
#define TP_SAVED_H

#include "core.h"

#define SAVED_BLOCKS 1024
#define LOG_ROOM (1 << 17)

/* Numbers of changed places of a table; more than LOG_ROOM where they were too many to be noted. */
typedef struct {
    int64_t count;
    uint32_t places[LOG_ROOM];
} change_log;

typedef struct {
    void *at, *copy;
    size_t size, unit; /* unit: bytes of a place */
    change_log *log;   /* NULL: all of it is copied back */
} saved_block;

typedef struct {
    saved_block blocks[SAVED_BLOCKS];
    int count;
} saved_state;

INLINE void log_change(change_log *l, int64_t place) {
    if (l == NULL) return;
    if (l->count < LOG_ROOM) l->places[l->count] = (uint32_t)place;
    l->count++;
}

static UNUSED void saved_free(saved_state *s) {
    if (s == NULL) return;
    for (int i = 0; i < s->count; i++) {
        free(s->blocks[i].copy);
        free(s->blocks[i].log);
    }
    free(s);
}

/* Copy a block; false where there is no room. A state whose block is missing must not be restored. */
static UNUSED bool saved_add(saved_state *s, void *at, size_t size) {
    if (size == 0) return true;
    void *copy = s->count < SAVED_BLOCKS ? malloc(size) : NULL;
    if (copy == NULL) return false;
    memcpy(copy, at, size);
    s->blocks[s->count++] = (saved_block){at, copy, size, 1, NULL};
    return true;
}

/* The same for a table whose changes are logged from now on; NULL where there is no room. */
static UNUSED change_log *saved_table(saved_state *s, void *at, size_t places, size_t unit) {
    change_log *log = calloc(1, sizeof *log);
    if (log == NULL || !saved_add(s, at, places * unit)) {
        free(log);
        return NULL;
    }
    s->blocks[s->count - 1].unit = unit;
    return s->blocks[s->count - 1].log = log;
}

static UNUSED void saved_restore(const saved_state *s) {
    for (int i = 0; i < s->count; i++) {
        const saved_block *b = s->blocks + i;
        if (b->log == NULL || b->log->count > LOG_ROOM) {
            memcpy(b->at, b->copy, b->size);
        } else {
            for (int64_t k = 0; k < b->log->count; k++) {
                const size_t from = b->log->places[k] * b->unit;
                memcpy((uint8_t *)b->at + from, (uint8_t *)b->copy + from, b->unit);
            }
        }
        if (b->log) b->log->count = 0;
    }
}

#endif

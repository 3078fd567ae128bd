/* A state to come back to: copies of the memory that coding changes. A model that has read the context of many short sources codes each of
 * them from there. Blocks stay where they are, so pointers to them stay valid.
 *
 * Of a large table, a short source changes a few places. A log tells which, and only these are copied back.
 *
 * Blocks hold no pointers, so their bytes also serve a model of another process, if it was made alike. */
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
    change_log *log, **used; /* used: where a table's log is found while there is one; NULL: all of the block is copied back */
} saved_block;

typedef struct {
    saved_block blocks[SAVED_BLOCKS];
    int count;
    bool full; /* there are more blocks than that */
} saved_state;

INLINE void log_change(change_log *l, int64_t place) {
    if (l == NULL) return;
    if (l->count < LOG_ROOM) l->places[l->count] = (uint32_t)place;
    l->count++;
}

/* Add a table to the list. used: where the code that changes it finds its log. */
static UNUSED void saved_table(saved_state *s, void *at, size_t places, size_t unit, change_log **used) {
    if (s->count == SAVED_BLOCKS) s->full = true;
    if (s->full || places == 0) return;
    s->blocks[s->count++] = (saved_block){at, NULL, places * unit, unit, NULL, used};
}

/* Add a block to the list. */
static UNUSED void saved_add(saved_state *s, void *at, size_t size) { saved_table(s, at, size, 1, NULL); }

static UNUSED void saved_free(saved_state *s) {
    if (s == NULL) return;
    for (int i = 0; i < s->count; i++) {
        free(s->blocks[i].copy);
        free(s->blocks[i].log);
    }
    free(s);
}

/* Copy the blocks of the list; changes of tables are logged from now on. False where there is no room: nothing is logged. */
static UNUSED bool saved_copy(saved_state *s) {
    bool done = !s->full;
    for (saved_block *b = s->blocks; done && b < s->blocks + s->count; b++) {
        b->copy = malloc(b->size);
        if (b->used) b->log = calloc(1, sizeof *b->log);
        done = b->copy && (b->log || !b->used);
        if (done) memcpy(b->copy, b->at, b->size);
    }
    for (saved_block *b = s->blocks; done && b < s->blocks + s->count; b++)
        if (b->used) *b->used = b->log;
    return done;
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

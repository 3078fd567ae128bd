/* A state to come back to: copies of the memory that coding changes. A model that has read the context of many short sources codes each of
 * them from there. Blocks stay where they are, so pointers to them stay valid.
 *
 * Of a large table, a short source changes a few places. A log tells which, and only these are copied back.
 *
 * Blocks hold no pointers. So a state can also be written as bytes, for models of other processes that are made alike. Most of it is as
 * it was in a model that has coded nothing, so the bytes tell the difference. For each block, for 64 lines of 64 bytes at a time:
 *
 *     a word, whose bit i says whether line i differs │ the lines that differ
 *
 * Whoever reads such bytes has to know that they are those of a model made alike: sizes are checked, values are not. */
#ifndef TP_SAVED_H
#define TP_SAVED_H

#include "core.h"

#define SAVED_BLOCKS 1024
#define LOG_ROOM (1 << 17)
#define SAVED_LINE ((size_t)64)

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

/* An empty list, or NULL. */
static UNUSED saved_state *saved_new(void) { return calloc(1, sizeof(saved_state)); }

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

/* Write the state of the blocks of `s`. fresh: those of a model made alike that has coded nothing. Returns the size; nothing is
 * written beyond `room`. TP_ARGUMENT where the models differ. */
static UNUSED int64_t saved_write(const saved_state *s, const saved_state *fresh, uint8_t *out, int64_t room) {
    int64_t used = 0;
    if (s->full || s->count != fresh->count) return TP_ARGUMENT;
    for (int k = 0; k < s->count; k++) {
        const uint8_t *at = s->blocks[k].at, *was = fresh->blocks[k].at;
        size_t left = s->blocks[k].size;
        if (fresh->blocks[k].size != left) return TP_ARGUMENT;
        while (left > 0) {
            const int64_t word_at = used;
            uint64_t word = 0;
            used += 8;
            for (int i = 0; i < 64 && left > 0; i++) {
                const size_t size = left < SAVED_LINE ? left : SAVED_LINE;
                if (memcmp(at, was, size) != 0) {
                    word |= (uint64_t)1 << i;
                    if (used + (int64_t)size <= room) memcpy(out + used, at, size);
                    used += (int64_t)size;
                }
                at += size;
                was += size;
                left -= size;
            }
            if (word_at + 8 <= room) memcpy(out + word_at, &word, 8);
        }
    }
    return used;
}

/* Take up a state in a model that has coded nothing. 0, or TP_ARGUMENT where the bytes have another size than that of such a state; the
 * model is of no use then. */
static UNUSED int64_t saved_read(const saved_state *s, const uint8_t *from, int64_t size) {
    size_t left = size < 0 ? 0 : (size_t)size;
    for (int k = 0; k < s->count; k++) {
        const saved_block *b = s->blocks + k;
        for (size_t first = 0; first < b->size; first += 64 * SAVED_LINE) {
            uint64_t word;
            if (left < 8) return TP_ARGUMENT;
            memcpy(&word, from, 8);
            from += 8;
            left -= 8;
            for (; word; word &= word - 1) {
                const size_t at = first + SAVED_LINE * (size_t)__builtin_ctzll(word);
                const size_t length = at >= b->size ? 0 : b->size - at < SAVED_LINE ? b->size - at : SAVED_LINE;
                if (length == 0 || left < length) return TP_ARGUMENT;
                memcpy((uint8_t *)b->at + at, from, length);
                from += length;
                left -= length;
            }
        }
    }
    return left || s->full ? TP_ARGUMENT : 0;
}

#endif

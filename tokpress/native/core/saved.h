/* A state to come back to: copies of the memory that coding changes. A model that has read the context of many short sources codes each of
 * them from there. Blocks stay where they are, so pointers between them stay valid. */
#ifndef TP_SAVED_H
#define TP_SAVED_H

#include "core.h"

#define SAVED_BLOCKS 1024

typedef struct {
    void *at, *copy;
    size_t size;
} saved_block;

typedef struct {
    saved_block blocks[SAVED_BLOCKS];
    int count;
} saved_state;

static UNUSED void saved_free(saved_state *s) {
    if (s == NULL) return;
    for (int i = 0; i < s->count; i++) free(s->blocks[i].copy);
    free(s);
}

/* Copy a block; false where there is no room. A state whose block is missing must not be restored. */
static UNUSED bool saved_add(saved_state *s, void *at, size_t size) {
    if (size == 0) return true;
    void *copy = s->count < SAVED_BLOCKS ? malloc(size) : NULL;
    if (copy == NULL) return false;
    memcpy(copy, at, size);
    s->blocks[s->count++] = (saved_block){at, copy, size};
    return true;
}

static UNUSED void saved_restore(const saved_state *s) {
    for (int i = 0; i < s->count; i++) memcpy(s->blocks[i].at, s->blocks[i].copy, s->blocks[i].size);
}

#endif

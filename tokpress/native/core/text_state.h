/* The state of one frame of a text model: a network with its head, a memory, and scratch space for each thread. All of it is allocated
 * here. Tensors are used where they are mapped, except those that must be packed or padded. */
#ifndef TP_TEXT_STATE_H
#define TP_TEXT_STATE_H

#include "rows_coder.h"
#include "saved.h"
#include "team.h"
#include "text_head.h"
#include "text_memory.h"
#include "text_network.h"

#define MAX_LANES (1 << 16)
/* Lanes that one task takes at most: weights, which are larger than a near cache, are read once for all of them. */
#define PANEL MAX_ROWS

/* A block that is freed with the handle. fixed: no saved state needs it, since it never changes, or holds nothing between two steps. */
typedef struct {
    void *at;
    size_t size;
    bool fixed;
} text_block_owned;

typedef struct {
    int64_t lanes, tokens, steps; /* lane i holds tokens i * steps ... */
    int64_t begin;
    text_network network;
    text_head head;
    uint8_t *next_a; /* features of the step that begins: `head` still learns from the others */
    float *next_r;
    bool turned; /* whether they have changed places with those of `head` an odd number of times */
    int32_t *own; /* [lanes]: places of the last symbols, where the head is factored but gives all */
    text_memory memory;
    bool remembers;
    int64_t symbols, top, outputs, top_marks, members, member_room, member_marks; /* top: classes, or symbols; shift: to the class */
    int shift;
    int32_t *place, *symbol; /* [V], each the reverse of the other, where symbols are coded by class and member */
    /* of the step, [lanes, ...] */
    int64_t step, first, rows, panels, pushed; /* the lanes of its group; pushed: lanes whose intervals wait to be pushed */
    int32_t *given, *last, *of_class; /* symbols; places of the last symbols; classes */
    float *out, *sums, *member_out, *member_sums; /* probabilities, and their sums */
    float *of_symbol; /* probabilities under the head alone */
    interval *intervals; /* [lanes, 2]: of classes or symbols, of members */
    int32_t *coded; /* places that are known, when they are encoded */
    double *costs; /* [lanes, 2]: probabilities of what came, when it is scored */
    /* where tokens are coded bit by bit (bitwise.c); else NULL */
    void (*code_bits)(void *bitwise, int thread); /* while a step begins: codes what waits; the memory learns what was coded */
    void *bitwise;
    int32_t *order; /* [V, padded]: the symbol at each place, where there are no classes */
    uint32_t *masses, *mass_sums; /* of decisions (text_step.h) */
    int64_t mass_room;
    text_room rooms[MAX_THREADS];
    int8_t *rounded[MAX_THREADS];
    team *team;
    range_encoder encoder;
    range_decoder decoder;
    const uint8_t *payload;
    text_block_owned *owned;
    int64_t owned_count, owned_room;
    saved_state *saved; /* NULL where none was saved */
    bool failed;
} text;

/* Zeroed memory that goes with the handle; NULL sets t->failed. */
static void *text_zeros(text *t, int64_t count, int64_t size) {
    if (t->owned_count == t->owned_room) {
        int64_t room = 2 * t->owned_room + 64;
        text_block_owned *owned = realloc(t->owned, (size_t)room * sizeof *owned);
        if (owned == NULL) {
            t->failed = true;
            return NULL;
        }
        t->owned = owned;
        t->owned_room = room;
    }
    const size_t bytes = (size_t)(count ? count : 1) * (size_t)size;
    void *memory = count >= 0 && count < (int64_t)1 << 40 ? tp_zeros(bytes) : NULL;
    if (memory == NULL)
        t->failed = true;
    else
        t->owned[t->owned_count++] = (text_block_owned){memory, bytes, false};
    return memory;
}
/* The blocks from number `since` on are fixed. */
static void text_fix(text *t, int64_t since) {
    for (int64_t i = since; i < t->owned_count; i++) t->owned[i].fixed = true;
}
static float *text_floats(text *t, int64_t count) { return text_zeros(t, count, 4); }

/* Tensors one after the other, each of the size that is expected. */
typedef struct {
    const void *const *tensors;
    const int64_t *sizes;
    int64_t count, next;
    bool wrong;
} tensor_list;

static const void *next_tensor(tensor_list *l, int64_t bytes) {
    if (l->wrong || l->next == l->count || l->sizes[l->next] != bytes) {
        l->wrong = true;
        return NULL;
    }
    return l->tensors[l->next++];
}

/* A vector of `count` floats, `parts` of them after each other, each padded. */
static float *next_vector(text *t, tensor_list *l, int64_t count, int64_t parts) {
    const uint8_t *from = next_tensor(l, 4 * count * parts);
    const int64_t since = t->owned_count;
    float *to = text_floats(t, padded(count) * parts);
    text_fix(t, since);
    if (from && to)
        for (int64_t p = 0; p < parts; p++) memcpy(to + p * padded(count), from + 4 * p * count, (size_t)(4 * count));
    return to;
}

/* Weights [parts * outputs, inputs], packed: each part's outputs are padded, so that they stand as next_vector's do. */
static packed_weights pack(text *t, const int8_t *q, int64_t outputs, int64_t parts, int64_t inputs, bool nonnegative) {
    packed_weights p = {packed_outputs(parts * padded(outputs)), packed_inputs(inputs), NULL, NULL, nonnegative};
    p.weights = text_zeros(t, p.outputs * p.inputs, 1);
    p.first = text_zeros(t, p.outputs, 4);
    if (!p.weights || !p.first) return p;
    pack_zeros(&p);
    if (q)
        for (int64_t part = 0; part < parts; part++)
            pack_rows(&p, part * padded(outputs), q + part * outputs * inputs, outputs, inputs);
    return p;
}
static packed_weights next_packed(text *t, tensor_list *l, int64_t outputs, int64_t parts, int64_t inputs, bool nonnegative) {
    const int64_t since = t->owned_count;
    packed_weights p = pack(t, next_tensor(l, outputs * parts * inputs), outputs, parts, inputs, nonnegative);
    text_fix(t, since);
    return p;
}

static float *rest_of(text *t, const float *mu, int64_t width) {
    const int64_t since = t->owned_count;
    float *rest = text_floats(t, padded(width));
    text_fix(t, since);
    for (int64_t c = 0; mu && rest && c < width; c++) rest[c] = 1.0f - mu[c];
    return rest;
}

static UNUSED void start_network(text *t, text_network *n, tensor_list *l) {
    const int64_t d = n->width, h = n->hidden;
    n->wide = padded(d);
    n->hide = padded(h);
    n->found = padded(2 * n->features);
    n->per = 1.0f / (float)d;
    n->embedding = next_tensor(l, n->symbols * d);
    n->embedding_scale = next_tensor(l, 4 * n->symbols);
    if (n->grams) {
        n->two = next_tensor(l, n->grams * n->features);
        n->two_scale = next_tensor(l, 4 * n->grams);
        n->three = next_tensor(l, n->grams * n->features);
        n->three_scale = next_tensor(l, 4 * n->grams);
        n->mix = next_packed(t, l, d, 1, 2 * n->features, false);
        n->mix_scale = next_vector(t, l, d, 1);
    }
    n->before = text_zeros(t, 2 * t->lanes, 4);
    for (int64_t i = 0; n->before && i < 2 * t->lanes; i++) n->before[i] = (int32_t)t->begin;
    const int64_t since = t->owned_count;
    n->blocks = text_zeros(t, n->depth, sizeof *n->blocks);
    text_fix(t, since);
    for (int64_t i = 0; n->blocks && i < n->depth; i++) {
        text_block *b = n->blocks + i;
        b->mix_in = next_packed(t, l, d, 3, d, false);
        b->mix_in_scale = next_vector(t, l, d, 3);
        b->mix_out = next_packed(t, l, d, 1, d, false);
        b->mix_out_scale = next_vector(t, l, d, 1);
        b->ff_in = next_packed(t, l, h, 1, d, false);
        b->ff_in_scale = next_vector(t, l, h, 1);
        b->ff_out = next_packed(t, l, d, 1, h, true);
        b->ff_out_scale = next_vector(t, l, d, 1);
        b->mix_mu = next_vector(t, l, d, 1);
        b->ff_mu = next_vector(t, l, d, 1);
        b->forget_bias = next_vector(t, l, d, 1);
        b->mix_rest = rest_of(t, b->mix_mu, d);
        b->ff_rest = rest_of(t, b->ff_mu, d);
        b->last_mix = text_floats(t, t->lanes * n->wide);
        b->h = text_floats(t, t->lanes * n->wide);
        b->last_ff = text_floats(t, t->lanes * n->wide);
    }
}

static UNUSED void start_head(text *t, text_head *h, tensor_list *l, double rate) {
    const int8_t *q = h->trained = next_tensor(l, h->rows * h->width);
    const uint8_t *scale = next_tensor(l, 4 * h->rows), *bias = next_tensor(l, 4 * h->rows);
    h->wide = padded(h->width);
    h->outputs = padded(h->top);
    h->lanes = t->lanes;
    h->learns = rate > 0;
    h->every = 16 / t->lanes > 1 ? 16 / t->lanes : 1;
    int64_t since = t->owned_count;
    h->packed = pack(t, q, h->gives_all ? h->rows : h->top, 1, h->width, false);
    if (!h->learns) text_fix(t, since);
    if (h->gives_all) h->all = text_floats(t, t->lanes * padded(h->symbols));
    since = t->owned_count;
    h->top_scale = text_floats(t, h->outputs);
    h->top_bias = text_floats(t, h->outputs);
    h->unit = text_floats(t, h->rows);
    text_fix(t, since);
    h->a = text_zeros(t, t->lanes * h->wide, 1);
    h->r = text_floats(t, t->lanes);
    h->drawn = text_zeros(t, t->lanes * 2 * DRAWS, 4);
    h->weights = text_zeros(t, t->lanes * h->outputs, 4);
    h->divisor = text_floats(t, t->lanes);
    if (h->classes) {
        h->member_room = (h->members + MEMBER_PAD - 1) / MEMBER_PAD * MEMBER_PAD;
        since = t->owned_count;
        h->member_rows = text_zeros(t, (h->symbols + 4) * h->wide, 1);
        h->first = text_zeros(t, h->symbols + 4, 4);
        if (!h->learns) text_fix(t, since);
        since = t->owned_count;
        h->member_scale = text_floats(t, h->classes * h->member_room);
        h->member_bias = text_floats(t, h->classes * h->member_room);
        text_fix(t, since);
        h->member_weights = text_zeros(t, t->lanes * h->member_room, 4);
        h->member_divisor = text_floats(t, t->lanes);
    }
    if (h->learns) {
        h->master = text_zeros(t, h->rows * h->wide, 4);
        h->has_master = text_zeros(t, h->rows, 1);
        h->is_dirty = text_zeros(t, h->rows, 1);
        h->count = text_zeros(t, h->rows, 4);
        h->move_of = text_zeros(t, h->rows, 4);
        h->moved = text_zeros(t, h->rows, 4);
        h->dirty = text_zeros(t, h->rows, 4);
        h->moves = text_zeros(t, t->lanes * 2 * (DRAWS + 1), sizeof *h->moves);
    }
    if (t->failed || l->wrong) return;
    for (int64_t v = 0; v < h->rows; v++) {
        float s = load_float(scale, v);
        h->unit[v] = (float)(rate * (1 << FRACTION)) / (s > 0x1p-40f ? s : 0x1p-40f);
    }
    for (int64_t v = 0; v < h->outputs; v++) {
        h->top_scale[v] = v < h->top ? load_float(scale, v) : 0.0f;
        h->top_bias[v] = v < h->top ? load_float(bias, v) : -0x1.fffffep127f;
    }
    for (int64_t c = 0; c < h->classes; c++)
        for (int64_t m = 0; m < h->member_room; m++) {
            int64_t v = h->classes + c * h->members + m, at = c * h->member_room + m;
            h->member_scale[at] = m < h->members ? load_float(scale, v) : 0.0f;
            h->member_bias[at] = m < h->members ? load_float(bias, v) : -0x1.fffffep127f;
        }
    for (int64_t v = 0; h->classes && v < h->symbols; v++) {
        const int8_t *row = q + (h->classes + v) * h->width;
        int32_t sum = 0;
        for (int64_t k = 0; k < h->width; k++) sum += row[k];
        memcpy(h->member_rows + v * h->wide, row, (size_t)h->width);
        h->first[v] = -MEMBER_OFFSET * sum;
    }
}

static UNUSED void start_rooms(text *t, int threads) {
    int64_t widest = 0, bytes = 0, product = 0;
    const text_network *n = &t->network;
    const text_head *h = &t->head;
    const int64_t given[] = {n->wide, n->hide, n->found, h->outputs, h->member_room};
    for (int i = 0; i < 5; i++) widest = given[i] > widest ? given[i] : widest;
    for (int i = 0; i < 3; i++) bytes = given[i] > bytes ? given[i] : bytes;
    const int64_t outs[] = {packed_outputs(3 * n->wide), packed_outputs(n->hide), h->packed.outputs + MEMBER_PAD, h->member_room};
    for (int i = 0; i < 4; i++) product = outs[i] > product ? outs[i] : product;
    const int64_t panel = t->lanes < PANEL ? t->lanes : PANEL, since = t->owned_count;
    for (int i = 0; i < threads; i++) {
        text_room *m = t->rooms + i;
        m->rows = panel;
        m->stride = bytes;
        m->x = text_floats(t, panel * widest);
        m->row = text_floats(t, widest);
        m->by_place = text_floats(t, padded(t->symbols));
        m->r = text_floats(t, panel);
        m->a = text_zeros(t, panel * bytes, 1);
        m->quads = text_zeros(t, panel * (bytes / 4 + 4), sizeof *m->quads);
        m->acc = text_zeros(t, panel * product, 4);
        t->rounded[i] = text_zeros(t, bytes, 1);
    }
    text_fix(t, since);
}

/* Exchange the features of the step that begins and those of `head`. */
INLINE void turn_features(text *t) {
    uint8_t *a = t->head.a;
    float *r = t->head.r;
    t->head.a = t->next_a;
    t->head.r = t->next_r;
    t->next_a = a;
    t->next_r = r;
    t->turned = !t->turned;
}

/* The blocks that a step changes. */
static UNUSED void text_blocks(saved_state *s, text *t) {
    text_head *h = &t->head;
    if (t->remembers) memory_blocks(s, &t->memory);
    int64_t *const numbers[] = {&t->step, &t->first, &t->rows, &t->panels, &h->moved_count, &h->dirty_count, &h->move_count};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) saved_add(s, numbers[i], sizeof **numbers);
    saved_add(s, &t->turned, sizeof t->turned);
    for (int64_t i = 0; i < t->owned_count; i++)
        if (!t->owned[i].fixed) saved_add(s, t->owned[i].at, t->owned[i].size);
}

/* Copy what a step changes, to come back to this step. The encoder and the decoder have not begun. blocks: more to copy, which is
 * freed with the handle, or NULL where there was no memory for it. 0, TP_ARGUMENT or TP_MEMORY. */
static UNUSED int64_t save_text(text *t, saved_state *blocks) {
    const bool may = !t->saved && !t->encoder.used && !t->failed;
    if (may && blocks) {
        text_blocks(blocks, t);
        if (saved_copy(blocks)) {
            t->saved = blocks;
            t->memory.pool_saved = t->memory.pool_used;
            return 0;
        }
    }
    saved_free(blocks);
    return may ? TP_MEMORY : TP_ARGUMENT;
}

/* Write the state of a text handle, and of more blocks that are listed, as saved.h says; both lists are freed. */
static UNUSED int64_t write_text(text *t, text *fresh, saved_state *blocks, saved_state *fresh_blocks, uint8_t *out, int64_t room) {
    int64_t result = t->encoder.used || t->failed || fresh->step ? TP_ARGUMENT : TP_MEMORY;
    if (result == TP_MEMORY && blocks && fresh_blocks) {
        text_blocks(blocks, t);
        text_blocks(fresh_blocks, fresh);
        result = saved_write(blocks, fresh_blocks, out, room);
    }
    saved_free(blocks);
    saved_free(fresh_blocks);
    return result;
}

static UNUSED int64_t read_text(text *t, saved_state *blocks, const uint8_t *from, int64_t size) {
    int64_t result = t->saved || t->encoder.used || t->step ? TP_ARGUMENT : TP_MEMORY;
    if (result == TP_MEMORY && blocks) {
        text_blocks(blocks, t);
        result = saved_read(blocks, from, size);
        if (t->turned) {
            t->turned = false;
            turn_features(t);
        }
    }
    saved_free(blocks);
    return result;
}

static UNUSED int64_t restore_text(text *t) {
    if (t->saved == NULL) return TP_ARGUMENT;
    range_free(&t->encoder);
    range_start_encoder(&t->encoder);
    t->decoder = (range_decoder){0};
    t->failed = false;
    if (t->remembers) empty_pool(&t->memory);
    const bool turned = t->turned;
    saved_restore(t->saved);
    if (t->turned != turned) {
        t->turned = turned;
        turn_features(t);
    }
    return 0;
}

#endif

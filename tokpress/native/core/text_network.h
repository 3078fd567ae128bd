/* minGRU with hashed n-grams (priors/text/mingru.py and grams.py have the formulas, and are the twin): from the last symbols of some
 * lanes to the features that a head sees. Lanes do not depend on each other, so any thread may take any of them.
 *
 * A network of width D, hidden H, L blocks; tables of G rows of F numbers for the last two and three symbols. Large tables stay where
 * the model file is mapped, and only the rows that are looked up are touched. */
#ifndef TP_TEXT_NETWORK_H
#define TP_TEXT_NETWORK_H

#include "rows.h"

#define MAX_DEPTH 256

/* Float rows are padded (vectors.h); `rest` is 1 - mu. */
typedef struct {
    packed_weights mix_in, mix_out, ff_in, ff_out;
    float *mix_in_scale, *mix_out_scale, *ff_in_scale, *ff_out_scale;
    float *mix_mu, *mix_rest, *ff_mu, *ff_rest, *forget_bias;
    float *last_mix, *h, *last_ff; /* state: [lanes, width] */
} text_block;

typedef struct {
    int64_t symbols, width, depth, hidden, grams, features; /* as the model has them */
    int64_t wide, hide, found; /* width, hidden and 2 * features, padded */
    float per; /* float32(1 / width) */
    const int8_t *embedding, *two, *three; /* mapped */
    const uint8_t *embedding_scale, *two_scale, *three_scale; /* mapped float32, anywhere */
    packed_weights mix;
    float *mix_scale;
    text_block *blocks;
    int32_t *before; /* state: the last two symbols, [2, lanes], the newer first */
} text_network;

/* What one thread needs for `rows` lanes. */
typedef struct {
    int64_t rows;
    float *x, *row, *by_place; /* [rows, wide]; one row, as wide as any; one of V */
    float *r; /* [rows] */
    uint8_t *a; /* [rows, the widest row of bytes] */
    int64_t stride;
    uint32_t *quads; /* of the widest row of bytes, for each row */
    int32_t *acc; /* [rows, the widest product] */
} text_room;

INLINE float load_float(const uint8_t *from, int64_t at) {
    float x;
    memcpy(&x, from + 4 * at, 4);
    return x;
}

/* Rows of both tables (grams.py). */
INLINE void gram_slots(uint32_t now, uint32_t before, uint32_t long_before, uint32_t rows, uint32_t *at_two, uint32_t *at_three) {
    const uint32_t mask = 0x7FFFFFFF;
    uint32_t two = (now * 0x2C1B3C6Du + before * 0x297A2D39u + 0x1B873593u) & mask;
    two = ((two ^ (two >> 15)) * 0x2545F491u) & mask;
    uint32_t three = (two + long_before * 0x3C6EF372u) & mask;
    three = ((three ^ (three >> 15)) * 0x2C1B3C6Du) & mask;
    *at_two = ((two ^ (two >> 13)) >> 3) & (rows - 1);
    *at_three = ((three ^ (three >> 13)) >> 3) & (rows - 1);
}

INLINE void scaled_row(const int8_t *from, float scale, int64_t count, float *to) {
    int64_t c = 0;
    for (; c + FLOATS <= count; c += FLOATS) vf_store(to + c, vf_of(vi_of_signed(from + c)) * scale);
    for (; c < count; c++) to[c] = (float)from[c] * scale;
}

INLINE void prefetch_row(const float *row, int64_t width) {
    for (int64_t c = 0; c < width; c += 16) prefetch(row + c);
}
INLINE void prefetch_bytes(const void *from, int64_t size) {
    const char *first = from;
    for (int64_t c = 0; c < size; c += 64) prefetch_read(first + c);
    prefetch_read(first + size - 1);
}

/* Ask for the rows that the next function reads: tables are larger than caches. */
static void network_ask(const text_network *n, int64_t lanes, int64_t start, int64_t rows, const int32_t *symbols) {
    for (int64_t i = 0; i < rows; i++) {
        const int32_t *last = n->before + start + i;
        prefetch_bytes(n->embedding + symbols[i] * n->width, n->width);
        prefetch_read(n->embedding_scale + 4 * symbols[i]);
        if (!n->grams) continue;
        uint32_t two, three;
        gram_slots((uint32_t)symbols[i], (uint32_t)last[0], (uint32_t)last[lanes], (uint32_t)n->grams, &two, &three);
        prefetch_bytes(n->two + two * n->features, n->features);
        prefetch_bytes(n->three + three * n->features, n->features);
        prefetch_read(n->two_scale + 4 * two);
        prefetch_read(n->three_scale + 4 * three);
    }
}

static void network_look_up(const text_network *n, text_room *m, int64_t lanes, int64_t start, int64_t rows, const int32_t *symbols) {
    network_ask(n, lanes, start, rows, symbols);
    for (int64_t i = 0; i < rows; i++) {
        float *x = m->x + i * n->wide;
        scaled_row(n->embedding + symbols[i] * n->width, load_float(n->embedding_scale, symbols[i]), n->width, x);
        memset(x + n->width, 0, (size_t)(n->wide - n->width) * 4); /* another network has been here */
    }
    if (!n->grams) return;
    for (int64_t i = 0; i < rows; i++) {
        int32_t *last = n->before + start + i, now = symbols[i];
        uint32_t two, three;
        gram_slots((uint32_t)now, (uint32_t)last[0], (uint32_t)last[lanes], (uint32_t)n->grams, &two, &three);
        memset(m->row, 0, (size_t)n->found * 4);
        scaled_row(n->two + two * n->features, load_float(n->two_scale, two), n->features, m->row);
        scaled_row(n->three + three * n->features, load_float(n->three_scale, three), n->features, m->row + n->features);
        last[lanes] = last[0];
        last[0] = now;
        m->r[i] = quantize_row(m->row, n->found, m->a + i * m->stride);
    }
    product(m->a, m->stride, rows, &n->mix, m->acc, n->mix.outputs);
    for (int64_t i = 0; i < rows; i++) add_row(m->x + i * n->wide, m->acc + i * n->mix.outputs, n->mix_scale, m->r[i], n->wide);
}

/* A step of lanes start ... start + rows - 1 (at most m->rows) whose last symbols are given: features a [rows, stride] as bytes + 128,
 * and their scales r [rows]. */
static void network_features(
    const text_network *n, text_room *m, int64_t lanes, int64_t start, int64_t rows, const int32_t *symbols, uint8_t *a,
    int64_t stride, float *r
) {
    const int64_t wide = n->wide, hide = n->hide;
    network_look_up(n, m, lanes, start, rows, symbols);
    for (int64_t l = 0; l < n->depth; l++) {
        const text_block *b = n->blocks + l;
        const float *of_before = l ? b[-1].ff_out_scale : NULL;
        for (int64_t i = 0; i < rows; i++) {
            float *x = m->x + i * wide;
            if (of_before) add_row(x, m->acc + i * b->ff_out.outputs, of_before, m->r[i], wide);
            float *last = b->last_mix + (start + i) * wide;
            prefetch_row(b->h + (start + i) * wide, wide); /* state of the operations that come next */
            m->r[i] = shift_row(x, last, b->mix_mu, b->mix_rest, m->row, wide, n->per, m->a + i * m->stride);
        }
        product(m->a, m->stride, rows, &b->mix_in, m->acc, b->mix_in.outputs);
        for (int64_t i = 0; i < rows; i++) {
            const int32_t *acc = m->acc + i * b->mix_in.outputs;
            float *h = b->h + (start + i) * wide;
            prefetch_row(b->last_ff + (start + i) * wide, wide);
            m->r[i] = recur_row(acc, b->mix_in_scale, m->r[i], b->forget_bias, h, m->row, wide, m->a + i * m->stride);
        }
        product(m->a, m->stride, rows, &b->mix_out, m->acc, b->mix_out.outputs);
        for (int64_t i = 0; i < rows; i++) {
            float *x = m->x + i * wide, *last = b->last_ff + (start + i) * wide;
            add_row(x, m->acc + i * b->mix_out.outputs, b->mix_out_scale, m->r[i], wide);
            m->r[i] = shift_row(x, last, b->ff_mu, b->ff_rest, m->row, wide, n->per, m->a + i * m->stride);
        }
        product(m->a, m->stride, rows, &b->ff_in, m->acc, b->ff_in.outputs);
        for (int64_t i = 0; i < rows; i++) {
            const int32_t *acc = m->acc + i * b->ff_in.outputs;
            if (l + 1 < n->depth) prefetch_row(b[1].last_mix + (start + i) * wide, wide);
            m->r[i] = squared_relu_row(acc, b->ff_in_scale, m->r[i], m->row, hide, 0, m->a + i * m->stride);
        }
        product_of_nonnegative(m->a, m->stride, rows, &b->ff_out, m->acc, b->ff_out.outputs, m->quads);
    }
    const text_block *b = n->blocks + n->depth - 1;
    for (int64_t i = 0; i < rows; i++) {
        float *x = m->x + i * wide;
        add_row(x, m->acc + i * b->ff_out.outputs, b->ff_out_scale, m->r[i], wide);
        r[i] = normalize(x, wide, peak_of(x, wide), n->per, a + i * stride);
    }
}

#endif

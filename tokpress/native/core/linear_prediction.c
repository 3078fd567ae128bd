/* Linear prediction for Python: a handle codes the samples of one grid, block by block, from or to the bytes of the source. */
#include "prediction_residual.h"

#define BLOCK 256
#define MAX_DECISIONS 128 /* of a sample: below 33 further, 33 halves, 30 low bits */

/* grid [9]: the fields of sample_grid. NULL: no memory, or no such grid. */
EXPORT void *API(prediction_new)(const int64_t *grid) {
    sample_grid g = {grid[0], grid[1], grid[2], grid[3], grid[4], grid[5] != 0, grid[6] != 0, grid[7] != 0, grid[8]};
    return prediction_make(&g);
}
EXPORT void API(prediction_free)(void *handle) { prediction_release(handle); }

/* Decode from now on; the payload must outlive the handle. */
EXPORT int64_t API(prediction_start_decoder)(void *handle, const uint8_t *payload, int64_t size) {
    prediction_model *m = handle;
    if (m->started || size < 0) return TP_ARGUMENT;
    m->mode = DECODING;
    m->started = true;
    range_start_decoder(&m->decoder, payload, (size_t)size);
    return 0;
}
EXPORT int64_t API(prediction_start_encoder)(void *handle) {
    prediction_model *m = handle;
    if (m->started) return TP_ARGUMENT;
    m->mode = ENCODING;
    m->started = true;
    range_start_encoder(&m->encoder);
    return 0;
}

/* Encode or score an open sample. */
static void code_known(prediction_model *m, const open_sample *s) {
    m->chance = 1;
    m->bits = 0;
    code_sample(m, s);
    if (s->bits != NULL) *s->bits = m->bits + bits_of(m->chance);
}

/* Code `count` more samples. bytes: the whole source of `size` bytes, written to while decoding. bits: of each sample of the grid, in the
 * order of the source, where it is scored; else NULL. Returns how many samples are left, or TP_DAMAGED, TP_MEMORY, TP_ARGUMENT. */
EXPORT int64_t API(prediction_code)(void *handle, uint8_t *bytes, int64_t size, int64_t count, double *bits) {
    prediction_model *m = handle;
    const sample_grid *g = &m->grid;
    if (count < 0 || !grid_fits(g, size) || (m->started ? bits != NULL : bits == NULL)) return TP_ARGUMENT;
    if (count > m->count - m->done) count = m->count - m->done;
    const int64_t sample_bytes = g->bits / 8, row = grid_row(g);
    while (count > 0) {
        const int64_t block = count < BLOCK ? count : BLOCK;
        if (m->mode == ENCODING && range_reserve(&m->encoder, (size_t)block * MAX_DECISIONS) < 0) return TP_MEMORY;
        /* a known sample is coded after the next one is opened, so that its rows of cells have time to arrive */
        open_sample samples[2];
        for (int64_t i = 0; i < block; i++) {
            const int64_t pixel = m->done / g->channels, place = pixel * g->channels + source_channel(g, m->channel);
            uint8_t *at = bytes + g->start + pixel / g->columns * row + (place - pixel / g->columns * g->columns * g->channels) * sample_bytes;
            open_sample *s = &samples[i & 1];
            open_next(m, s);
            if (m->mode == DECODING) {
                s->value = code_sample(m, s);
                write_sample(g, at, s->value);
            } else {
                s->value = read_sample(g, at);
                s->bits = bits ? bits + place : NULL;
            }
            m->done++;
            learn(m, s->value);
            if (m->mode != DECODING && i > 0) code_known(m, &samples[(i - 1) & 1]);
        }
        if (m->mode != DECODING) code_known(m, &samples[(block - 1) & 1]);
        if (m->mode == DECODING && range_is_over(&m->decoder)) return TP_DAMAGED;
        count -= block;
    }
    return m->count - m->done;
}

/* The payload's size, and the payload where there is room. After it nothing more is coded. */
EXPORT int64_t API(prediction_finish)(void *handle, uint8_t *payload, int64_t room) {
    prediction_model *m = handle;
    if (m->mode != ENCODING) return TP_ARGUMENT;
    if (m->started) {
        if (range_reserve(&m->encoder, 2) < 0) return TP_MEMORY;
        m->encoder.room = range_finish(&m->encoder); /* bytes now */
        m->started = false;
        m->done = m->count;
    }
    const int64_t size = (int64_t)m->encoder.room;
    if (payload != NULL && room >= size && size > 0) memcpy(payload, m->encoder.words, (size_t)size);
    return size;
}

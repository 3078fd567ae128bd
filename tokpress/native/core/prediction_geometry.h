/* Where samples lie in the source, and which neighbours predict a sample.
 *
 * Samples are coded in the order of the source, except that green precedes red. A window holds the last rows in coding
 * order, with PAD pixels on each side that repeat the edge pixel, so that neighbours need no bounds checks. A neighbour
 * is an offset backwards in the window. The twin is priors/linear_prediction/geometry.py. */
#ifndef TP_PREDICTION_GEOMETRY_H
#define TP_PREDICTION_GEOMETRY_H

#include "core.h"

#define MAX_CHANNELS 8
#define MAX_ROW (1 << 18)
#define PAD 4
#define CHUNK 4096 /* samples of a recording's channel that are kept in one piece */
#define SQUARES_ROOM 64 /* at most 48 neighbours, the target, and whole vectors */
#define MAX_NEIGHBOURS 48
#define MAX_CLOSE 16

typedef struct {
    int64_t start, rows, columns, channels, bits, picture, is_signed, little, padding;
} sample_grid;

INLINE bool grid_is_good(const sample_grid *g) {
    const int64_t most = (int64_t)1 << 32;
    if (g->rows < 1 || g->rows >= most || g->columns < 1 || g->columns >= most) return false;
    if (g->channels < 1 || g->channels > MAX_CHANNELS || g->padding < 0 || g->padding >= most) return false;
    if (g->start < 0 || g->start >= (int64_t)1 << 62) return false;
    if (g->bits != 8 && g->bits != 16 && g->bits != 24 && g->bits != 32) return false;
    return !g->picture || g->columns * g->channels <= MAX_ROW;
}

/* Bytes of a row; below 2^40. */
INLINE int64_t grid_row(const sample_grid *g) { return g->columns * g->channels * (g->bits / 8) + g->padding; }

/* Whether a source of so many bytes holds the grid. */
INLINE bool grid_fits(const sample_grid *g, int64_t size) {
    return size >= g->start && g->rows <= (size - g->start) / grid_row(g);
}

/* The channel of the source that is coded as number c: green first where there are colours. */
INLINE int64_t source_channel(const sample_grid *g, int64_t c) {
    return g->picture && g->channels >= 3 && c < 2 ? 1 - c : c;
}

/* A sample's value, its range's middle being 0. */
INLINE int64_t read_sample(const sample_grid *g, const uint8_t *at) {
    const int64_t bytes = g->bits / 8;
    uint64_t value = 0;
    for (int64_t i = 0; i < bytes; i++) value = value << 8 | at[g->little ? bytes - 1 - i : i];
    const uint64_t half = (uint64_t)1 << (g->bits - 1);
    return (int64_t)(g->is_signed ? value ^ half : value) - (int64_t)half;
}
INLINE void write_sample(const sample_grid *g, uint8_t *at, int64_t sample) {
    const int64_t bytes = g->bits / 8;
    const uint64_t half = (uint64_t)1 << (g->bits - 1);
    uint64_t value = (uint64_t)(sample + (int64_t)half);
    if (g->is_signed) value ^= half;
    for (int64_t i = 0; i < bytes; i++) at[g->little ? i : bytes - 1 - i] = (uint8_t)(value >> 8 * i);
}

/* {columns to the left, rows up} of the sample's own channel, of channels coded before it, and of channels coded after it */
static const int8_t own_neighbours[16][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 1}, {2, 0}, {0, 2}, {2, 1}, {-2, 1},
                                             {3, 0}, {1, 2}, {-1, 2}, {2, 2}, {-2, 2}, {0, 3}, {3, 1}, {-3, 1}};
static const int8_t earlier_neighbours[9][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {-1, 1}, {2, 0}, {0, 2}, {2, 1}, {-2, 1}};
static const int8_t later_neighbours[4][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 1}};

typedef struct {
    int32_t count, back[MAX_NEIGHBOURS];
} neighbour_list;

static void add_neighbours(neighbour_list *list, const int8_t (*places)[2], int32_t count, int32_t channels, int32_t stride, int32_t back) {
    for (int32_t i = 0; i < count && list->count < MAX_NEIGHBOURS; i++)
        list->back[list->count++] = back + channels * places[i][0] + stride * places[i][1];
}

static neighbour_list neighbours_of(const sample_grid *g, int32_t c, int32_t stride) {
    neighbour_list list = {0};
    const int32_t channels = (int32_t)g->channels;
    if (g->picture) {
        add_neighbours(&list, own_neighbours, 16, channels, stride, 0);
        for (int32_t other = c - 1; other >= 0 && other > c - 4; other--)
            add_neighbours(&list, earlier_neighbours, 9, channels, stride, c - other);
        for (int32_t other = c + 1; other < channels && other < c + 3; other++)
            add_neighbours(&list, later_neighbours, 4, channels, stride, c - other);
        return list;
    }
    for (int32_t i = 0; i < 32; i++) list.back[list.count++] = channels * (i + 1);
    for (int32_t i = 0; i < 16; i++) /* the other channels' samples, the newest first */
        for (int32_t d = 1; d < channels && list.count < MAX_NEIGHBOURS; d++) list.back[list.count++] = d + channels * i;
    return list;
}

#endif

/* Contexts of a byte among pixels, for pictures that were drawn: few colours, sharp edges, repeated patterns.
 *
 * Nothing is computed from neighbours but a hash: what stood in the same surroundings is remembered. These are the
 * pixels to the west W, north N, north-west and north-east, each with the bytes of this pixel that are known. Of a
 * recording, N is the sample two frames ago. */
#ifndef TP_PIXEL_CONTEXTS_H
#define TP_PIXEL_CONTEXTS_H

#include "byte_contexts.h"

#define PIXEL_MAX 64 /* bytes of a pixel */
#define PIXEL_ROW_MAX ((int64_t)1 << 40)

/* Bytes [start, stop) are pixels of `pixel` bytes, in rows of `row` bytes of which `used` are pixels. stop 0: there
 * are none. */
typedef struct {
    int64_t start, stop, pixel, row, used;
} pixel_geometry;

typedef struct {
    const uint8_t *history;
    int64_t here; /* bytes that are known */
    uint32_t newest; /* the last of them, as far as it is known */
} pixel_surroundings;

INLINE uint32_t byte_at(const pixel_surroundings *s, int64_t at) {
    return at < 0 || at >= s->here ? 0 : at == s->here - 1 ? s->newest : s->history[at];
}

static UNUSED uint64_t hash_bytes(const pixel_surroundings *s, int64_t at, int64_t count, uint64_t hash) {
    for (int64_t i = 0; i < count; i++) {
        hash = (hash + byte_at(s, at + i) + 1) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return hash;
}

/* Pixels may go on after the last byte. */
INLINE bool pixel_geometry_is_sound(const pixel_geometry *g) {
    if (g->stop == 0) return true;
    return g->start >= 0 && g->start < g->stop && g->pixel >= 1 && g->pixel <= PIXEL_MAX && g->row >= g->pixel &&
           g->row <= PIXEL_ROW_MAX && g->used >= 0 && g->used <= g->row;
}

/* The byte's place in its pixel, or -1 where it is part of none. */
INLINE int64_t pixel_channel(const pixel_geometry *g, int64_t at) {
    if (at < g->start || at >= g->stop) return -1;
    int64_t inside = (at - g->start) % g->row;
    return inside < g->used ? inside % g->pixel : -1;
}

/* Hashes for byte k of a pixel, the next one to come. */
static UNUSED void pixel_contexts(const pixel_surroundings *s, const pixel_geometry *g, int64_t k, uint64_t *hash) {
    int64_t at = s->here, begin = at - k, pixel = g->pixel, row = g->row;
    uint32_t west = byte_at(s, at - pixel), north = byte_at(s, at - row);
    uint32_t north_west = byte_at(s, at - row - pixel), north_east = byte_at(s, at - row + pixel);
    uint64_t own = hash_bytes(s, begin, k, (uint64_t)k + 1); /* what is known of this pixel */
    uint64_t by_west = hash_bytes(s, begin - pixel, pixel, own);
    uint64_t by_north = hash_bytes(s, begin - row, pixel, own + 1);
    uint64_t both = hash_bytes(s, begin - row, pixel, by_west + 2);
    uint64_t corner = hash_bytes(s, begin - row - pixel, pixel, both + 3);
    /* the first byte of a pixel has nothing of its own: its neighbours, roughly */
    uint64_t around = west >> 3 << 15 | north >> 3 << 10 | north_west >> 3 << 5 | north_east >> 3;
    hash[0] = k > 0 ? own : around | (uint64_t)1 << 60;
    hash[1] = ((uint64_t)west << 16 | north << 8 | north_east) << 8 | (uint64_t)k | (uint64_t)3 << 60;
    hash[2] = by_west;
    hash[3] = by_north;
    hash[4] = both;
    hash[5] = corner;
    hash[6] = hash_bytes(s, begin - row + pixel, pixel, corner + 4);
    hash[7] = hash_bytes(s, begin - 2 * pixel, pixel, by_west + 5);
    hash[8] = hash_bytes(s, begin - 2 * row, pixel, by_north + 6);
    hash[9] = (uint64_t)((west + north - north_west) & 0x1FF) << 16 | (north_east >> 4) << 8 | (uint64_t)k |
              (uint64_t)2 << 60;
    for (int i = 0; i < HASHED; i++) hash[i] = scramble(hash[i]);
}

#endif

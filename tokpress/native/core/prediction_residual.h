/* A sample as a path of binary decisions, chosen so that most cost about one bit:
 *
 *     1. Is the sample above a boundary near the blend?
 *     2. In which interval [0, w) [w, 2w) [2w, 4w) ... is its distance from the boundary? Asked outwards; w = 2^k is
 *        about the expected error.
 *     3. In which half of that interval? Asked down to a width of 2^j, j = max(0, k - 2).
 *     4. The j low bits of the sample, which are nearly uniform unless the samples use fewer bits than they have.
 *
 * The boundary is a multiple of 2^j, so that step 4 codes bits of the sample itself. Each expert's density is logistic:
 * P(sample < b) = 1 / (1 + E_b), E_b = 2^-((b - 1/2 - guess) * 2 / (scale + SCALE_FLOOR)), scale: its mean error. The
 * odds that a sample between a and c lies beyond b are (E_b - E_c) (1 + E_a) / ((E_a - E_b) (1 + E_c)). The twin is
 * priors/linear_prediction/residuals.py. */
#ifndef TP_PREDICTION_RESIDUAL_H
#define TP_PREDICTION_RESIDUAL_H

#include "prediction_learn.h"
#include "prediction_mixing.h"

#define SCALE_FLOOR 0.06f
#define MIXED_BITS 2
#define LEAST_ODDS 1e-12f

INLINE uint32_t hash2(uint32_t a, uint32_t b) {
    uint32_t x = a * 0x9E3779B1u + b * 0x85EBCA77u;
    x ^= x >> 15;
    x *= 0x2C1B3C6Du;
    return x ^ x >> 13;
}

/* Class of x, 0 ... 18: 9 for 0, and up to nine classes of |x|, about logarithmic, on each side. */
INLINE uint32_t class_of(int64_t x) {
    const int64_t a = x < 0 ? -x : x;
    const int32_t k = (a >= 1) + (a >= 2) + (a >= 3) + (a >= 5) + (a >= 8) + (a >= 13) + (a >= 22) + (a >= 40) + (a >= 80);
    return (uint32_t)(9 + (x > 0 ? k : -k));
}

/* Energies of a neighbour's error in steps of 3/4 octaves. */
INLINE uint32_t class_of_error(const prediction_model *m, int32_t back) { return (uint32_t)energy_of(m->errors[m->at - back][BLEND]) / 3; }

/* Twice a neighbour's signed error as a class; shift: how coarse. */
INLINE uint32_t class_of_signed(const prediction_model *m, int32_t back, int32_t shift) {
    const float error = clampf(2.0f * m->signed_errors[m->at - back], -1e9f, 1e9f);
    return class_of((int32_t)error >> shift);
}

/* Hash the seven contexts of the sample to rows of the mixing tables, and prefetch them. */
INLINE void open_contexts(const prediction_model *m, open_sample *s) {
    const int64_t boundary = s->boundary;
    const int32_t shift = s->j;
    const int32_t c = m->channel, ch = (int32_t)m->grid.channels;
    const int32_t up = m->grid.picture ? m->stride : 2 * ch, corner = m->grid.picture ? up - ch : 3 * ch;
    const int32_t *v = m->values + m->at;
    const uint32_t b = (uint32_t)boundary, west = (uint32_t)v[-ch], north = (uint32_t)v[-up], own = (uint32_t)c;
    const uint32_t first = (uint32_t)v[-1], second = (uint32_t)v[-2]; /* of the same pixel, where c allows */
    const bool colour = m->grid.picture && c > 0;
    uint32_t keys[CONTEXTS];
    keys[0] = c ? hash2(hash2(own, b - first), c > 1 ? b - second : 0) : hash2(hash2(own, b - west), b - north);
    keys[1] = hash2(own, class_of(((int64_t)v[-ch] - boundary) >> shift) * 32 + class_of(((int64_t)v[-up] - boundary) >> shift));
    keys[2] = hash2(own, b);
    keys[3] = hash2(hash2(own, west), north);
    if (colour) { /* which chroma this value would give, beside the neighbours' */
        const uint32_t west_first = (uint32_t)v[-ch - 1], north_first = (uint32_t)v[-up - 1];
        keys[3] = hash2(hash2(hash2(own, b - first), west - west_first), north - north_first);
    }
    keys[4] = hash2(own, (class_of_error(m, ch) * 32 + class_of_error(m, up)) * 32 + class_of_error(m, corner));
    keys[5] = hash2(own, class_of_signed(m, c ? 1 : ch, shift) * 32 + class_of_signed(m, c > 1 ? 2 : up, shift));
    keys[6] = hash2(hash2(hash2(own, b), c ? first : west), c > 1 ? second : 0);
    for (int32_t i = 0; i < CONTEXTS; i++) {
        s->row[0][i] = m->cells[i] + (size_t)(keys[i] & m->rows_mask[i]) * (NODES / 2);
        s->row[1][i] = s->row[0][i] + ((size_t)m->rows_mask[i] + 1) * (NODES / 2);
        prefetch(s->row[0][i]);
    }
}

/* E of each expert at a boundary below the value b, seen from below (side 1) or from above (side -1). */
INLINE f32x8 edge_at(const open_sample *s, int64_t b, float side) {
    const f32x8 z = (((float)(b - s->reference) - 0.5f) - s->guesses) * s->inverse;
    return exp2_8(clamp8(z * -side, -30.0f, 30.0f));
}
INLINE f32x8 at_least(f32x8 x) { return clamp8(x, LEAST_ODDS, 1e30f); }

/* j low bits above `base`, the highest first. */
INLINE int64_t code_low_bits(prediction_model *m, const open_sample *s, int64_t base) {
    uint32_t before = 1;
    for (int32_t i = s->j - 1; i >= 0; i--) {
        uint16_t *p = &m->low_bits[s->channel][i][before & 15];
        const int32_t bit = code_bit(m, (int32_t)(s->value >> i & 1), (uint32_t)clamp(*p << 8, 4096, (1 << 24) - 4096));
        *p = (uint16_t)(*p + (((bit << 16) - bit - *p) >> 6));
        base += (int64_t)bit << i;
        before = before >= 8 ? 8 | (before << 1 & 6) | (uint32_t)bit : before << 1 | (uint32_t)bit;
    }
    return base;
}

/* Guess the sample at the cursor, and choose how it is coded. */
static void open_next(prediction_model *m, open_sample *s) {
    s->value = 0;
    guess(m);
    const f32x8 scale = m->scales[m->channel][m->energy];
    s->inverse = 2.0f / (scale + SCALE_FLOOR); /* logistic of scale s: mean |error| 2 s ln 2; log2(e) / s = 2 / mean */
    int32_t k = 0;
    for (float edge = 2.0f; k < (int32_t)m->grid.bits - 2 && scale[BLEND] * 1.25f >= edge; edge *= 2.0f) k++;
    const int32_t j = k > MIXED_BITS ? k - MIXED_BITS : 0;
    const int64_t unit = (int64_t)1 << j;
    const float best = m->guesses[BLEND];
    int64_t below = (int64_t)best;
    below -= (float)below > best;
    const int64_t boundary = (m->reference + below + 1 + (unit >> 1)) & -unit;
    s->boundary = boundary < m->lowest ? m->lowest : boundary > m->highest + 1 ? m->highest + 1 : boundary;
    s->reference = m->reference;
    s->guesses = m->guesses;
    s->channel = m->channel;
    s->k = k;
    s->j = j;
    s->sets[0] = m->energy >> 3;
    s->sets[1] = ENERGY_SETS + colour_of(m->channel) * 4 + (k < 3 ? k : 3);
    s->rate = 0.001f + 0.007f / (1.0f + (float)m->done * (1.0f / 4096.0f));
    open_contexts(m, s);
}

/* Code an open sample and return it. */
static int64_t code_sample(prediction_model *m, const open_sample *s) {
    const int64_t boundary = s->boundary, value = s->value, unit = (int64_t)1 << s->j;
    int32_t up = boundary <= m->lowest;
    if (boundary > m->lowest && boundary <= m->highest) {
        const f32x8 ones = (f32x8){0} + 1.0f;
        up = decide(m, s, 0, edge_at(s, boundary, 1.0f), ones, value >= boundary);
    }
    const int64_t most = up ? m->highest - boundary : boundary - 1 - m->lowest;
    const int64_t distance = up ? value - boundary : boundary - 1 - value;
    const int64_t sign = up ? 1 : -1;
    const float side = up ? 1.0f : -1.0f;
    f32x8 near = edge_at(s, boundary, side), far = {0};
    int64_t low = 0, width = (int64_t)1 << s->k;
    int32_t steps = 0;
    while (low + width <= most) {
        const f32x8 split = edge_at(s, boundary + sign * (low + width), side);
        const int32_t node = 1 + up * 8 + (steps < 7 ? steps : 7);
        if (!decide(m, s, node, at_least(split * (1.0f + near)), at_least(near - split), distance >= low + width)) {
            far = split;
            break;
        }
        near = split;
        low += width;
        width <<= steps > 0;
        if (++steps == 2)
            for (int32_t i = 0; i < CONTEXTS; i++) prefetch(s->row[1][i]);
    }
    int32_t depth = 0;
    for (int64_t half = width >> 1; half >= unit; half >>= 1, depth++) {
        if (low + half > most) continue;
        const f32x8 split = edge_at(s, boundary + sign * (low + half), side);
        const int32_t first = 17 + up * 4 + (steps < 3 ? steps : 3), later = 25 + (depth < 3 ? depth * 3 - 3 + (steps < 2 ? steps : 2) : 6);
        const f32x8 num = at_least((split - far) * (1.0f + near)), den = at_least((near - split) * (1.0f + far));
        if (decide(m, s, depth ? later : first, num, den, distance >= low + half)) {
            low += half;
            near = split;
        } else {
            far = split;
        }
    }
    return code_low_bits(m, s, up ? boundary + low : boundary - low - unit);
}

#endif

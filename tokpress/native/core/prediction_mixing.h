/* One binary decision: mix the predictions of experts and contexts, code the bit, learn it.
 *
 *     x_i     = log2(p_i / (1 - p_i))     of 8 experts, and of CONTEXTS cells times n / (n + 1.5); one constant, 0.3
 *     mixed   = 1 / (1 + 2^-(w . x))      w: the sum of two rows, each += rate * (bit - mixed) * x      (Mahoney 2005)
 *     p       = (mixed + correction) / 2  correction: how often a one followed such a w . x, linear between BUCKETS
 *
 * A cell is a 22-bit probability p above a 10-bit count n; p += (bit - p) / (n + 1.4). A new cell, p = 1/2 and n = 0,
 * is NEW; cells are stored xor NEW, so zeroed memory holds new cells. The twin is
 * priors/linear_prediction/mixing.py. */
#ifndef TP_PREDICTION_MIXING_H
#define TP_PREDICTION_MIXING_H

#include "prediction_model.h"

#define NEW 0x80000000u
#define MAX_COUNT 250
#define STRETCH_MAX 12.0f

/* Minus log2 of a product of probabilities. */
INLINE double bits_of(double chance) {
    uint64_t word;
    memcpy(&word, &chance, 8);
    const int64_t exponent = (int64_t)(word >> 52) - 1023;
    word = (word & 0xFFFFFFFFFFFFFull) | (uint64_t)1023 << 52;
    double mantissa;
    memcpy(&mantissa, &word, 8);
    const double t = (mantissa - 1.0) / (mantissa + 1.0), square = t * t;
    double series = 0;
    for (int32_t k = 27; k > 0; k -= 2) series = series * square + 1.0 / k; /* artanh */
    return -((double)exponent + 2.8853900817779268 * t * series);
}

/* Encode, decode or score a bit whose one has probability one / 2^24. */
INLINE int32_t code_bit(prediction_model *m, int32_t bit, uint32_t one) {
    if (m->mode == DECODING) return range_pop_bit(&m->decoder, one);
    if (m->mode == ENCODING) {
        range_push_bit(&m->encoder, bit, one);
        return bit;
    }
    m->chance *= (double)(bit ? one : WHOLE - one) * 0x1p-24;
    if (m->chance < 0x1p-900) {
        m->bits += bits_of(m->chance);
        m->chance = 1;
    }
    return bit;
}

/* A context's row of cells is two cache lines, in two tables: most samples need only the first. cell_of[node]: 16 times the table, plus
 * the place in the line. */
static const uint8_t cell_of[NODES] = {0,  1,  2,  3,  16, 17, 18, 19, 20, 4,  5,  6,  21, 22, 23, 24,
                                       25, 7,  8,  9,  26, 10, 11, 12, 27, 13, 14, 15, 28, 29, 30, 31};

/* bit: ignored while decoding. odds: of the experts, num / den, both at least 1e-12. Returns the bit. */
INLINE int32_t decide(prediction_model *m, const open_sample *s, int32_t node, f32x8 num, f32x8 den, int32_t bit) {
    const int32_t cell = cell_of[node] & 15;
    uint32_t *const *row = s->row[cell_of[node] >> 4];
    /* one by one: a vector that is read from an array waits until all numbers are stored there */
    const u32x8 packed = (u32x8){row[0][cell], row[1][cell], row[2][cell], row[3][cell], row[4][cell], row[5][cell], row[6][cell]} ^ NEW;
    const i32x8 count = (i32x8)(packed & 1023);
    const f32x8 n = __builtin_convertvector(count, f32x8);
    const f32x8 p = __builtin_convertvector((i32x8)(packed >> 10), f32x8) * (1.0f / 4194304.0f);

    const f32x8 x = clamp8(log2_8(num / den), -STRETCH_MAX, STRETCH_MAX);
    f32x8 y = log2_8(p / (1.0f - p)) * (n / (n + 1.5f));
    y[7] = 0.3f;
    f32x8 *w = m->mixer + 2 * (s->sets[0] * NODES + node), *v = m->mixer + 2 * (s->sets[1] * NODES + node);
    const float sum = clampf(sum8((w[0] + v[0]) * x + (w[1] + v[1]) * y), -STRETCH_MAX, STRETCH_MAX);
    const float mixed = squash(sum);

    const float place = (sum + 12.0f) * (1.0f / 0.75f);
    const int32_t bucket = clamp((int32_t)place, 0, BUCKETS - 2);
    const float share = place - (float)bucket;
    float *happened = &m->correction[colour_of(s->channel)][node][bucket];
    const float corrected = happened[0] * (1.0f - share) + happened[1] * share;
    const int32_t one = clamp((int32_t)((0.5f * mixed + 0.5f * corrected) * 16777216.0f), 64, (1 << 24) - 64);
    bit = code_bit(m, bit, (uint32_t)one);

    const float target = (float)bit, step = (target - mixed) * s->rate;
    const f32x8 change = step * x, change_y = step * y;
    w[0] += change;
    w[1] += change_y;
    v[0] += change;
    v[1] += change_y;
    happened[0] += (target - happened[0]) * (1.0f - share) * 0.014f;
    happened[1] += (target - happened[1]) * share * 0.014f;
    const f32x8 moved = clamp8(p + (target - p) / (n + 1.4f), 0.0005f, 0.9995f);
    const i32x8 counted = count - (count < MAX_COUNT);
    const u32x8 cells = (((u32x8)__builtin_convertvector(moved * 4194304.0f, i32x8) << 10) | (u32x8)counted) ^ NEW;
    for (int32_t i = 0; i < CONTEXTS; i++) row[i][cell] = cells[i];
    return bit;
}

#endif

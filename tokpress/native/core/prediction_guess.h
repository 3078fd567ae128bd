/* Guesses of the next sample from those before it.
 *
 *     pictures   least squares over nearby columns; least squares over all samples before (Wu, Barthel & Zhang 1998);
 *                five simple predictors of PNG, JPEG-LS and WebP, applied to the difference from the channel before
 *     recordings least squares that forgets soon, and late; four filters, each correcting the sum so far, which begins
 *                with the latter; a polynomial through the last 3 samples
 *     blend      sum of t * guess over sum of t, t = min(e_blend / e, 64)^4
 *                e: 0.01 + a guess's weighted sum of errors at the neighbours
 *
 * Guesses are floats relative to the integer `reference`, since a float cannot hold a 32-bit sample. The twin is
 * priors/linear_prediction/guesses.py. */
#ifndef TP_PREDICTION_GUESS_H
#define TP_PREDICTION_GUESS_H

#include "prediction_model.h"

/* 4 log2(16 x + 1), rounded down, kept in 0 ... ENERGIES - 1; log2 is linear between powers of 2 (bits of the
 * float). */
INLINE int32_t energy_of(float x) {
    union {
        float value;
        int32_t bits;
    } power = {16.0f * x + 1.0f};
    return clamp((power.bits >> 21) - (127 << 2), 0, ENERGIES - 1);
}

INLINE int64_t median(int64_t a, int64_t b, int64_t c) {
    int64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

INLINE float magnitude_of(int64_t x) { return (float)(x < 0 ? -x : x); }

INLINE float *row32(prediction_model *m, int32_t c) { return m->rows[c].narrow + m->batched[c] * SQUARES_ROOM; }
INLINE double *row64(prediction_model *m, int32_t c) { return m->rows[c].wide + m->batched[c] * SQUARES_ROOM; }

/* Neighbours j ... j + 7 minus `reference`; 0 behind n. One by one: a vector that is read from an array waits until all numbers are stored
 * there. */
INLINE i32x8 neighbours8(const int32_t *v, const int32_t *back, int32_t reference, int32_t j, int32_t n) {
    const i32x8 number = {0, 1, 2, 3, 4, 5, 6, 7};
    const int32_t *b = back + j;
    const i32x8 x = {v[-b[0]], v[-b[1]], v[-b[2]], v[-b[3]], v[-b[4]], v[-b[5]], v[-b[6]], v[-b[7]]};
    return (x - reference) & (number < n - j);
}

/* Neighbours j ... j + 3 minus `origin`; 0 behind n. */
INLINE f64x4 neighbours4(const int32_t *v, const int32_t *back, double origin, int32_t j, int32_t n) {
    const i64x4 number = {0, 1, 2, 3};
    const int32_t *b = back + j;
    const f64x4 x = {v[-b[0]], v[-b[1]], v[-b[2]], v[-b[3]]};
    return (f64x4)((i64x4)(x - origin) & (number < n - j));
}

/* Lanes 0 and 1 from the neighbours; they are kept for learning. */
INLINE void guess_by_squares(prediction_model *m, const int32_t *v, float *g) {
    const int32_t c = m->channel, n = m->near[c].count;
    const int32_t *back = m->near[c].back;
    if (!m->wide) {
        const int32_t reference = (int32_t)m->reference;
        float *x = row32(m, c);
        for (int32_t j = 0; j < n; j += 8) *(f32x8 *)(x + j) = __builtin_convertvector(neighbours8(v, back, reference, j, n), f32x8);
        for (int32_t k = 0; k < 2; k++) g[k] = squares32_dot(m->weights[k][c].narrow, x, n);
        return;
    }
    const double reference = (double)m->reference, origin = m->grid.picture ? reference : 0.0;
    double *x = row64(m, c);
    for (int32_t j = 0; j < n; j += 4) *(f64x4 *)(x + j) = neighbours4(v, back, origin, j, n);
    for (int32_t k = 0; k < 2; k++) g[k] = (float)(squares64_dot(m->weights[k][c].wide, x, n) - (reference - origin));
}

/* Lanes 2 ... 6 of a picture. */
INLINE void guess_simply(const prediction_model *m, const int32_t *v, float *g) {
    const int32_t ch = (int32_t)m->grid.channels, s = m->stride;
    int64_t w = v[-ch], n = v[-s], nw = v[-s - ch], other = 0;
    if (m->channel) {
        other = v[-1];
        w -= v[-1 - ch];
        n -= v[-1 - s];
        nw -= v[-1 - s - ch];
    }
    const int64_t base = other - m->reference;
    g[2] = (float)(base + median(w, n, w + n - nw));
    g[3] = (float)(m->channel ? base + ((w + n) >> 1) : n + v[-s + ch] - v[-2 * s + ch] - m->reference);
    g[4] = (float)(base + w);
    g[5] = (float)(base + n);
    g[6] = 0;
}

/* Lanes 2 ... 6 of a recording; lanes 0 and 1 are least squares'. */
INLINE void guess_sound(prediction_model *m, const int32_t *v, float *g, float low, float high) {
    const int32_t ch = (int32_t)m->grid.channels;
    float sum = m->first_guess = clampf(g[1], low, high);
    for (int32_t k = 0; k < FILTERS; k++) {
        lms_filter *f = &m->filters[m->channel * FILTERS + k];
        f->guess = filter_guess(f, filter_taps[k]);
        sum += f->guess;
        g[2 + k] = sum;
    }
    const int64_t w = v[-ch], ww = v[-2 * ch], www = v[-3 * ch];
    g[6] = (float)(2 * w - 3 * ww + www);
}

/* All guesses of the sample at the cursor, and the energy of its surroundings. */
static void guess(prediction_model *m) {
    const int32_t c = m->channel, ch = (int32_t)m->grid.channels, s = m->stride;
    const int32_t *v = m->values + m->at;
    const bool picture = m->grid.picture;
    const int64_t west = v[-ch], north = picture ? v[-s] : west;
    m->reference = (west + north) >> 1;
    const float low = (float)(m->lowest - m->reference), high = (float)(m->highest - m->reference);
    float g[8] __attribute__((aligned(32))) = {0};
    guess_by_squares(m, v, g);
    for (int32_t k = 0; k < 2; k++)
        if (!(g[k] > -1e10f && g[k] < 1e10f)) g[k] = 0;
    if (picture)
        guess_simply(m, v, g);
    else
        guess_sound(m, v, g, low, high);
    f32x8 all = clamp8(*(const f32x8 *)g, low, high);

    f32x8 judged = m->usual[c];
    const f32x8 *errors = m->errors + m->at;
    for (int32_t j = 0; j < m->close_count[c]; j++) judged += m->closeness[c][j] * errors[-m->close[c][j]];
    f32x8 trust = clamp8((judged[BLEND] + 0.01f) / (judged + 0.01f), 0.0f, 64.0f);
    trust *= trust;
    trust *= trust;
    trust[BLEND] = 0;
    const float total = sum8(trust);
    all[BLEND] = total > 1e-30f ? clampf(sum8(trust * all) / total, low, high) : all[0];
    m->guesses = all;

    float energy = judged[BLEND] - m->usual[c][BLEND];
    if (picture) {
        const int64_t nw = v[-s - ch], ne = v[-s + ch];
        energy += magnitude_of(west - nw) + magnitude_of(north - nw) + magnitude_of(north - ne);
    }
    m->energy = energy_of(energy);
}

#endif

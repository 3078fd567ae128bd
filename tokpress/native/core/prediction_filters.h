/* A cascade of normalised LMS filters for sound (as in OptimFROG and Sac). The input of each filter is the prediction
 * error of the filter before it; x are the last inputs.
 *
 *     guess = w . x     error = input - guess     w += rate / taps * error * x / (power + 0.01)
 *     power = (p_0 + p_1) / 4 + p_2 / 2     p_k: running means of x^2 over 8, 64 and taps / 2 inputs
 *
 * The twin is priors/linear_prediction/filters.py. */
#ifndef TP_PREDICTION_FILTERS_H
#define TP_PREDICTION_FILTERS_H

#include "prediction_math.h"

#define FILTERS 4
#define MAX_TAPS 1024
/* The newest number lies at `newest`, which moves down; at 0 the numbers in use move to the end. */
#define FILTER_ROOM 4096

static const int32_t filter_taps[FILTERS] = {1024, 256, 32, 16};
static const float filter_rate[FILTERS] = {0.08f, 0.1f, 0.06f, 0.04f};

typedef struct {
    float weights[MAX_TAPS] __attribute__((aligned(64)));
    float recent[FILTER_ROOM + MAX_TAPS] __attribute__((aligned(64)));
    int32_t newest;
    float guess, power[3];
} lms_filter;

/* w . x in two sums of 8 lanes. 0 where it is no number or very large. */
INLINE float filter_guess(const lms_filter *f, int32_t taps) {
    const float *x = f->recent + f->newest;
    f32x8 sum[2] = {{0}, {0}}, part[2];
    for (int32_t i = 0; i < taps; i += 16) {
        const f32x8 *w = (const f32x8 *)(f->weights + i);
        memcpy(part, x + i, sizeof part);
        for (int32_t k = 0; k < 2; k++) sum[k] += w[k] * part[k];
    }
    const float guess = sum8(sum[0] + sum[1]);
    return guess > -1e10f && guess < 1e10f ? guess : 0;
}

/* Update with the true input. Returns the prediction error, the input of the next filter. */
INLINE float filter_learn(lms_filter *f, int32_t taps, float rate, float input) {
    const float error = input - f->guess, square = input * input;
    const float power = 0.25f * f->power[0] + 0.25f * f->power[1] + 0.5f * f->power[2];
    const float step = rate / (float)taps * error / (power + 0.01f);
    const float *x = f->recent + f->newest;
    for (int32_t i = 0; i < taps; i += 8) {
        f32x8 part;
        memcpy(&part, x + i, sizeof part);
        *(f32x8 *)(f->weights + i) += step * part;
    }
    f->power[0] += (square - f->power[0]) * 0.125f;
    f->power[1] += (square - f->power[1]) * 0.015625f;
    f->power[2] += (square - f->power[2]) * (2.0f / (float)taps);
    if (f->newest == 0) {
        memcpy(f->recent + FILTER_ROOM, f->recent, sizeof(float) * (size_t)taps);
        f->newest = FILTER_ROOM;
    }
    f->newest--;
    f->recent[f->newest] = input;
    return error;
}

#endif

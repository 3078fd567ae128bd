/* A cascade of sign-LMS filters for sound (as in Monkey's Audio and OptimFROG). The input of each filter is the
 * prediction error of the filter before it; x are the last inputs.
 *
 *     guess = w . x     rest = input - guess     w += rate * clamp(rest / (usual + 0.1), -2, 2) * sign(x)
 *     usual += (|rest| - usual) / 128                                                      the running mean of |rest|
 *
 * The twin is priors/linear_prediction/filters.py. */
#ifndef TP_PREDICTION_FILTERS_H
#define TP_PREDICTION_FILTERS_H

#include "prediction_math.h"

#define FILTERS 3
#define MAX_TAPS 1024
/* The newest number lies at `newest`, which moves down; at 0 the numbers in use move to the end. */
#define FILTER_ROOM 4096

static const int32_t filter_taps[FILTERS] = {1024, 256, 32};
static const float filter_rate[FILTERS] = {3e-5f, 1.2e-4f, 2.4e-4f};

typedef struct {
    float weights[MAX_TAPS] __attribute__((aligned(64)));
    float recent[FILTER_ROOM + MAX_TAPS] __attribute__((aligned(64)));
    float signs[FILTER_ROOM + MAX_TAPS] __attribute__((aligned(64)));
    int32_t newest;
    float guess, usual;
} lms_filter;

/* w . x in four sums of 8 lanes. */
INLINE float filter_guess(const lms_filter *f, int32_t taps) {
    const float *x = f->recent + f->newest;
    f32x8 sum[4] = {{0}, {0}, {0}, {0}}, part[4];
    for (int32_t i = 0; i < taps; i += 32) {
        const f32x8 *w = (const f32x8 *)(f->weights + i);
        memcpy(part, x + i, sizeof part);
        for (int32_t k = 0; k < 4; k++) sum[k] += w[k] * part[k];
    }
    return sum8((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* Update with the true input. Returns the prediction error, the input of the next filter. */
INLINE float filter_learn(lms_filter *f, int32_t taps, float rate, float input) {
    float rest = input - f->guess;
    float step = rate * clampf(rest / (f->usual + 0.1f), -2.0f, 2.0f);
    const float *sign = f->signs + f->newest;
    for (int32_t i = 0; i < taps; i += 8) {
        f32x8 part;
        memcpy(&part, sign + i, sizeof part);
        *(f32x8 *)(f->weights + i) += step * part;
    }
    f->usual += ((rest < 0 ? -rest : rest) - f->usual) * 0.0078125f;
    if (f->newest == 0) {
        memcpy(f->recent + FILTER_ROOM, f->recent, sizeof(float) * (size_t)taps);
        memcpy(f->signs + FILTER_ROOM, f->signs, sizeof(float) * (size_t)taps);
        f->newest = FILTER_ROOM;
    }
    f->newest--;
    f->recent[f->newest] = input;
    f->signs[f->newest] = (float)((input > 0) - (input < 0));
    return rest;
}

#endif

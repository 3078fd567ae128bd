/* The element-wise half of the exact layers, a row at a time: the same float32 operations in the same order as exact/ops.py, its
 * twin. Rows are padded with zeros to ROW_PAD, which changes no extreme and no sum; integers go out as the bytes that product.h takes. */
#ifndef TP_ROWS_H
#define TP_ROWS_H

#include "product.h"

#define PER_ACTIVATION_MAX 0.007874015718698501586914f /* float32(1 / 127) */
#define TINY_PEAK 0x1p-66f
#define LOG2_E 1.44269502162933349609375f
#define WEIGHT_ONE 0x1p23f

/* 2^-f on [0, 1), as exact/ops.py has it. */
INLINE vf exp2_negative(vf f) {
    vf p = -0.0009475536644458771f * f + 0.009210875257849693f;
    p = p * f + -0.055299606174230576f;
    p = p * f + 0.24017949402332306f;
    p = p * f + -0.6931431889533997f;
    return p * f + 1.0f;
}

/* The algebraic sigmoid. */
INLINE vf gate(vf x) { return 0.5f + 0.5f * (x / vf_sqrt(1.0f + x * x)); }

/* a = round(x * 127 / peak) as bytes + offset, given the row's max |x|; Σ a^2 in *squares where that is asked for. The row's scale. */
INLINE float quantize(const float *x, int64_t width, float peak, uint8_t offset, uint8_t *a, int32_t *squares) {
    peak = peak > TINY_PEAK ? peak : TINY_PEAK;
    float by = (1.0f / peak) * 127.0f;
    vi sum = {0};
    for (int64_t c = 0; c < width; c += PACK * FLOATS) {
        vi v[PACK];
        for (int p = 0; p < PACK; p++) v[p] = vf_nearest(vf_load(x + c + p * FLOATS) * by);
        vi_bytes(v, offset, a + c);
        if (squares)
            for (int p = 0; p < PACK; p++) sum += v[p] * v[p];
    }
    if (squares) *squares = (int32_t)vi_sum(sum);
    return peak * PER_ACTIVATION_MAX;
}

INLINE float peak_of(const float *x, int64_t width) {
    vf peak = {0};
    for (int64_t c = 0; c < width; c += FLOATS) peak = vf_max(peak, vf_abs(vf_load(x + c)));
    return vf_highest(peak);
}

INLINE float quantize_row(const float *x, int64_t width, uint8_t *a) { return quantize(x, width, peak_of(x, width), OFFSET, a, NULL); }

/* RMS norm and quantisation in one: the row's scale is 1 / rms(a). `per` is float32(1 / the width without padding). */
INLINE float normalize(const float *x, int64_t width, float peak, float per, uint8_t *a) {
    int32_t squares;
    quantize(x, width, peak, OFFSET, a, &squares);
    return 1.0f / scalar_sqrt((float)(squares > 1 ? squares : 1) * per);
}

/* x += acc * s * r. */
INLINE void add_row(float *x, const int32_t *acc, const float *s, float r, int64_t width) {
    for (int64_t c = 0; c < width; c += FLOATS) vf_store(x + c, vf_load(x + c) + vf_of(vi_load(acc + c)) * vf_load(s + c) * r);
}

/* Token shift, then norm, of mu * x + rest * last, where rest = 1 - mu; `last` becomes x. `mixed` is room for a row. */
INLINE float shift_row(
    const float *x, float *last, const float *mu, const float *rest, float *mixed, int64_t width, float per, uint8_t *a
) {
    vf peak = {0};
    for (int64_t c = 0; c < width; c += FLOATS) {
        vf now = vf_load(x + c), m = vf_load(mu + c) * now + vf_load(rest + c) * vf_load(last + c);
        vf_store(last + c, now);
        vf_store(mixed + c, m);
        peak = vf_max(peak, vf_abs(m));
    }
    return normalize(mixed, width, vf_highest(peak), per, a);
}

/* minGRU: f = gate(. + bias), h = f * h + (1 - f) * c; the quantised row of h * o * gate(o). acc and s hold f, c and o, `width` each. */
INLINE float recur_row(const int32_t *acc, const float *s, float r, const float *bias, float *h, float *u, int64_t width, uint8_t *a) {
    vf peak = {0};
    for (int64_t c = 0; c < width; c += FLOATS) {
        vf f = gate(vf_of(vi_load(acc + c)) * vf_load(s + c) * r + vf_load(bias + c));
        vf y = vf_of(vi_load(acc + width + c)) * vf_load(s + width + c) * r;
        vf o = vf_of(vi_load(acc + 2 * width + c)) * vf_load(s + 2 * width + c) * r;
        vf state = f * vf_load(h + c) + (1.0f - f) * y;
        vf v = state * (o * gate(o));
        vf_store(h + c, state);
        vf_store(u + c, v);
        peak = vf_max(peak, vf_abs(v));
    }
    return quantize(u, width, vf_highest(peak), OFFSET, a, NULL);
}

/* The quantised row of max(y, 0)^2, which is never negative: bytes without offset, for product_of_nonnegative. */
INLINE float squared_relu_row(const int32_t *acc, const float *s, float r, float *u, int64_t width, uint8_t offset, uint8_t *a) {
    vf peak = {0};
    for (int64_t c = 0; c < width; c += FLOATS) {
        vf y = vf_max(vf_of(vi_load(acc + c)) * vf_load(s + c) * r, (vf){0});
        y = y * y;
        vf_store(u + c, y);
        peak = vf_max(peak, y);
    }
    return quantize(u, width, vf_highest(peak), offset, a, NULL);
}

/* Softmax weights of logits [count], padded to `width` with -FLT_MAX. Returns their sum. With
 * t = min((max l - l) log2(e), 30),
 *
 *     w = max(1, round(2^23 * 2^-(t - floor t)) >> floor t),     about 2^23 * e^(l - max l) */
INLINE int64_t weigh_logits(const float *logits, vf top_of, int64_t width, int64_t count, int32_t *weights) {
    float top = vf_highest(top_of);
    int64_t total = 0;
    for (int64_t start = 0; start < width;) {
        vi sum = {0}; /* of 64 vectors: 64 * 2^23 < 2^31 */
        int64_t stop = width - start > 64 * FLOATS ? start + 64 * FLOATS : width;
        for (int64_t v = start; v < stop; v += FLOATS) {
            vf t = vf_min((top - vf_load(logits + v)) * LOG2_E, vf_all(30.0f));
            vi down = vf_truncate(t);
            vi w = vf_nearest(exp2_negative(t - vf_of(down)) * WEIGHT_ONE) >> down;
            w = vi_max(w, vi_all(1));
            vi_store(weights + v, w);
            sum += w;
        }
        total += vi_sum(sum);
        start = stop;
    }
    return total - (width - count); /* each that only fills the row weighs 1 */
}

/* The same of an integer product: logits acc * s * r + bias, for which `row` is room. */
INLINE int64_t weigh_row(
    const int32_t *acc, const float *s, float r, const float *bias, float *row, int64_t width, int64_t count, int32_t *weights
) {
    vf top = vf_all(-0x1.fffffep127f);
    for (int64_t v = 0; v < width; v += FLOATS) {
        vf l = vf_of(vi_load(acc + v)) * vf_load(s + v) * r + vf_load(bias + v);
        vf_store(row + v, l);
        top = vf_max(top, l);
    }
    return weigh_logits(row, top, width, count, weights);
}

#endif

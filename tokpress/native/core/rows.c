/* Row operations for Python: the lecture's networks step with them, and the tests hold them to their twin (exact/ops.py). Rows come
 * and go without padding; `scale` is what an operation says of each row. */
#include "rows.h"

/* One padded row after the other, from and to rows of `width` floats. */
typedef struct {
    float *x, *y, *z, *s, *bias;
    int32_t *acc, *weights;
    uint8_t *a;
} padded_rows;

static padded_rows new_rooms(int64_t width) {
    const size_t floats = (size_t)padded(width) * 4;
    char *all = tp_zeros(7 * floats + (size_t)padded(width));
    padded_rows m = {0};
    if (all == NULL) return m;
    m.x = (float *)all;
    m.y = (float *)(all + floats);
    m.z = (float *)(all + 2 * floats);
    m.s = (float *)(all + 3 * floats);
    m.bias = (float *)(all + 4 * floats);
    m.acc = (int32_t *)(all + 5 * floats);
    m.weights = (int32_t *)(all + 6 * floats);
    m.a = (uint8_t *)(all + 7 * floats);
    return m;
}

static bool fits_rows(int64_t n, int64_t width) { return n >= 0 && width >= 1 && width <= MAX_INPUTS; }

INLINE void integers_out(const padded_rows *m, uint8_t offset, int64_t width, float *a) {
    for (int64_t c = 0; c < width; c++) a[c] = (float)(int8_t)(m->a[c] ^ offset);
}
/* Integer sums, which Python keeps as float32. */
INLINE void sums_in(const float *acc, int64_t width, int32_t *to) {
    for (int64_t c = 0; c < width; c++) to[c] = acc[c] > -0x1p31f && acc[c] < 0x1p31f ? (int32_t)acc[c] : 0;
}

/* a [n, width] of integers and scale [n] = max|x| / 127; with `norm`, 1 / rms(a). */
EXPORT int64_t API(rows_quantize)(const float *x, int64_t n, int64_t width, int64_t norm, float *a, float *scale) {
    if (!fits_rows(n, width)) return TP_ARGUMENT;
    const padded_rows m = new_rooms(width);
    if (m.x == NULL) return TP_MEMORY;
    const int64_t wide = padded(width);
    for (int64_t i = 0; i < n; i++) {
        memcpy(m.x, x + i * width, (size_t)width * 4);
        scale[i] = norm ? normalize(m.x, wide, peak_of(m.x, wide), 1.0f / (float)width, m.a) : quantize_row(m.x, wide, m.a);
        integers_out(&m, OFFSET, width, a + i * width);
    }
    tp_free(m.x);
    return 0;
}

/* Token shift and norm of x [n, width]; last [n, width] becomes x. */
EXPORT int64_t API(rows_shift)(const float *x, float *last, const float *mu, int64_t n, int64_t width, float *a, float *scale) {
    if (!fits_rows(n, width)) return TP_ARGUMENT;
    const padded_rows m = new_rooms(width);
    if (m.x == NULL) return TP_MEMORY;
    for (int64_t c = 0; c < width; c++) {
        m.s[c] = mu[c];
        m.bias[c] = 1.0f - mu[c];
    }
    for (int64_t i = 0; i < n; i++) {
        memcpy(m.x, x + i * width, (size_t)width * 4);
        memcpy(m.y, last + i * width, (size_t)width * 4);
        scale[i] = shift_row(m.x, m.y, m.s, m.bias, m.z, padded(width), 1.0f / (float)width, m.a);
        memcpy(last + i * width, m.y, (size_t)width * 4);
        integers_out(&m, OFFSET, width, a + i * width);
    }
    tp_free(m.x);
    return 0;
}

/* minGRU of acc [n, 3 width], s [3 width], row scales r [n], bias [width] and the state h [n, width]. */
EXPORT int64_t API(rows_recur)(
    const float *acc, const float *s, const float *r, const float *bias, float *h, int64_t n, int64_t width, float *a, float *scale
) {
    if (!fits_rows(n, width)) return TP_ARGUMENT;
    const int64_t wide = padded(width);
    const padded_rows m = new_rooms(3 * wide);
    if (m.x == NULL) return TP_MEMORY;
    memcpy(m.bias, bias, (size_t)width * 4);
    for (int64_t part = 0; part < 3; part++) memcpy(m.s + part * wide, s + part * width, (size_t)width * 4);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t part = 0; part < 3; part++) sums_in(acc + (3 * i + part) * width, width, m.acc + part * wide);
        memcpy(m.x, h + i * width, (size_t)width * 4);
        scale[i] = recur_row(m.acc, m.s, r[i], m.bias, m.x, m.y, wide, m.a);
        memcpy(h + i * width, m.x, (size_t)width * 4);
        integers_out(&m, OFFSET, width, a + i * width);
    }
    tp_free(m.x);
    return 0;
}

/* max(y, 0)^2 of y = acc s r. */
EXPORT int64_t API(rows_squared_relu)(const float *acc, const float *s, const float *r, int64_t n, int64_t width, float *a, float *scale) {
    if (!fits_rows(n, width)) return TP_ARGUMENT;
    const padded_rows m = new_rooms(width);
    if (m.x == NULL) return TP_MEMORY;
    memcpy(m.s, s, (size_t)width * 4);
    for (int64_t i = 0; i < n; i++) {
        sums_in(acc + i * width, width, m.acc);
        scale[i] = squared_relu_row(m.acc, m.s, r[i], m.y, padded(width), 0, m.a);
        integers_out(&m, 0, width, a + i * width);
    }
    tp_free(m.x);
    return 0;
}

/* x [n, width] += acc s r. */
EXPORT int64_t API(rows_add)(float *x, const float *acc, const float *s, const float *r, int64_t n, int64_t width) {
    if (!fits_rows(n, width)) return TP_ARGUMENT;
    const padded_rows m = new_rooms(width);
    if (m.x == NULL) return TP_MEMORY;
    memcpy(m.s, s, (size_t)width * 4);
    for (int64_t i = 0; i < n; i++) {
        sums_in(acc + i * width, width, m.acc);
        memcpy(m.x, x + i * width, (size_t)width * 4);
        add_row(m.x, m.acc, m.s, r[i], padded(width));
        memcpy(x + i * width, m.x, (size_t)width * 4);
    }
    tp_free(m.x);
    return 0;
}

/* The integers of exp2_weights of logits [n, width]; their sums in total [n]. */
EXPORT int64_t API(rows_weigh)(const float *logits, int64_t n, int64_t width, int32_t *weights, int64_t *total) {
    if (!fits_rows(n, width)) return TP_ARGUMENT;
    const padded_rows m = new_rooms(width);
    if (m.x == NULL) return TP_MEMORY;
    const int64_t wide = padded(width);
    for (int64_t i = 0; i < n; i++) {
        vf top = vf_all(-0x1.fffffep127f);
        for (int64_t v = 0; v < wide; v++) m.x[v] = v < width ? logits[i * width + v] : -0x1.fffffep127f;
        for (int64_t v = 0; v < wide; v += FLOATS) top = vf_max(top, vf_load(m.x + v));
        total[i] = weigh_logits(m.x, top, wide, width, m.weights);
        memcpy(weights + i * width, m.weights, (size_t)width * 4);
    }
    tp_free(m.x);
    return 0;
}

/* The training recurrence h_t = f_t h_{t-1} + (1 - f_t) c_t and its gradient (training/nets/scan.py has the formulas and the twin). Rows
 * and channels are independent, so the loop over channels is one of vectors; arrays are [rows, steps, channels] float32. */
#include "core.h"

/* h of rows f, c [rows, steps, channels], from the state h0 [rows, channels] before the first step. */
EXPORT int64_t API(scan_forward)(
    const float *f, const float *c, const float *h0, float *restrict h, int64_t rows, int64_t steps, int64_t channels) {
    for (int64_t row = 0; row < rows; row++) {
        const float *before = h0 + row * channels;
        for (int64_t t = 0; t < steps; t++) {
            int64_t at = (row * steps + t) * channels;
            for (int64_t k = 0; k < channels; k++)
                h[at + k] = f[at + k] * before[k] + (1 - f[at + k]) * c[at + k];
            before = h + at;
        }
    }
    return 0;
}

/* Gradients gf, gc of f and c, where g is that of h; `later` [channels] is room for the total gradient of the step after. */
EXPORT int64_t API(scan_backward)(
    const float *f, const float *c, const float *h0, const float *h, const float *g, float *restrict gf, float *restrict gc,
    float *restrict later, int64_t rows, int64_t steps, int64_t channels) {
    for (int64_t row = 0; row < rows; row++) {
        memset(later, 0, (size_t)channels * sizeof *later);
        for (int64_t t = steps; t-- > 0;) {
            int64_t at = (row * steps + t) * channels;
            const float *before = t > 0 ? h + at - channels : h0 + row * channels;
            for (int64_t k = 0; k < channels; k++) {
                float total = g[at + k] + later[k];
                gf[at + k] = total * (before[k] - c[at + k]);
                gc[at + k] = total * (1 - f[at + k]);
                later[k] = total * f[at + k];
            }
        }
    }
    return 0;
}

/* The integer product for Python: priors whose steps are Python's (the lecture's networks) multiply here. */
#include "product.h"

static bool fits_product(int64_t outputs, int64_t inputs) {
    return outputs >= 1 && inputs >= 1 && inputs <= MAX_INPUTS && outputs <= (int64_t)1 << 31;
}

/* Bytes of packed weights of q [outputs, inputs], with their first sums behind them. */
EXPORT int64_t API(product_size)(int64_t outputs, int64_t inputs) {
    if (!fits_product(outputs, inputs)) return TP_ARGUMENT;
    return packed_outputs(outputs) * (packed_inputs(inputs) + 4);
}

static packed_weights placed(void *packed, int64_t outputs, int64_t inputs) {
    packed_weights p = {packed_outputs(outputs), packed_inputs(inputs), packed, NULL, false};
    p.first = (int32_t *)((char *)packed + p.outputs * p.inputs);
    return p;
}

/* Pack weights q [outputs, inputs], each -64 ... 63 (others: TP_ARGUMENT), into product_size bytes, aligned to 4. */
EXPORT int64_t API(product_pack)(const int8_t *q, int64_t outputs, int64_t inputs, void *packed) {
    if (!fits_product(outputs, inputs) || (uintptr_t)packed % 4) return TP_ARGUMENT;
    for (int64_t i = 0; i < outputs * inputs; i++)
        if (q[i] < -64 || q[i] > 63) return TP_ARGUMENT;
    packed_weights p = placed(packed, outputs, inputs);
    pack_zeros(&p);
    pack_rows(&p, 0, q, outputs, inputs);
    return 0;
}

/* out [n, outputs] float32 = a q^T, a [n, inputs] float32 of integers -127 ... 127: the exact sums, rounded once from 2^24 on. */
EXPORT int64_t API(product)(const float *a, int64_t n, const void *packed, int64_t outputs, int64_t inputs, float *out) {
    if (!fits_product(outputs, inputs) || n < 0) return TP_ARGUMENT;
    packed_weights p = placed((void *)packed, outputs, inputs);
    int64_t stride = padded(inputs), at_once = MAX_ROWS / PRODUCT_ROWS * PRODUCT_ROWS;
    uint8_t *bytes = tp_zeros((size_t)(at_once * stride));
    int32_t *sums_of = tp_zeros((size_t)(at_once * p.outputs) * 4);
    if (bytes == NULL || sums_of == NULL) {
        tp_free(bytes);
        tp_free(sums_of);
        return TP_MEMORY;
    }
    for (int64_t row = 0; row < n; row += at_once) {
        int64_t rows = n - row < at_once ? n - row : at_once;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < inputs; k++) {
                float x = a[(row + i) * inputs + k];
                bytes[i * stride + k] = (uint8_t)((x >= -127.0f && x <= 127.0f ? (int32_t)x : 0) + OFFSET);
            }
        product(bytes, stride, rows, &p, sums_of, p.outputs);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t v = 0; v < outputs; v++) out[(row + i) * outputs + v] = (float)sums_of[i * p.outputs + v];
    }
    tp_free(bytes);
    tp_free(sums_of);
    return 0;
}

/* The range coder over intervals that Python gives: what the tests hold to the twin, and bits that Python-level priors predict. */
#include "range_coder.h"

/* Code intervals [left, right) of n symbols; the payload's size, at most `room` bytes of it written. */
EXPORT int64_t API(range_encode)(const uint32_t *left, const uint32_t *right, int64_t n, uint8_t *payload, int64_t room) {
    range_encoder e;
    range_start_encoder(&e);
    if (n < 0 || room < 0) return TP_ARGUMENT;
    if (range_reserve(&e, (size_t)n) < 0) return TP_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        if (left[i] >= right[i] || right[i] > WHOLE) {
            range_free(&e);
            return TP_ARGUMENT;
        }
        range_push(&e, left[i], right[i]);
    }
    int64_t size = (int64_t)range_finish(&e);
    if (size > room)
        size = TP_FULL;
    else if (size > 0)
        memcpy(payload, e.words, (size_t)size);
    range_free(&e);
    return size;
}

/* Decode n symbols of one table of right edges (rising, the last is WHOLE): the number of symbols, or TP_DAMAGED. */
EXPORT int64_t API(range_decode)(const uint8_t *payload, int64_t size, const uint32_t *right, int64_t symbols, int32_t *out, int64_t n) {
    range_decoder d;
    if (n < 0 || size < 0 || symbols < 1 || right[symbols - 1] != WHOLE) return TP_ARGUMENT;
    for (int64_t v = 0; v < symbols; v++)
        if (right[v] > WHOLE || right[v] <= (v > 0 ? right[v - 1] : 0)) return TP_ARGUMENT;
    range_start_decoder(&d, payload, (size_t)size);
    for (int64_t i = 0; i < n; i++) {
        uint64_t target = range_target(&d);
        if (target >= WHOLE || range_is_over(&d)) return TP_DAMAGED;
        int64_t v = 0;
        while (right[v] <= target) v++;
        range_pop(&d, v > 0 ? right[v - 1] : 0, right[v]);
        out[i] = (int32_t)v;
    }
    return n;
}

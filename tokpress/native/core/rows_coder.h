/* Rows of float32 probabilities through the range coder. Each row becomes 24-bit frequencies, none below 1, by a fixed sequence of
 * float operations: sums are taken in the order of the symbols. coding/coders/reference.py is the twin. */
#ifndef TP_ROWS_CODER_H
#define TP_ROWS_CODER_H

#include "range_coder.h"

/* Symbols from one sum that is kept to the next. */
#define MARK 32
INLINE int64_t marks_of(int64_t symbols) { return (symbols + MARK - 1) / MARK; }

/* The sums of rows [n, stride] after each MARK symbols and after the last; eight rows at a time, since an addition waits for the one
 * before. sums [n, marks]. */
static void add_up(const float *rows, int64_t stride, int64_t n, int64_t symbols, float *sums) {
    enum { TOGETHER = 8 };
    int64_t marks = marks_of(symbols), i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER) {
        const float *row = rows + i * stride;
        float sum[TOGETHER] = {0};
        for (int64_t mark = 0; mark < marks; mark++) {
            int64_t stop = (mark + 1) * MARK < symbols ? (mark + 1) * MARK : symbols;
            for (int64_t v = mark * MARK; v < stop; v++)
                for (int k = 0; k < TOGETHER; k++) sum[k] = sum[k] + row[k * stride + v];
            for (int k = 0; k < TOGETHER; k++) sums[(i + k) * marks + mark] = sum[k];
        }
    }
    for (; i < n; i++) {
        float sum = 0;
        for (int64_t v = 0; v < symbols; v++) {
            sum = sum + rows[i * stride + v];
            if (v % MARK == MARK - 1 || v == symbols - 1) sums[i * marks + v / MARK] = sum;
        }
    }
}

/* To an integer below 2^24, or WHOLE for what is none. */
INLINE uint32_t to_whole(float x) { return x < (float)WHOLE ? x > 0.0f ? (uint32_t)x : 0 : WHOLE; }

/* The interval of a symbol; left >= right where a row holds no probabilities. */
INLINE void row_interval(const float *row, const float *sums, int64_t symbols, int64_t symbol, uint32_t *left, uint32_t *right) {
    int64_t mark = symbol / MARK;
    float to_integer = (float)(int32_t)(WHOLE - symbols) / sums[marks_of(symbols) - 1], sum = mark ? sums[mark - 1] : 0.0f;
    for (int64_t v = mark * MARK; v < symbol; v++) sum = sum + row[v];
    *left = symbol ? to_whole(sum * to_integer) + (uint32_t)symbol : 0;
    *right = symbol == symbols - 1 ? WHOLE : to_whole((sum + row[symbol]) * to_integer) + (uint32_t)symbol + 1;
    if (*right > WHOLE) *right = 0;
}

/* The next symbol, or TP_DAMAGED. */
INLINE int64_t row_pop(range_decoder *d, const float *row, const float *sums, int64_t symbols) {
    int64_t marks = marks_of(symbols), mark = 0;
    float to_integer = (float)(int32_t)(WHOLE - symbols) / sums[marks - 1];
    uint64_t target = range_target(d);
    if (target >= WHOLE || range_is_over(d)) return TP_DAMAGED;
    uint32_t left = 0, right = 0;
    for (; mark < marks - 1; mark++) {
        uint32_t after = to_whole(sums[mark] * to_integer) + (uint32_t)((mark + 1) * MARK);
        if (target < after) break;
        right = after;
    }
    float sum = mark ? sums[mark - 1] : 0.0f;
    for (int64_t v = mark * MARK; v < symbols; v++) {
        left = right;
        sum = sum + row[v];
        right = v < symbols - 1 ? to_whole(sum * to_integer) + (uint32_t)v + 1 : WHOLE;
        if (target < right) {
            if (left >= right || right > WHOLE) return TP_DAMAGED;
            range_pop(d, left, right);
            return v;
        }
    }
    return TP_DAMAGED;
}

#endif

/* Rows of float32 probabilities as intervals of the range coder and of the stack.
 *
 * With S(v) = p_0 + … + p_{v-1}, added in this order, and k symbols, symbol v has the interval
 *
 *     [⌊S(v) t⌋ + v, ⌊S(v+1) t⌋ + v + 1),     t = (2^24 - k) / S(k)
 *
 * and the last symbol ends at 2^24: none is empty. constriction's Categorical(perfect=False) does the same. */
#ifndef TP_ROWS_CODER_H
#define TP_ROWS_CODER_H

#include "range_coder.h"

/* Rows that are added up side by side: an addition waits for the one before, so one row alone leaves the processor idle. */
#define TOGETHER 8
/* Symbols between two sums that are kept. */
#define MARK 32

typedef struct {
    uint32_t left, right;
} interval;

/* ⌊sum · t⌋, or WHOLE where that is no number within the interval: negative or infinite probabilities. */
INLINE uint32_t row_edge(float sum, float to_integer) {
    float scaled = sum * to_integer;
    return scaled >= 0 && scaled < (float)WHOLE ? (uint32_t)scaled : WHOLE;
}

INLINE int64_t marks_of(int64_t symbols) { return (symbols + MARK - 1) / MARK; }

/* The sums of up to TOGETHER rows after each MARK symbols, and the whole sums behind them: sums [rows][marks + 1]. Rows are `stride`
 * floats apart. */
static UNUSED void row_sums(const float *rows, int64_t stride, int64_t count, int64_t symbols, float *sums) {
    int64_t marks = (symbols + MARK - 1) / MARK;
    float total[TOGETHER] = {0};
    const float *row[TOGETHER];
    for (int64_t i = 0; i < TOGETHER; i++) row[i] = rows + (i < count ? i : 0) * stride;
    for (int64_t mark = 0; mark < marks; mark++) {
        for (int64_t i = 0; i < count; i++) sums[i * (marks + 1) + mark] = total[i];
        int64_t stop = (mark + 1) * MARK < symbols ? (mark + 1) * MARK : symbols;
        for (int64_t v = mark * MARK; v < stop; v++)
            for (int64_t i = 0; i < TOGETHER; i++) total[i] = total[i] + row[i][v];
    }
    for (int64_t i = 0; i < count; i++) sums[i * (marks + 1) + marks] = total[i];
}

/* The interval of a known symbol of a row whose sums are known. left >= right where the row is no distribution. */
INLINE interval row_interval(const float *row, int64_t symbols, const float *sums, int64_t symbol) {
    int64_t mark = symbol / MARK;
    float to_integer = (float)(WHOLE - symbols) / sums[(symbols + MARK - 1) / MARK], sum = sums[mark];
    for (int64_t v = mark * MARK; v < symbol; v++) sum = sum + row[v];
    uint32_t left = row_edge(sum, to_integer) + (uint32_t)symbol;
    if (symbol == symbols - 1) return (interval){left, WHOLE};
    uint32_t right = row_edge(sum + row[symbol], to_integer) + (uint32_t)symbol + 1;
    return (interval){left, right <= WHOLE ? right : left};
}

/* The symbol in whose interval a target < WHOLE lies, and that interval; -1 where the row is no distribution. */
INLINE int64_t row_find(const float *row, int64_t symbols, const float *sums, uint32_t target, interval *found) {
    int64_t marks = (symbols + MARK - 1) / MARK, mark = 0;
    float to_integer = (float)(WHOLE - symbols) / sums[marks];
    while (mark + 1 < marks && row_edge(sums[mark + 1], to_integer) + (uint32_t)((mark + 1) * MARK) <= target) mark++;
    float sum = sums[mark];
    uint32_t left = row_edge(sum, to_integer) + (uint32_t)(mark * MARK);
    for (int64_t v = mark * MARK; v < symbols; v++) {
        sum = sum + row[v];
        uint32_t right = v < symbols - 1 ? row_edge(sum, to_integer) + (uint32_t)v + 1 : WHOLE;
        if (left >= right || right > WHOLE) return -1;
        if (target < right) {
            *found = (interval){left, right};
            return v;
        }
        left = right;
    }
    return -1;
}

#endif

/* After a sample is coded: update all predictors, then move the cursor to the next sample.
 * The twin is `Guesses.learn` in priors/linear_prediction/guesses.py. */
#ifndef TP_PREDICTION_LEARN_H
#define TP_PREDICTION_LEARN_H

#include "prediction_guess.h"

#define KEEP_PICTURE 0.9984f /* of the statistics of all samples, for each batch */
#define KEEP_SOUND 0.997f
#define KEEP_RECENT 0.92f /* of a recording's tile */
#define KEEP_ROW 0.83f /* of a tile's, for each row */
#define RIDGE_PICTURE 4
#define RIDGE_SOUND 30
#define GLOBAL_EVERY 4 /* batches between two solutions over all samples, where tiles have theirs */

/* Finish a row of a recording's least squares, which weighs it by 1 / (recent error + 2): squares become about magnitudes. */
INLINE void finish_row(prediction_model *m, int32_t c, double value, float error) {
    double *row = row64(m, c);
    const int32_t n = m->near[c].count;
    m->recent_error[c] += (error - m->recent_error[c]) * 0.5f;
    const double scale = 1.0 / __builtin_sqrt((double)m->recent_error[c] + 2.0);
    row[n] = value;
    for (int32_t i = 0; i <= n; i++) row[i] *= scale;
}

/* Add a full batch to A and b, and solve for new weights: of the next tile and its two neighbours each time (weights[0]), of all
 * samples every GLOBAL_EVERY batches (weights[1]). A recording is one tile, which forgets at each batch. */
#define LEARN_SQUARES(SQUARES, VECTOR, REAL, MEMBER)                                                                           \
    static void SQUARES##_learn(prediction_model *m, int32_t c, bool row_ends) {                                               \
        const int32_t n = m->near[c].count, last_tile = m->tiles - 1, lanes = (int32_t)(32 / sizeof(REAL));                    \
        const int32_t size = SQUARES##_row(n, n / lanes + 1), count = m->batched[c];                                           \
        const bool picture = m->grid.picture;                                                                                  \
        VECTOR *fresh = (VECTOR *)m->scratch, *total = (VECTOR *)(m->scratch + m->normal_size);                                \
        VECTOR *all = (VECTOR *)normal_of(m, m->tiles, c);                                                                     \
        const REAL ridge = picture ? RIDGE_PICTURE : RIDGE_SOUND;                                                              \
        const REAL keep_all = (REAL)(picture ? KEEP_PICTURE : KEEP_SOUND);                                                     \
        SQUARES##_batch(fresh, m->rows[c].MEMBER, SQUARES_ROOM, count, n);                                                     \
        const int32_t tile = m->column / m->tile_width;                                                                        \
        const bool begins = (m->column - count + 1) % m->tile_width == 0;                                                      \
        const REAL keep = picture ? begins ? (REAL)KEEP_ROW : 1 : (REAL)KEEP_RECENT;                                           \
        VECTOR *own = (VECTOR *)normal_of(m, tile, c);                                                                         \
        for (int32_t i = 0; i < size; i++) {                                                                                   \
            all[i] = all[i] * keep_all + fresh[i];                                                                             \
            own[i] = own[i] * keep + fresh[i];                                                                                 \
        }                                                                                                                      \
        const int32_t next = row_ends ? 0 : (m->column + 1) / m->tile_width;                                                   \
        const VECTOR *middle = (VECTOR *)normal_of(m, next, c);                                                                \
        const VECTOR *left = next > 0 ? (VECTOR *)normal_of(m, next - 1, c) : NULL;                                            \
        const VECTOR *right = next < last_tile ? (VECTOR *)normal_of(m, next + 1, c) : NULL;                                   \
        if (left && right)                                                                                                     \
            for (int32_t i = 0; i < size; i++) total[i] = left[i] + middle[i] + right[i];                                      \
        else if (left || right)                                                                                                \
            for (int32_t i = 0; i < size; i++) total[i] = middle[i] + (left ? left : right)[i];                                \
        else                                                                                                                   \
            memcpy(total, middle, sizeof(VECTOR) * (size_t)size);                                                              \
        SQUARES##_solve(total, ridge, m->weights[0][c].MEMBER, n);                                                             \
        const int32_t turn = m->turns[c];                                                                                      \
        m->turns[c] = (turn + 1) % GLOBAL_EVERY;                                                                               \
        if (turn) return;                                                                                                      \
        memcpy(total, all, sizeof(VECTOR) * (size_t)size);                                                                     \
        SQUARES##_solve(total, ridge, m->weights[1][c].MEMBER, n);                                                             \
    }
LEARN_SQUARES(squares32, f32x8, float, narrow)
LEARN_SQUARES(squares64, f64x4, double, wide)

INLINE void copy_place(prediction_model *m, int32_t to, int32_t from) {
    m->values[to] = m->values[from];
    m->errors[to] = m->errors[from];
    m->signed_errors[to] = m->signed_errors[from];
}

/* Pad the full row, drop the oldest, and pad the left of the next row with the first pixel of the row above. */
static void next_row(prediction_model *m) {
    const int32_t ch = (int32_t)m->grid.channels, start = m->window - m->stride, pad = m->pad * ch;
    const int32_t end = start + pad + m->columns * ch;
    for (int32_t i = 0; i < pad; i++) copy_place(m, end + i, end - ch + i % ch);
    memmove(m->values, m->values + m->stride, sizeof(int32_t) * (size_t)start);
    memmove(m->errors, m->errors + m->stride, sizeof(f32x8) * (size_t)start);
    memmove(m->signed_errors, m->signed_errors + m->stride, sizeof(float) * (size_t)start);
    for (int32_t i = 0; i < pad; i++) copy_place(m, start + i, start - m->stride + pad + i % ch);
    m->column = 0;
    m->at = start + pad;
}

static void learn(prediction_model *m, int64_t value) {
    const int32_t c = m->channel, n = m->near[c].count;
    const bool picture = m->grid.picture;
    const float s = (float)(value - m->reference);
    const f32x8 error = abs8(s - m->guesses);
    m->values[m->at] = (int32_t)value;
    m->errors[m->at] = error;
    m->signed_errors[m->at] = s - m->guesses[BLEND];
    m->usual[c] += (error - m->usual[c]) * 0.03125f;
    int32_t *seen = &m->seen[c][m->energy];
    f32x8 *scale = &m->scales[c][m->energy];
    *scale += (error - *scale) * (1.0f / (float)(*seen + 4));
    if (*seen < 120) (*seen)++;

    const bool row_ends = picture && m->column == m->columns - 1;
    if (!m->wide)
        row32(m, c)[n] = s;
    else if (picture)
        row64(m, c)[n] = (double)s;
    else
        finish_row(m, c, (double)value, error[0]);
    if (++m->batched[c] == m->batch || row_ends) {
        if (!m->wide)
            squares32_learn(m, c, row_ends);
        else
            squares64_learn(m, c, row_ends);
        m->batched[c] = 0;
    }
    float rest = s - m->first_guess;
    for (int32_t k = 0; k < FILTERS && !picture; k++)
        rest = filter_learn(&m->filters[c * FILTERS + k], filter_taps[k], filter_rate[k], rest);

    m->at++;
    if (++m->channel == (int32_t)m->grid.channels) {
        m->channel = 0;
        if (++m->column == m->columns) next_row(m);
    }
}

#endif

/* The output layer (priors/text/online_head.py and class_head.py have the formulas, and are the twins): integer weights of a softmax over
 * all V symbols, or class-factored, over C classes and then over the M members of one class. Where it learns, rows that a step teaches
 * are listed with their moves, so that each is read and written once a step; rows do not depend on each other, so several threads may
 * share them. Master weights are kept of rows that were ever taught; before that they are the trained weights, where they are mapped. */
#ifndef TP_TEXT_HEAD_H
#define TP_TEXT_HEAD_H

#include "rows.h"

#define DRAWS 8
#define PER_DRAW (-1.0f / DRAWS)
#define AT_ONCE 64.0f
#define MAX_MOVE 2047.0f
#define FRACTION 16
#define LOWEST_WEIGHT (-64 * (1 << FRACTION))
#define HIGHEST_WEIGHT (63 * (1 << FRACTION))
#define MEMBER_PAD 16
#define MEMBER_OFFSET (OFFSET + WEIGHT_OFFSET > 0 ? 128 : 0) /* what dot_rows adds to activations */

typedef struct {
    int32_t next, lane, move;
} text_move;

typedef struct {
    int64_t symbols, classes, members; /* classes: 0 where there is one softmax */
    int64_t width, wide, rows; /* D, padded; classes + symbols */
    int64_t top, outputs, member_room; /* outputs of the first softmax, C or V; padded; M padded to MEMBER_PAD */
    int64_t lanes, every; /* steps after which weights are rounded anew */
    bool learns;
    bool gives_all; /* factored, but asked for the probabilities of all symbols */
    packed_weights packed; /* of classes, or of all rows */
    int32_t *place; /* [V], where factored */
    float *all; /* [lanes, V padded]: the probabilities of all symbols, where gives_all */
    int8_t *member_rows; /* [V, wide], row by row: a step reads those of one class */
    int32_t *first; /* [V] */
    float *top_scale, *top_bias; /* [outputs] */
    float *member_scale, *member_bias; /* [C, member_room] */
    float *unit; /* [rows]: of a learning rate and the scales */
    const int8_t *trained; /* mapped [rows, D] */
    int32_t *master; /* [rows, wide], 2^-16 of a weight */
    uint8_t *has_master, *is_dirty; /* [rows] */
    int32_t *count, *move_of; /* [rows]; move_of: its last move of this step plus 1, or 0 */
    int32_t *moved, *dirty; /* rows with moves; rows to be rounded */
    int64_t moved_count, dirty_count;
    text_move *moves;
    int64_t move_count;
    /* of the step whose symbols are not known yet, [lanes, ...] */
    uint8_t *a;
    float *r;
    int32_t *drawn; /* DRAWS of the first softmax, DRAWS of the members */
    int32_t *weights, *member_weights;
    float *divisor, *member_divisor;
} text_head;

INLINE uint32_t draw_uniform(uint32_t lane, uint32_t step) {
    const uint32_t mask = 0x7FFFFFFF;
    uint32_t x = (lane * 0x3C6EF372u + step * 0x2545F491u + 0x1B873593u) & mask;
    x = ((x ^ (x >> 15)) * 0x2C1B3C6Du) & mask;
    return (x ^ (x >> 12)) & 0xFFFF;
}

/* DRAWS symbols by systematic resampling: v_j = min {v : w_0 + ... + w_v > (j + u / 2^16) * total / DRAWS}. The bounds
 * rise with j, so one pass over the weights finds all draws; blocks that hold no draw are summed with vectors. */
INLINE void draw(const int32_t *weights, int64_t count, int64_t total, uint32_t u, int32_t first, int32_t *out) {
    enum { BLOCK_OF = 32 };
    int64_t at = 0, so_far = weights[0];
    for (int64_t j = 0; j < DRAWS; j++) {
        const int64_t wanted = ((j << 16) + u) * total / (DRAWS << 16);
        while (so_far <= wanted && at + 1 < count) {
            const int32_t *next = weights + at + 1;
            if ((at + 1) % BLOCK_OF == 0 && at + 1 + BLOCK_OF < count) {
                int32_t sum = 0; /* at most 32 * 2^23 */
                for (int k = 0; k < BLOCK_OF; k++) sum += next[k];
                if (so_far + sum <= wanted) {
                    at += BLOCK_OF;
                    so_far += sum;
                    continue;
                }
            }
            so_far += *next;
            at++;
        }
        out[j] = first + (int32_t)at;
    }
}

/* acc [n] of bytes a [wide] and n rows of weights q [n, wide], four at a time (the last may be beyond n). */
INLINE void dot_rows(const uint8_t *a, const int8_t *q, int64_t wide, int64_t n, const int32_t *first, int32_t *acc) {
    for (int64_t r = 0; r < n; r += 4, q += 4 * wide) {
#if defined(__AVX2__)
        __m256i s[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        for (int64_t k = 0; k < wide; k += 32) {
            __m256i of_a = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(a + k)), _mm256_set1_epi8((char)(128 - OFFSET)));
            for (int i = 0; i < 4; i++) {
                __m256i w = _mm256_loadu_si256((const __m256i *)(q + i * wide + k));
#if defined(__AVX512VNNI__)
                s[i] = _mm256_dpbusd_epi32(s[i], of_a, w);
#else
                s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(_mm256_maddubs_epi16(of_a, w), _mm256_set1_epi16(1)));
#endif
            }
        }
        __m256i both = _mm256_hadd_epi32(_mm256_hadd_epi32(s[0], s[1]), _mm256_hadd_epi32(s[2], s[3]));
        __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        _mm_storeu_si128((__m128i *)(acc + r), _mm_add_epi32(sum, _mm_loadu_si128((const __m128i *)(first + r))));
#else
        for (int i = 0; i < 4; i++) {
            int32_t sum = 0;
            for (int64_t k = 0; k < wide; k++) sum += (int8_t)a[k] * q[i * wide + k];
            acc[r + i] = sum + first[r + i];
        }
#endif
    }
}

/* The probabilities of all symbols of a lane, from the sums of all rows. */
static void head_all(text_head *h, int64_t lane, const int32_t *acc, float *row, float *by_place) {
    const int32_t *class_weights = h->weights + lane * h->outputs;
    int32_t *weights = h->member_weights + lane * h->member_room;
    float *all = h->all + lane * padded(h->symbols);
    for (int64_t c = 0; c < h->classes; c++) {
        float divisor = (float)weigh_row(
            acc + h->classes + c * h->members, h->member_scale + c * h->member_room, h->r[lane], h->member_bias + c * h->member_room, row,
            h->member_room, h->members, weights
        );
        float class_p = (float)class_weights[c] / h->divisor[lane];
        for (int64_t r = 0; r < h->members; r++) by_place[c * h->members + r] = class_p * ((float)weights[r] / divisor);
    }
    for (int64_t v = 0; v < h->symbols; v++) all[v] = by_place[h->place[v]];
}

/* The first softmax's integer weights of lanes start ... start + rows - 1, from the features in `a` and `r`; draws, where it learns. */
static void head_top(text_head *h, int64_t start, int64_t rows, int64_t step, int32_t *acc, float *room, float *by_place) {
    product(h->a + start * h->wide, h->wide, rows, &h->packed, acc, h->packed.outputs);
    for (int64_t i = start; i < start + rows; i++) {
        int32_t *weights = h->weights + i * h->outputs;
        int64_t total = weigh_row(
            acc + (i - start) * h->packed.outputs, h->top_scale, h->r[i], h->top_bias, room, h->outputs, h->top, weights
        );
        h->divisor[i] = (float)total;
        if (h->learns) draw(weights, h->top, total, draw_uniform((uint32_t)i, (uint32_t)step), 0, h->drawn + i * 2 * DRAWS);
        if (h->gives_all) head_all(h, i, acc + (i - start) * h->packed.outputs, room, by_place);
    }
}

/* The integer weights of the members of a lane's class. */
INLINE void head_members(text_head *h, int64_t lane, int64_t of_class, int64_t step, int32_t *acc, float *room) {
    int64_t row = of_class * h->members;
    int32_t *weights = h->member_weights + lane * h->member_room;
    dot_rows(h->a + lane * h->wide, h->member_rows + row * h->wide, h->wide, h->members, h->first + row, acc);
    int64_t total = weigh_row(
        acc, h->member_scale + of_class * h->member_room, h->r[lane], h->member_bias + of_class * h->member_room, room, h->member_room, h->members,
        weights
    );
    h->member_divisor[lane] = (float)total;
    int32_t first = (int32_t)(h->classes + row);
    if (h->learns)
        draw(weights, h->members, total, draw_uniform((uint32_t)lane, (uint32_t)step), first, h->drawn + lane * 2 * DRAWS + DRAWS);
}

INLINE void head_list_move(text_head *h, int64_t row, int64_t lane, float by) {
    by = by > MAX_MOVE ? MAX_MOVE : by < -MAX_MOVE ? -MAX_MOVE : by;
    h->moves[h->move_count] = (text_move){h->move_of[row], (int32_t)lane, scalar_nearest(by)};
    h->move_of[row] = (int32_t)++h->move_count;
}

/* Count `lessons` updates of a row in this step, and list the row. */
INLINE void head_count(text_head *h, int64_t row, int32_t lessons) {
    if (h->count[row] == 0) h->moved[h->moved_count++] = (int32_t)row;
    h->count[row] += lessons;
}
INLINE float head_unit(const text_head *h, int64_t row) {
    float count = (float)(h->count[row] > 1 ? h->count[row] : 1), most = AT_ONCE / count;
    return h->unit[row] * (most < 1.0f ? most : 1.0f);
}

/* List the moves that the symbols (by place where the head is factored) of `rows` lanes ask for. */
static void head_list(text_head *h, const int32_t *places, int64_t rows) {
    h->move_count = h->moved_count = 0;
    if (!h->classes) {
        for (int64_t i = 0; i < rows; i++) {
            head_count(h, places[i], DRAWS);
            for (int j = 0; j < DRAWS; j++) head_count(h, h->drawn[i * 2 * DRAWS + j], 1);
        }
        for (int64_t i = 0; i < rows; i++) {
            for (int j = 0; j < DRAWS; j++) {
                int32_t v = h->drawn[i * 2 * DRAWS + j];
                head_list_move(h, v, i, (head_unit(h, v) * h->r[i]) * PER_DRAW);
            }
            head_list_move(h, places[i], i, head_unit(h, places[i]) * h->r[i]);
        }
    } else {
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < rows; i++)
                for (int softmax = 0; softmax < 2; softmax++) {
                    int32_t own = softmax ? (int32_t)(h->classes + places[i]) : (int32_t)(places[i] / h->members), pulls = 0;
                    for (int j = 0; j < DRAWS; j++) {
                        int32_t v = h->drawn[(i * 2 + softmax) * DRAWS + j];
                        if (v == own) continue;
                        pulls++;
                        if (pass == 0)
                            head_count(h, v, 1);
                        else
                            head_list_move(h, v, i, (head_unit(h, v) * h->r[i]) * PER_DRAW);
                    }
                    if (pulls && pass == 0) head_count(h, own, pulls);
                    if (pulls && pass == 1) head_list_move(h, own, i, (head_unit(h, own) * h->r[i]) * ((float)pulls * -PER_DRAW));
                }
    }
    for (int64_t i = 0; i < h->moved_count; i++) {
        int32_t row = h->moved[i];
        h->count[row] = 0;
        if (!h->is_dirty[row]) {
            h->is_dirty[row] = 1;
            h->dirty[h->dirty_count++] = row;
        }
    }
}

/* total + move * a of FLOATS bytes a + OFFSET; |move| < 2^11. */
INLINE vu add_move(vu total, const uint8_t *a, int32_t move) {
    vi features = OFFSET ? vi_of_bytes(a) - OFFSET : vi_of_signed((const int8_t *)a);
#if defined(__AVX512F__)
    return total + (vu)_mm512_madd_epi16((__m512i)features, _mm512_set1_epi32(move & 0xFFFF));
#elif defined(__AVX2__)
    return total + (vu)_mm256_madd_epi16((__m256i)features, _mm256_set1_epi32(move & 0xFFFF));
#elif defined(__SSE2__)
    return total + (vu)_mm_madd_epi16((__m128i)features, _mm_set1_epi32(move & 0xFFFF));
#else
    return total + (vu)(features * move);
#endif
}

/* One row: its moves, and, where it is time, its rounding. */
static void head_move_row(text_head *h, int64_t row, bool rounds, int8_t *rounded) {
    enum { VECTORS_OF_PAD = ROW_PAD / FLOATS };
    int32_t *master = h->master + row * h->wide, sum = 0;
    if (!h->has_master[row]) {
        for (int64_t c = 0; c < h->width; c++) master[c] = h->trained[row * h->width + c] * (1 << FRACTION);
        h->has_master[row] = 1;
    }
    int8_t *to = h->classes && row >= h->classes ? h->member_rows + (row - h->classes) * h->wide : rounded;
    for (int64_t c = 0; c < h->wide; c += VECTORS_OF_PAD * FLOATS) {
        vu m[VECTORS_OF_PAD];
        for (int k = 0; k < VECTORS_OF_PAD; k++) m[k] = (vu)vi_load(master + c + k * FLOATS);
        for (int32_t at = h->move_of[row]; at;) {
            text_move move = h->moves[at - 1];
            const uint8_t *a = h->a + move.lane * h->wide + c;
            for (int k = 0; k < VECTORS_OF_PAD; k++) m[k] = add_move(m[k], a + k * FLOATS, move.move);
            at = move.next;
        }
        if (rounds) {
            vi total = {0}, q[VECTORS_OF_PAD];
            for (int k = 0; k < VECTORS_OF_PAD; k++) {
                vi kept = vi_max((vi)m[k], vi_all(LOWEST_WEIGHT));
                kept = -vi_max(-kept, vi_all(-HIGHEST_WEIGHT));
                m[k] = (vu)kept;
                q[k] = (kept + (1 << (FRACTION - 1))) >> FRACTION;
                total += q[k];
            }
            for (int k = 0; k < VECTORS_OF_PAD; k += PACK) vi_bytes(q + k, 0, (uint8_t *)to + c + k * FLOATS);
            sum += (int32_t)vi_sum(total);
        }
        for (int k = 0; k < VECTORS_OF_PAD; k++) vi_store(master + c + k * FLOATS, (vi)m[k]);
    }
    h->move_of[row] = 0;
    if (!rounds) return;
    h->is_dirty[row] = 0;
    if (to == rounded || h->gives_all) pack_row(&h->packed, row, to, h->width);
    if (to != rounded) h->first[row - h->classes] = -MEMBER_OFFSET * sum;
}

/* Part `part` of `parts` of what head_list has listed. Where `rounds`, head_end follows when all parts are done. */
static void head_move(text_head *h, int64_t part, int64_t parts, bool rounds, int8_t *rounded) {
    const int32_t *rows = rounds ? h->dirty : h->moved;
    int64_t count = rounds ? h->dirty_count : h->moved_count, stop = count * (part + 1) / parts;
    for (int64_t i = count * part / parts; i < stop; i++) {
        if (i + 2 < stop)
            for (int64_t c = 0; c < h->wide; c += 16) prefetch(h->master + rows[i + 2] * h->wide + c);
        head_move_row(h, rows[i], rounds, rounded);
    }
}

#endif

/* The product with AVX2. Weights q + 64 are unsigned, activations keep their sign: sum_k (q + 64) a = sum_k q a + 64 sum_k a.
 *
 * A pair of products is at most 127 * 127 * 2 < 2^15, but two pairs may be more, and then they cannot be added as int16. They nearly
 * never are: where neither the positive nor the negative ones of the four activations add up to more than 258 (127 * 258 < 2^15),
 * one widening serves two quads. A first look at each row says which pairs of quads must be taken one by one. */
#ifndef TP_PRODUCT_PAIRS_H
#define TP_PRODUCT_PAIRS_H

#define MAX_SUM 258
#define PAIR_WORDS (MAX_INPUTS / 8 / 64)

/* Of a row: sum_k a, and a bit for each pair of quads that is too large, of those before the last one if their number is odd. */
INLINE int32_t look_at(const uint8_t *a, int64_t inputs, uint64_t *large) {
    const __m256i ones = _mm256_set1_epi8(1), none = _mm256_setzero_si256();
    __m256i total = none;
    int64_t k = 0;
    memset(large, 0, (size_t)(inputs / 512 + 1) * 8);
    for (; k < inputs; k += 32) {
        __m256i x;
        if (k + 32 <= inputs) {
            x = _mm256_loadu_si256((const __m256i *)(a + k));
        } else {
            uint8_t rest[32] = {0};
            memcpy(rest, a + k, (size_t)(inputs - k));
            x = _mm256_loadu_si256((const __m256i *)rest);
        }
        __m256i up = _mm256_maddubs_epi16(_mm256_max_epi8(x, none), ones);
        __m256i down = _mm256_maddubs_epi16(_mm256_max_epi8(_mm256_sub_epi8(none, x), none), ones);
        total = _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_sub_epi16(up, down), _mm256_set1_epi16(1)));
        __m256i most = _mm256_max_epi16(
            _mm256_add_epi16(up, _mm256_srli_epi64(up, 32)), _mm256_add_epi16(down, _mm256_srli_epi64(down, 32))
        );
        __m256i over = _mm256_cmpgt_epi16(most, _mm256_set1_epi16(MAX_SUM));
        over = _mm256_or_si256(_mm256_slli_epi64(over, 32), _mm256_slli_epi64(over, 48));
        large[k / 512] |= (uint64_t)(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(over)) << (k / 8 % 64);
    }
    return (int32_t)vi_sum((vi)total);
}

#define EACH_ROW(DO) DO(0) DO(1)
#define START_ROW(m) \
    sums of_##m##_0 = all_sums(first[m]), of_##m##_1 = of_##m##_0, of_##m##_2 = of_##m##_0, of_##m##_3 = of_##m##_0;
#define ADD_ROW(m)                                                                                                                   \
    if (rows > m) {                                                                                                                  \
        quad_of quad = spread(a + m * stride + 4 * k);                                                                               \
        of_##m##_0 = add_signed(of_##m##_0, quad, load_weights(weights));                                                            \
        of_##m##_1 = add_signed(of_##m##_1, quad, load_weights(weights + 4 * FLOATS));                                                \
        of_##m##_2 = add_signed(of_##m##_2, quad, load_weights(weights + 8 * FLOATS));                                                \
        of_##m##_3 = add_signed(of_##m##_3, quad, load_weights(weights + 12 * FLOATS));                                               \
    }
#define ADD_ROW_TWICE(m)                                                                                                             \
    if (rows > m) {                                                                                                                  \
        quad_of quad = spread(a + m * stride + 4 * k), next = spread(a + m * stride + 4 * k + 4);                                    \
        const int8_t *q = weights, *p = weights + 4 * OUTPUT_BLOCK;                                                                         \
        of_##m##_0 = add_signed_twice(of_##m##_0, quad, next, load_weights(q), load_weights(p));                                     \
        of_##m##_1 = add_signed_twice(of_##m##_1, quad, next, load_weights(q + 4 * FLOATS), load_weights(p + 4 * FLOATS));             \
        of_##m##_2 = add_signed_twice(of_##m##_2, quad, next, load_weights(q + 8 * FLOATS), load_weights(p + 8 * FLOATS));             \
        of_##m##_3 = add_signed_twice(of_##m##_3, quad, next, load_weights(q + 12 * FLOATS), load_weights(p + 12 * FLOATS));           \
    }
#define STORE_ROW(m)                                                                                                                 \
    if (rows > m) {                                                                                                                  \
        int32_t *to = out + m * out_stride;                                                                                          \
        store_sums(to, of_##m##_0), store_sums(to + FLOATS, of_##m##_1);                                                              \
        store_sums(to + 2 * FLOATS, of_##m##_2), store_sums(to + 3 * FLOATS, of_##m##_3);                                              \
    }

/* `rows` (a constant, at most PRODUCT_ROWS) rows of one block of outputs; `large` are the bits of all of them. */
INLINE void product_block(
    const int rows, const uint8_t *a, int64_t stride, const int8_t *weights, const int32_t *first, int64_t quads,
    const uint64_t *large, int32_t *out, int64_t out_stride
) {
    EACH_ROW(START_ROW)
    int64_t k = 0;
    while (k + 2 <= quads) {
        uint64_t one_by_one = large[k / 128];
        int64_t stop = (k / 128 + 1) * 128 < quads ? (k / 128 + 1) * 128 : quads & ~(int64_t)1;
        while (k < stop) {
            int64_t skipped = one_by_one ? __builtin_ctzll(one_by_one) : 64, until = k + 2 * skipped < stop ? k + 2 * skipped : stop;
            for (; k < until; k += 2, weights += 8 * OUTPUT_BLOCK) {
                EACH_ROW(ADD_ROW_TWICE)
            }
            if (k == stop) break;
            for (int twice = 0; twice < 2; twice++, k++, weights += 4 * OUTPUT_BLOCK) {
                EACH_ROW(ADD_ROW)
            }
            one_by_one = one_by_one >> skipped >> 1;
        }
    }
    if (k < quads) {
        EACH_ROW(ADD_ROW)
    }
    EACH_ROW(STORE_ROW)
}

/* out [n, outputs] int32 of bytes a [n, stride], the first `inputs` of each row; at most MAX_ROWS rows. */
static UNUSED void product(const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride) {
    int64_t quads = p->inputs / 4, words = quads / 128 + 1;
    uint64_t large[MAX_ROWS / 2 * 4], *bits = large;
    int32_t first[MAX_ROWS];
    uint64_t many[2][PAIR_WORDS + 1];
    const bool few = words <= 4;
    for (int64_t row = 0; row < n; row += 2) { /* where inputs are few, their bits are kept; else they are looked at again */
        int64_t rows = n - row < 2 ? 1 : 2;
        for (int64_t i = 0; i < rows; i++) first[row + i] = -WEIGHT_OFFSET * look_at(a + (row + i) * stride, p->inputs, many[i]);
        for (int64_t w = 0; w < words && few; w++) bits[row / 2 * 4 + w] = many[0][w] | (rows > 1 ? many[1][w] : 0);
    }
    for (int64_t block = 0; block < p->outputs / OUTPUT_BLOCK; block++) {
        const int8_t *weights = p->weights + block * quads * OUTPUT_BLOCK * 4;
        for (int64_t row = 0; row < n; row += 2) {
            const uint8_t *of_a = a + row * stride;
            const uint64_t *of_rows = large + row / 2 * 4;
            if (!few) {
                look_at(of_a, p->inputs, many[0]);
                if (n - row > 1) look_at(of_a + stride, p->inputs, many[1]);
                for (int64_t w = 0; w < words && n - row > 1; w++) many[0][w] |= many[1][w];
                of_rows = many[0];
            }
            int32_t *to = out + row * out_stride + block * OUTPUT_BLOCK;
            if (n - row > 1)
                product_block(2, of_a, stride, weights, first + row, quads, of_rows, to, out_stride);
            else
                product_block(1, of_a, stride, weights, first + row, quads, of_rows, to, out_stride);
        }
    }
}

#endif

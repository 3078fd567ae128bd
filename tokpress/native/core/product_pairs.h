/* The product with AVX2. Weights q + 64 are unsigned and activations keep their sign, so that vpmaddubsw adds two
 * products to an int16, at most 127 * 127 * 2 < 2^15. The pair sums of GROUP quads are added up as int16 before they
 * are widened once:
 *
 *     sum_k (q + 64) a - 64 sum_k a = sum_k q a     modulo 2^16, over the 2 * GROUP inputs k that meet in one int16
 *
 * Intermediate sums may wrap, since only the result must fit int16, and |sum_k q a| <= |q| |a| (Cauchy-Schwarz). Where
 * |q|^2 |a|^2 > (2^15 - 1)^2, with the largest |q|^2 of a block of outputs, which is rare, each quad is widened to
 * int32 alone. */
#ifndef TP_PRODUCT_PAIRS_H
#define TP_PRODUCT_PAIRS_H

#define GROUP 8
#define GROUP_INPUTS (4 * GROUP)
#define MAX_SQUARES (32767 * 32767)
/* Groups that are multiplied before the next ones: of more inputs, sums wait in memory. */
#define GROUPS_AT_ONCE 64

/* Of a group of activations, and of its halves: |a|^2, the larger one of both int16, and the larger one of both halves;
 * -64 sum_k a of both int16, side by side, of each half. */
typedef struct {
    int32_t square, square_of_half, back[2];
} group_look;

INLINE group_look look_at(const uint8_t *a) {
    const __m256i x = _mm256_loadu_si256((const __m256i *)a), size = _mm256_abs_epi8(x);
    __m256i sum = _mm256_maddubs_epi16(_mm256_set1_epi8(1), x);
    sum = _mm256_add_epi16(sum, _mm256_shuffle_epi32(sum, 0x4E));
    sum = _mm256_add_epi16(sum, _mm256_shuffle_epi32(sum, 0xB1));
    sum = _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_slli_epi16(sum, 6));
    const __m256i squares = _mm256_maddubs_epi16(size, size);
    const __m256i even = _mm256_and_si256(squares, _mm256_set1_epi32(0xFFFF)), odd = _mm256_srli_epi32(squares, 16);
    __m256i both = _mm256_hadd_epi32(even, odd); /* even, even, odd, odd, of each half */
    both = _mm256_add_epi32(both, _mm256_shuffle_epi32(both, 0xB1));
    const __m128i low = _mm256_castsi256_si128(both), high = _mm256_extracti128_si256(both, 1);
    __m128i whole = _mm_add_epi32(low, high), half = _mm_max_epi32(low, high);
    whole = _mm_max_epi32(whole, _mm_shuffle_epi32(whole, 0x4E));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    return (group_look){
        _mm_cvtsi128_si32(whole), _mm_cvtsi128_si32(half),
        {_mm_cvtsi128_si32(_mm256_castsi256_si128(sum)), _mm_cvtsi128_si32(_mm256_extracti128_si256(sum, 1))}};
}
/* That of the whole group. */
INLINE __m256i back_of(const group_look *g) { return _mm256_add_epi16(_mm256_set1_epi32(g->back[0]), _mm256_set1_epi32(g->back[1])); }

/* The largest |q|^2 of weights that meet in one int16. */
static UNUSED int32_t largest_square(const int8_t *q, int64_t inputs) {
    int32_t largest = 0;
    uint8_t rest[GROUP_INPUTS] = {0};
    for (int64_t k = 0; k < inputs; k += GROUP_INPUTS) {
        const uint8_t *group = (const uint8_t *)q + k;
        if (inputs - k < GROUP_INPUTS) group = memcpy(rest, group, (size_t)(inputs - k));
        const int32_t square = look_at(group).square;
        largest = square > largest ? square : largest;
    }
    return largest;
}

/* Each sum is a variable of its own, and instructions stay in this order: compilers keep arrays in memory. */
#define EACH_VECTOR(DO, m) DO(m, 0) DO(m, 1) DO(m, 2) DO(m, 3)
#define START_PAIRS(m, v) __m256i pairs_##m##_##v = back_##m;
#define ADD_PAIRS(m, v)                                                                                                              \
    if (rows > m) {                                                                                                                  \
        const __m256i more = _mm256_maddubs_epi16(q, quad_##m);                                                                      \
        __asm__("vpaddw %1, %0, %0" : "+x"(pairs_##m##_##v) : "x"(more));                                                            \
    }
#define ADD_VECTOR(m, v)                                                                                                             \
    {                                                                                                                                \
        weights_of q = load_weights(weights + (k * BLOCK_VECTORS + v) * 4 * FLOATS);                                                 \
        __asm__("" : "+x"(q)); /* is loaded once */                                                                                  \
        ADD_PAIRS(0, v) ADD_PAIRS(1, v)                                                                                              \
    }
#define WIDEN_PAIRS(m, v)                                                                                                            \
    if (rows > m) {                                                                                                                  \
        int32_t *to = out + m * out_stride + v * FLOATS;                                                                             \
        store_sums(to, add_pairs(first ? no_sums() : load_sums(to), pairs_##m##_##v));                                               \
    }

/* `quads` (a constant) quads of `rows` (a constant, 1 or 2) rows, whose sums wait in `out`, since registers are few. */
INLINE void add_group(
    const int rows, const int quads, const uint8_t *a, int64_t stride, const int8_t *weights, __m256i back_0, __m256i back_1, bool first,
    int32_t *out, int64_t out_stride
) {
    EACH_VECTOR(START_PAIRS, 0)
    EACH_VECTOR(START_PAIRS, 1)
    UNROLL for (int k = 0; k < quads; k++) {
        const quad_of quad_0 = spread(a + 4 * k), quad_1 = spread(a + (rows > 1) * stride + 4 * k);
        EACH_VECTOR(ADD_VECTOR, 0)
        (void)quad_1;
    }
    EACH_VECTOR(WIDEN_PAIRS, 0)
    EACH_VECTOR(WIDEN_PAIRS, 1)
}

/* The same of one row, each quad widened. */
static UNUSED void add_quads(const uint8_t *a, const int8_t *weights, bool first, int32_t *out) {
    sums total[BLOCK_VECTORS];
    int32_t sum = 0;
    for (int k = 0; k < GROUP_INPUTS; k++) sum += (int8_t)a[k];
    for (int v = 0; v < BLOCK_VECTORS; v++) total[v] = _mm256_sub_epi32(first ? no_sums() : load_sums(out + v * FLOATS), all_sums(WEIGHT_OFFSET * sum));
    for (int k = 0; k < GROUP; k++)
        for (int v = 0; v < BLOCK_VECTORS; v++)
            total[v] = add_signed(total[v], spread(a + 4 * k), load_weights(weights + (k * BLOCK_VECTORS + v) * 4 * FLOATS));
    for (int v = 0; v < BLOCK_VECTORS; v++) store_sums(out + v * FLOATS, total[v]);
}

/* Groups of one block of outputs. look [2, GROUPS_AT_ONCE]; most: the squares that need no care. */
INLINE void product_block(
    const int rows, const uint8_t *a, int64_t stride, const int8_t *weights, int64_t groups, const group_look *look, int32_t most,
    bool first, int32_t *out, int64_t out_stride
) {
    for (; groups > 0; groups--, look++, a += GROUP_INPUTS, weights += GROUP_INPUTS * OUTPUT_BLOCK, first = false) {
        const group_look *x = look, *y = look + (rows > 1) * GROUPS_AT_ONCE;
        if (x->square <= most && y->square <= most) {
            add_group(rows, GROUP, a, stride, weights, back_of(x), back_of(y), first, out, out_stride);
        } else if (x->square_of_half <= most && y->square_of_half <= most) {
            for (int half = 0; half < 2; half++) {
                const __m256i back_0 = _mm256_set1_epi32(x->back[half]), back_1 = _mm256_set1_epi32(y->back[half]);
                const uint8_t *of_a = a + half * GROUP_INPUTS / 2;
                const int8_t *q = weights + half * GROUP_INPUTS / 2 * OUTPUT_BLOCK;
                add_group(rows, GROUP / 2, of_a, stride, q, back_0, back_1, first && !half, out, out_stride);
            }
        } else {
            for (int m = 0; m < rows; m++) add_quads(a + m * stride, weights, first, out + m * out_stride);
        }
    }
}

/* out [n, outputs] int32 of bytes a [n, stride], of which each row's first `inputs` count; at most MAX_ROWS rows. */
static UNUSED void product(const uint8_t *a, int64_t stride, int64_t n, const packed_weights *p, int32_t *out, int64_t out_stride) {
    const int64_t all = p->inputs / GROUP_INPUTS;
    group_look looks[MAX_ROWS * GROUPS_AT_ONCE];
    for (int64_t start = 0; start < all; start += GROUPS_AT_ONCE) {
        const int64_t groups = all - start < GROUPS_AT_ONCE ? all - start : GROUPS_AT_ONCE;
        for (int64_t row = 0; row < n; row++)
            for (int64_t g = 0; g < groups; g++) looks[row * GROUPS_AT_ONCE + g] = look_at(a + row * stride + (start + g) * GROUP_INPUTS);
        for (int64_t block = 0; block < p->outputs / OUTPUT_BLOCK; block++) {
            int32_t largest = 1;
            for (int i = 0; i < OUTPUT_BLOCK; i++) {
                int32_t square = p->first[block * OUTPUT_BLOCK + i];
                largest = square > largest ? square : largest;
            }
            const int32_t most = MAX_SQUARES / largest;
            const int8_t *weights = p->weights + (block * all + start) * GROUP_INPUTS * OUTPUT_BLOCK;
            for (int64_t row = 0; row < n; row += 2) {
                const uint8_t *of_a = a + row * stride + start * GROUP_INPUTS;
                const group_look *look = looks + row * GROUPS_AT_ONCE;
                int32_t *to = out + row * out_stride + block * OUTPUT_BLOCK;
                if (n - row > 1)
                    product_block(2, of_a, stride, weights, groups, look, most, start == 0, to, out_stride);
                else
                    product_block(1, of_a, stride, weights, groups, look, most, start == 0, to, out_stride);
            }
        }
    }
}

#endif

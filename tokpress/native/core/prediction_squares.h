/* Ridge regression of a sample on its neighbours: the weights w with the least weighted squared error so far.
 *
 *     A = sum of decay^age x x'    b = sum of decay^age x s    (A + ridge I) w = b, by L D L' (Cholesky without roots)
 *
 * A row is the n neighbours x, then the target s, so b is column n of A, and the elimination of A carries b along. Only
 * the upper triangle is kept, in whole vectors: row i begins with the block of LANES columns that holds column i. This
 * file is included once for each type: REAL, VECTOR of LANES of them, SUM of a vector's lanes, NAME(x). The twin is
 * priors/linear_prediction/least_squares.py. */

/* Where row i begins, in vectors; row i of n rows has blocks i / LANES ... n / LANES. */
INLINE int32_t NAME(row)(int32_t i, int32_t blocks) {
    int32_t group = i / LANES; /* all rows of a group have as many blocks */
    return LANES * (group * blocks - group * (group - 1) / 2) + (i - group * LANES) * (blocks - group);
}

/* Sum of x x' over `count` rows of `room` numbers each. */
static UNUSED void NAME(batch)(VECTOR *out, const REAL *rows, int32_t room, int32_t count, int32_t n) {
    const int32_t blocks = n / LANES + 1;
    for (int32_t i = 0; i < n; i++)
        for (int32_t block = i / LANES; block < blocks; block++) {
            VECTOR sum = {0};
            for (int32_t t = 0; t < count; t++) sum += rows[t * room + i] * *(const VECTOR *)&rows[t * room + block * LANES];
            *out++ = sum;
        }
}

/* Row i of the elimination: subtract the rows above, each times its column i. `count` is a constant where this is inlined. */
INLINE void NAME(eliminate)(VECTOR *a, const REAL *over_pivot, int32_t i, int32_t blocks, const int32_t count) {
    VECTOR sum[MAX_BLOCKS], *own = a + NAME(row)(i, blocks);
    const int32_t first = blocks - count;
    for (int32_t k = 0; k < count; k++) sum[k] = own[k];
    for (int32_t group = 0; group <= first; group++) {
        const VECTOR *above = a + NAME(row)(group * LANES, blocks) + first - group;
        int32_t stop = group < first ? LANES : i - group * LANES;
        for (int32_t j = 0; j < stop; j++, above += blocks - group) {
            REAL factor = ((const REAL *)above)[i - first * LANES] * over_pivot[group * LANES + j];
            for (int32_t k = 0; k < count; k++) sum[k] -= factor * above[k];
        }
    }
    for (int32_t k = 0; k < count; k++) own[k] = sum[k];
}

/* Solve for w [blocks * LANES], zero behind n. Destroys A. Leaves w unchanged where a pivot is not above ridge / 16:
 * exact pivots are at least the ridge, so a smaller one is only rounding error. */
static UNUSED void NAME(solve)(VECTOR *a, REAL ridge, REAL *w, int32_t n) {
    REAL over_pivot[SQUARES_ROOM], solution[SQUARES_ROOM] __attribute__((aligned(64))) = {0};
    const int32_t blocks = n / LANES + 1;
    for (int32_t i = 0; i < n; i++) {
        const int32_t first = i / LANES, count = blocks - first;
        REAL *pivot = (REAL *)(a + NAME(row)(i, blocks)) + (i - first * LANES);
        *pivot += ridge;
        switch (count) {
        case 1: NAME(eliminate)(a, over_pivot, i, blocks, 1); break;
        case 2: NAME(eliminate)(a, over_pivot, i, blocks, 2); break;
        case 3: NAME(eliminate)(a, over_pivot, i, blocks, 3); break;
        case 4: NAME(eliminate)(a, over_pivot, i, blocks, 4); break;
        default: NAME(eliminate)(a, over_pivot, i, blocks, count);
        }
        if (!(*pivot > ridge * (REAL)0.0625)) return;
        over_pivot[i] = 1 / *pivot;
    }
    for (int32_t i = n - 1; i >= 0; i--) { /* weights that are not known yet, and the one of b, are zero in `solution` */
        const int32_t first = i / LANES;
        const VECTOR *row = a + NAME(row)(i, blocks);
        VECTOR sum = {0};
        for (int32_t block = first; block < blocks; block++) sum += row[block - first] * *(VECTOR *)&solution[block * LANES];
        solution[i] = (((const REAL *)row)[n - first * LANES] - SUM(sum)) * over_pivot[i];
    }
    memcpy(w, solution, (size_t)blocks * sizeof(VECTOR));
}

/* w . x */
INLINE REAL NAME(dot)(const REAL *w, const REAL *x, int32_t n) {
    VECTOR sum = {0};
    for (int32_t block = 0; block < n / LANES + 1; block++) sum += *(const VECTOR *)&w[block * LANES] * *(const VECTOR *)&x[block * LANES];
    return SUM(sum);
}

#undef REAL
#undef VECTOR
#undef LANES
#undef SUM
#undef NAME

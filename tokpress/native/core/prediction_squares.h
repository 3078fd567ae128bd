/* Ridge regression of a sample on its neighbours: the weights w with the least weighted squared error so far.
 *
 *     A = sum of decay^age x x'    b = sum of decay^age x s    (A + ridge I) w = b, by L D L' (Cholesky without roots)
 *
 * A row is the n neighbours x, then the target s, so b is column n of A, and the elimination of A carries b along. Only
 * the upper triangle is kept, in whole vectors: row i begins with the block of LANES columns that holds column i. This
 * file is included once for each type: REAL, VECTOR of LANES of them, PART of a vector that fits a register, SUM of a vector's lanes,
 * NAME(x). The twin is priors/linear_prediction/least_squares.py. */

/* Where row i begins, in vectors; row i of n rows has blocks i / LANES ... n / LANES. */
INLINE int32_t NAME(row)(int32_t i, int32_t blocks) {
    int32_t group = i / LANES; /* all rows of a group have as many blocks */
    return LANES * (group * blocks - group * (group - 1) / 2) + (i - group * LANES) * (blocks - group);
}

/* Sum of x x' over `count` rows of `room` numbers each. `count` is a constant where this is inlined. */
INLINE void NAME(sum)(VECTOR *out, const REAL *rows, int32_t room, int32_t n, const int32_t count) {
    const int32_t blocks = n / LANES + 1;
    for (int32_t part = 0; part < blocks * PARTS; part++) {
        const int32_t block = part / PARTS;
        const PART *right = (const PART *)rows + part;
        for (int32_t i = 0; i < n && i < (block + 1) * LANES; i++) {
            PART sum = {0};
            UNROLL for (int32_t t = 0; t < count; t++) sum += rows[t * room + i] * right[t * room / (LANES / PARTS)];
            ((PART *)(out + NAME(row)(i, blocks) + block - i / LANES))[part % PARTS] = sum;
        }
    }
}
static UNUSED void NAME(batch)(VECTOR *out, const REAL *rows, int32_t room, int32_t count, int32_t n) {
    if (count == BATCH_PICTURE)
        NAME(sum)(out, rows, room, n, BATCH_PICTURE);
    else if (count == BATCH_SOUND)
        NAME(sum)(out, rows, room, n, BATCH_SOUND);
    else
        NAME(sum)(out, rows, room, n, count);
}

/* `width` parts, from number `part` on, of `count` rows from row i on: subtract the rows above row i, each times its factor for the row.
 * `count` and `width` are constants where this is inlined, so that sums are registers. */
INLINE void NAME(eliminate)(VECTOR *const *row, const REAL (*factors)[ROWS], int32_t i, int32_t part, const int32_t count, const int32_t width) {
    PART sum[ROWS][2];
    UNROLL for (int32_t r = 0; r < count; r++)
        for (int32_t k = 0; k < width; k++) sum[r][k] = ((const PART *)row[i + r])[part + k];
    for (int32_t j = 0; j < i; j++) {
        const PART *above = (const PART *)row[j] + part;
        UNROLL for (int32_t r = 0; r < count; r++)
            for (int32_t k = 0; k < width; k++) sum[r][k] -= factors[j][r] * above[k];
    }
    UNROLL for (int32_t r = 0; r < count; r++)
        for (int32_t k = 0; k < width; k++) ((PART *)row[i + r])[part + k] = sum[r][k];
}

/* ROWS rows, or one, from row i on, ready to be eliminated from those below them. false: a pivot is too small. */
INLINE bool NAME(finish)(VECTOR *const *row, REAL *over_pivot, REAL ridge, int32_t i, int32_t blocks, const int32_t count) {
    REAL factors[SQUARES_ROOM][ROWS];
    const int32_t first = i / LANES, parts = blocks * PARTS;
    for (int32_t j = 0; j < i; j++)
        UNROLL for (int32_t r = 0; r < count; r++) factors[j][r] = ((const REAL *)row[j])[i + r] * over_pivot[j];
    for (int32_t r = 0; r < count; r++) ((REAL *)row[i + r])[i + r] += ridge;
    int32_t part = first * PARTS;
    for (; part + 1 < parts; part += 2) NAME(eliminate)(row, factors, i, part, count, 2);
    if (part < parts) NAME(eliminate)(row, factors, i, part, count, 1);
    for (int32_t r = 0; r < count; r++) {
        for (int32_t q = 0; q < r; q++) { /* the rows above it among these */
            const REAL factor = ((const REAL *)row[i + q])[i + r] * over_pivot[i + q];
            PART *own = (PART *)row[i + r];
            for (int32_t k = first * PARTS; k < parts; k++) own[k] -= factor * ((const PART *)row[i + q])[k];
        }
        const REAL pivot = ((const REAL *)row[i + r])[i + r];
        if (!(pivot > ridge * (REAL)0.0625)) return false;
        over_pivot[i + r] = 1 / pivot;
    }
    return true;
}

/* Solve for w [blocks * LANES], zero behind n. Destroys A. Leaves w unchanged where a pivot is not above ridge / 16:
 * exact pivots are at least the ridge, so a smaller one is only rounding error. */
static UNUSED void NAME(solve)(VECTOR *a, REAL ridge, REAL *w, int32_t n) {
    static const REAL number[8] __attribute__((aligned(64))) = {0, 1, 2, 3, 4, 5, 6, 7};
    const int32_t blocks = n / LANES + 1;
    REAL over_pivot[SQUARES_ROOM];
    VECTOR *row[SQUARES_ROOM], solution[SQUARES_ROOM / LANES]; /* row[i][k]: block k of row i, k >= i / LANES */
    for (int32_t i = 0; i < n; i++) row[i] = a + NAME(row)(i, blocks) - i / LANES;
    int32_t done = 0;
    for (; done + ROWS <= n; done += ROWS)
        if (!NAME(finish)(row, over_pivot, ridge, done, blocks, ROWS)) return;
    for (; done < n; done++)
        if (!NAME(finish)(row, over_pivot, ridge, done, blocks, 1)) return;
    for (int32_t block = blocks - 1, i = n - 1; block >= 0; block--) { /* weights that are not known yet, and the one of b, are zero */
        VECTOR own = {0};
        for (; i >= block * LANES; i--) {
            VECTOR sum = {0};
            sum += row[i][block] * own;
            for (int32_t k = block + 1; k < blocks; k++) sum += row[i][k] * solution[k];
            const REAL weight = (((const REAL *)row[i])[n] - SUM(sum)) * over_pivot[i];
            const i32x8 here = (i32x8)(*(const VECTOR *)number == (VECTOR){0} + (REAL)(i % LANES));
            own = (VECTOR)(((i32x8)((VECTOR){0} + weight) & here) | ((i32x8)own & ~here));
        }
        solution[block] = own;
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
#undef PART
#undef SUM
#undef NAME

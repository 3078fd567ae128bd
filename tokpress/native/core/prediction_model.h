/* The state of linear prediction for one grid of samples: window, least squares, filters, mixing.
 * Its twins are the constructors of `Guesses` (guesses.py) and `Mixing` (mixing.py) in priors/linear_prediction/. */
#ifndef TP_PREDICTION_MODEL_H
#define TP_PREDICTION_MODEL_H

#include "range_coder.h"
#include "prediction_filters.h"
#include "prediction_geometry.h"
#include "prediction_math.h"

#define BATCH_PICTURE 8
#define BATCH_SOUND 16
#define ROWS 4 /* of least squares that are eliminated at a time: their sums are registers */
#if defined(__AVX2__)
#define PARTS 1 /* registers that a vector of 32 bytes needs */
typedef f32x8 f32_part;
typedef f64x4 f64_part;
#else
#define PARTS 2
typedef f32x4 f32_part;
typedef f64x2 f64_part;
#endif
#define REAL float
#define VECTOR f32x8
#define PART f32_part
#define LANES 8
#define SUM sum8
#define NAME(x) squares32_##x
#include "prediction_squares.h"
#define REAL double
#define VECTOR f64x4
#define PART f64_part
#define LANES 4
#define SUM sum4
#define NAME(x) squares64_##x
#include "prediction_squares.h"

#define BLEND 7 /* of the 8 guesses, the one made of the others */
#define ENERGIES 96
#define CONTEXTS 7
#define NODES 32 /* decisions of a sample that have probabilities of their own */
#define BUCKETS 33 /* of the final correction */
#define COLOURS 4 /* channels beyond share mixer weights */
#define ENERGY_SETS 12

enum { SCORING, ENCODING, DECODING };

/* Numbers of least squares in the type that the samples ask for. */
typedef union {
    float narrow[SQUARES_ROOM];
    double wide[SQUARES_ROOM];
} squares_row;
typedef union {
    float narrow[BATCH_SOUND * SQUARES_ROOM];
    double wide[BATCH_SOUND * SQUARES_ROOM];
} squares_batch;

/* What the decisions of a sample depend on, beside what mixing has learned. */
typedef struct {
    int64_t reference, boundary, value; /* value: ignored while decoding */
    f32x8 guesses, inverse;             /* relative to `reference`, and 2 / scale of each one's density */
    int32_t channel, k, j, sets[2];
    float rate;
    uint32_t *row[2][CONTEXTS]; /* of cells: of the nodes that most samples ask, and of the others */
    double *bits;            /* of the sample that is scored */
} open_sample;

typedef struct {
    sample_grid grid;
    int64_t lowest, highest, count, done; /* of a sample; samples */
    int32_t mode;
    bool started;
    double chance, bits; /* of the sample that is scored: a product of probabilities, and bits before it */
    range_encoder encoder;
    range_decoder decoder;

    /* the window: the row that is being coded behind the rows that are looked at */
    int32_t stride, pad, window, at, column, columns, channel;
    int32_t *values; /* [window] */
    f32x8 *errors;   /* [window], how far each guess was off */
    float *signed_errors; /* [window], of the blend */
    neighbour_list near[MAX_CHANNELS];
    int32_t close_count[MAX_CHANNELS], close[MAX_CHANNELS][MAX_CLOSE];
    float closeness[MAX_CHANNELS][MAX_CLOSE];

    /* least squares: of tiles of columns, one where it is a recording, and of all samples; doubles for sound and more than 8 bits */
    bool wide;
    int32_t batch, tile_width, tiles, batched[MAX_CHANNELS], turns[MAX_CHANNELS];
    size_t normal_size; /* bytes of one matrix */
    uint8_t *normals;   /* [tiles + 1][channels] */
    uint8_t *scratch;   /* two matrices */
    squares_batch rows[MAX_CHANNELS] __attribute__((aligned(64)));
    squares_row weights[2][MAX_CHANNELS] __attribute__((aligned(64)));
    lms_filter *filters; /* [channels][FILTERS], of a recording */

    /* the guesses of the sample at the cursor, relative to `reference` */
    int64_t reference;
    f32x8 guesses;
    f32x8 usual[MAX_CHANNELS];
    int32_t energy;
    f32x8 scales[MAX_CHANNELS][ENERGIES];
    int32_t seen[MAX_CHANNELS][ENERGIES];
    float first_guess; /* of a recording: what the filters correct */
    float recent_error[MAX_CHANNELS];

    /* mixing */
    uint32_t *cells[CONTEXTS], rows_mask[CONTEXTS]; /* rows of NODES probabilities; see prediction_mixing.h */
    f32x8 *mixer; /* [ENERGY_SETS + COLOURS * 4][NODES][2] */
    float correction[COLOURS][NODES][BUCKETS];
    uint16_t low_bits[MAX_CHANNELS][32][16];
} prediction_model;

#define MIXER_SETS (ENERGY_SETS + COLOURS * 4)

INLINE int32_t colour_of(int32_t channel) { return channel < COLOURS ? channel : COLOURS - 1; }

INLINE uint8_t *normal_of(const prediction_model *m, int32_t tile, int32_t c) {
    return m->normals + m->normal_size * ((size_t)tile * (size_t)m->grid.channels + (size_t)c);
}

static void choose_neighbours(prediction_model *m) {
    static const float sound[MAX_CLOSE] = {4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const int32_t channels = (int32_t)m->grid.channels, stride = m->stride;
    for (int32_t c = 0; c < channels; c++) {
        m->near[c] = neighbours_of(&m->grid, c, stride);
        int32_t *close = m->close[c], count = 0;
        float *closeness = m->closeness[c];
        if (m->grid.picture) {
            const int32_t places[4] = {channels, stride, stride + channels, stride - channels};
            for (; count < 4; count++) close[count] = places[count], closeness[count] = count < 2 ? 2 : 1;
            for (int32_t d = 1; d <= c; d++, count++) close[count] = d, closeness[count] = 2;
        } else {
            for (; count < MAX_CLOSE; count++) close[count] = channels * (count + 1), closeness[count] = sound[count];
        }
        m->close_count[c] = count;
    }
}

static void prediction_release(prediction_model *m) {
    if (m == NULL) return;
    range_free(&m->encoder);
    tp_free(m->values);
    tp_free(m->errors);
    tp_free(m->signed_errors);
    tp_free(m->normals);
    tp_free(m->scratch);
    tp_free(m->filters);
    for (int32_t i = 0; i < CONTEXTS; i++) tp_free(m->cells[i]);
    tp_free(m->mixer);
    tp_free(m);
}

/* Rows of each context's table, log2: those of exact values are many. */
INLINE int32_t rows_log2(const prediction_model *m, int32_t context) {
    int32_t length = 0;
    while (length < 63 && m->count >> length) length++;
    return clamp(length, 8, context == 1 || context == 4 || context == 5 ? 12 : 16);
}

static bool allocate(prediction_model *m) {
    const size_t channels = (size_t)m->grid.channels, window = (size_t)m->window;
    m->values = tp_zeros(window * sizeof(int32_t));
    m->errors = tp_zeros(window * sizeof(f32x8));
    m->signed_errors = tp_zeros(window * sizeof(float));
    m->normals = tp_zeros(m->normal_size * channels * (size_t)(m->tiles + 1));
    m->scratch = tp_zeros(2 * m->normal_size);
    m->mixer = tp_zeros(sizeof(f32x8) * 2 * NODES * MIXER_SETS);
    bool good = m->values && m->errors && m->signed_errors && m->normals && m->scratch && m->mixer;
    if (!m->grid.picture) good = good && (m->filters = tp_zeros(sizeof(lms_filter) * channels * FILTERS)) != NULL;
    for (int32_t i = 0; i < CONTEXTS; i++) {
        m->rows_mask[i] = (1u << rows_log2(m, i)) - 1;
        m->cells[i] = tp_zeros(((size_t)m->rows_mask[i] + 1) * NODES * sizeof(uint32_t));
        good = good && m->cells[i] != NULL;
    }
    return good;
}

/* Initial mean error for an energy: (2^(energy / 4) - 1) * 0.0104, the inverse of energy_of up to a factor. */
INLINE float first_scale(int32_t energy) {
    union {
        int32_t bits;
        float value;
    } power = {(energy + (127 << 2)) << 21};
    return (power.value - 1.0f) * 0.0104f;
}

static void start(prediction_model *m) {
    const float first = m->grid.bits == 8 ? 4.0f : 200.0f;
    for (int32_t c = 0; c < (int32_t)m->grid.channels; c++) {
        m->usual[c] = (f32x8){0} + first;
        for (int32_t e = 0; e < ENERGIES; e++) m->scales[c][e] = (f32x8){0} + first_scale(e);
        for (int32_t k = 0; k < 2; k++) {
            if (m->wide)
                m->weights[k][c].wide[0] = m->grid.picture ? 0.5 : 1.0;
            else
                m->weights[k][c].narrow[0] = 0.5f;
        }
        for (int32_t bit = 0; bit < 32; bit++)
            for (int32_t i = 0; i < 16; i++) m->low_bits[c][bit][i] = 32768;
    }
    for (int32_t i = 0; m->filters && i < (int32_t)m->grid.channels * FILTERS; i++) m->filters[i].newest = FILTER_ROOM;
    for (int32_t i = 0; i < MIXER_SETS * NODES; i++) {
        m->mixer[2 * i] = (f32x8){0} + 0.05f;
        m->mixer[2 * i + 1] = (f32x8){0} + 0.025f;
        m->mixer[2 * i + 1][7] = 0;
    }
    for (int32_t c = 0; c < COLOURS; c++)
        for (int32_t node = 0; node < NODES; node++)
            for (int32_t i = 0; i < BUCKETS; i++) m->correction[c][node][i] = squash(0.75f * (float)i - 12.0f);
}

/* NULL where the grid is none, or there is no memory. */
static prediction_model *prediction_make(const sample_grid *grid) {
    if (!grid_is_good(grid)) return NULL;
    prediction_model *m = tp_zeros(sizeof *m);
    if (m == NULL) return NULL;
    m->grid = *grid;
    const int32_t channels = (int32_t)grid->channels;
    m->count = grid->rows * grid->columns <= INT64_MAX / channels ? grid->rows * grid->columns * channels : 0;
    m->highest = ((int64_t)1 << (grid->bits - 1)) - 1;
    m->lowest = -m->highest - 1;
    m->columns = grid->picture ? (int32_t)grid->columns : CHUNK;
    m->pad = grid->picture ? PAD : 0;
    m->stride = (m->columns + 2 * m->pad) * channels;
    m->window = m->stride + (grid->picture ? 3 * m->stride + channels : 64 * channels);
    m->at = m->window - m->stride + m->pad * channels;
    m->wide = grid->bits > 8 || !grid->picture;
    m->batch = grid->picture ? BATCH_PICTURE : BATCH_SOUND;
    choose_neighbours(m);
    int32_t most = 0;
    for (int32_t c = 0; c < channels; c++) most = m->near[c].count > most ? m->near[c].count : most;
    const int32_t blocks = most / (m->wide ? 4 : 8) + 1;
    m->normal_size = 32 * (size_t)(m->wide ? squares64_row(most, blocks) : squares32_row(most, blocks));
    const int32_t limit = 3072 / channels;
    m->tile_width = grid->picture ? BATCH_PICTURE : 2 * CHUNK;
    while ((m->columns + m->tile_width - 1) / m->tile_width > limit) m->tile_width += BATCH_PICTURE;
    m->tiles = (m->columns + m->tile_width - 1) / m->tile_width;
    if (m->count == 0 || !allocate(m)) {
        prediction_release(m);
        return NULL;
    }
    start(m);
    return m;
}

#endif

/* The memory around a prior that is stepped in Python (priors/compose/memory_counts.py is the twin). The handle keeps the base's last
 * conditionals, since the next call learns from them. */
#include "text_memory.h"

#define MAX_SYMBOLS (1 << 16)
#define MAX_LANES (1 << 20)
#define MAX_TOKENS ((int64_t)1 << 40)

typedef struct {
    text_memory counts;
    int64_t symbols, rows, step, learned; /* rows: lanes of the last step; steps; steps whose symbols are learned */
    float *p0; /* [lanes, V] */
    float *of_symbol; /* [lanes] */
} memory;

EXPORT void API(memory_free)(void *handle) {
    memory *m = handle;
    if (m == NULL) return;
    memory_free(&m->counts);
    tp_free(m->p0);
    tp_free(m->of_symbol);
    free(m);
}

/* A memory of `depth` orders, for so many lanes and tokens, of symbols 0 ... symbols - 1. NULL where there is no memory, or a number
 * is out of bounds. */
EXPORT void *API(memory_new)(const int32_t *orders, int64_t depth, int64_t lanes, int64_t tokens, int64_t symbols) {
    if (depth < 1 || depth > MAX_ORDERS || lanes < 1 || lanes > MAX_LANES || tokens < 0 || tokens > MAX_TOKENS) return NULL;
    if (symbols < 1 || symbols > MAX_SYMBOLS) return NULL;
    for (int64_t k = 0; k < depth; k++)
        if (orders[k] < 1 || orders[k] > MAX_ORDER) return NULL;
    memory *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->symbols = symbols;
    m->rows = lanes;
    m->p0 = tp_zeros((size_t)(lanes * symbols) * 4);
    m->of_symbol = tp_zeros((size_t)lanes * 4);
    if (m->p0 && m->of_symbol && memory_start(&m->counts, orders, depth, lanes, tokens) == 0) return m;
    API(memory_free)(m);
    return NULL;
}

/* Learn the symbols [rows] of the last step, or of the first of its lanes. 0 or TP_ARGUMENT. */
EXPORT int64_t API(memory_learn)(void *handle, const int32_t *symbols, int64_t rows) {
    memory *m = handle;
    if (rows < 1 || rows > m->rows || m->step == m->learned) return TP_ARGUMENT;
    for (int64_t i = 0; i < rows; i++) {
        if (symbols[i] < 0 || symbols[i] >= m->symbols) return TP_ARGUMENT;
        m->of_symbol[i] = m->p0[i * m->symbols + symbols[i]];
    }
    memory_push(&m->counts, symbols, 0, rows);
    memory_learn(&m->counts, symbols, m->of_symbol, 0, rows, m->step - 1);
    m->learned = m->step;
    return 0;
}

/* One step of the first `rows` lanes, never more than in the step before, which is learned. p0 [rows, V]: the base's conditionals; out
 * [rows, V]: those of the memory. 0 or TP_ARGUMENT. */
EXPORT int64_t API(memory_step)(void *handle, int64_t rows, const float *p0, float *restrict out) {
    memory *m = handle;
    text_memory *c = &m->counts;
    if (rows < 1 || rows > m->rows || m->step != m->learned) return TP_ARGUMENT;
    memcpy(m->p0, p0, (size_t)(rows * m->symbols) * 4);
    memory_hash(c, 0, rows, m->step);
    memory_take_hashes(c, 0, rows);
    for (int64_t i = 0; i < rows; i++) memory_look_up(c, i, m->step);
    for (int64_t i = 0; i < rows; i++) {
        memory_weigh(c, i);
        const float left = c->left[i], *base = m->p0 + i * m->symbols;
        float *row = out + i * m->symbols;
        for (int64_t v = 0; v < m->symbols; v++) row[v] = base[v] * left;
        memory_add(c, i, 0, row);
    }
    m->rows = rows;
    m->step++;
    return 0;
}

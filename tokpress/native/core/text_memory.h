/* The memory (priors/compose/memory.py has the formulas; memory_counts.py is the twin): counts of the symbols after the contexts of several
 * orders, shared by all lanes.
 *
 *     context   key (0 = empty) | n | d | start      d = 1: the only successor is `start`; else pool[start ... start + d - 1]
 *     pool      symbol | count << 16, in blocks of 4, 8, 16 ...
 *
 * A symbol is its place where the head is factored, so that the successors of one class have neighbouring numbers. */
#ifndef TP_TEXT_MEMORY_H
#define TP_TEXT_MEMORY_H

#include "saved.h"
#include "vectors.h"

#define MAX_ORDERS 64
#define MAX_ORDER 64
#define DISCOUNT 0.5f
#define MAX_COUNTED 30000
#define TRIES 16
#define TINY_SHARE 0x1p-100f

typedef struct {
    int32_t key, n, d, start;
} text_context;

typedef struct {
    int64_t depth, lanes, longest; /* orders; the highest */
    int32_t orders[MAX_ORDERS];
    text_context *contexts;
    uint32_t mask; /* contexts - 1 */
    uint32_t *pool;
    int64_t pool_size, contexts_used, pool_used, limit;
    change_log *changed, *changed_pool; /* contexts and words of the pool, since a state was saved; else NULL */
    int64_t pool_saved; /* words that were used then */
    float scale[MAX_ORDERS][10][6]; /* s_k by bucket of n and of d */
    int64_t across; /* lanes, padded */
    int32_t *history; /* [longest, across], the newest first */
    int32_t *hashes; /* what the next four lie in */
    int32_t *at, *key; /* [depth, across]: the first row of each context, and its key */
    int32_t *next_at, *next_key; /* those of the step that begins, while the last one is learned */
    int32_t *slot; /* [lanes, depth]: the context, or -1 */
    float *part; /* [lanes, depth]: what a count of each order weighs */
    float *left; /* [lanes]: what is left for the base */
    int32_t *found; /* [lanes, depth]: where among its successors the symbol stands, or -1 */
    int32_t *successors; /* [lanes, depth]: d when that was looked for */
} text_memory;

INLINE uint32_t entry_symbol(uint32_t entry) { return entry & 0xFFFF; }
INLINE float entry_weight(uint32_t entry) { return (float)(int32_t)(entry >> 16) - DISCOUNT; }
INLINE int32_t exponent(int32_t n) { return n > 0 ? 31 - __builtin_clz((uint32_t)n) : -1; }
INLINE int32_t bucket_of_count(int32_t n) {
    int32_t e = exponent(n);
    return e < 9 ? e : 9;
}
INLINE int32_t bucket_of_distinct(int32_t d) {
    int32_t e = exponent(d - 1) + 1;
    return e < 5 ? e : 5;
}

/* Push the last symbols of some lanes onto their histories. */
static void memory_push(text_memory *m, const int32_t *symbols, int64_t start, int64_t rows) {
    for (int64_t age = m->longest - 1; age >= 0; age--) {
        const int32_t *from = age ? m->history + (age - 1) * m->across : symbols;
        memcpy(m->history + age * m->across + start, from + start, (size_t)rows * 4);
    }
}

/* Hash the contexts of lanes start ... start + rows - 1, after `seen` symbols each, and prefetch their table rows. */
static void memory_hash(text_memory *m, int64_t start, int64_t rows, int64_t seen) {
    const int32_t low = 0x7FFFFFFF;
    for (int64_t k = 0; k < m->depth; k++) {
        if (m->orders[k] > seen) continue;
        for (int64_t i = start; i < start + rows; i += FLOATS) {
            int64_t first = i + FLOATS <= m->across ? i : m->across - FLOATS;
            vu h = (vu)vi_all((int32_t)((uint32_t)m->orders[k] * 0x3C6EF372u) & low);
            for (int32_t age = 0; age < m->orders[k]; age++) {
                h = ((h ^ (vu)vi_load(m->history + age * m->across + first)) * 0x2545F491u + 0x1B873593u) & (uint32_t)low;
                h ^= h >> 15;
            }
            vi at = (vi)((h * 0x5851F42Du >> 9) & m->mask);
            int32_t *to_at = m->next_at + k * m->across, *to_key = m->next_key + k * m->across;
            for (int64_t lane = 0; lane < FLOATS; lane++)
                if (first + lane >= i && first + lane < start + rows) { /* other lanes may be another thread's */
                    to_at[first + lane] = at[lane];
                    to_key[first + lane] = (int32_t)(h[lane] | 1);
                    prefetch(m->contexts + at[lane]);
                }
        }
    }
}
/* What memory_hash found: until now the memory learned by the hashes of the step before. */
static void memory_take_hashes(text_memory *m, int64_t start, int64_t rows) {
    for (int64_t k = 0; k < m->depth; k++) {
        const int64_t at = k * m->across + start;
        memcpy(m->at + at, m->next_at + at, (size_t)rows * 4);
        memcpy(m->key + at, m->next_key + at, (size_t)rows * 4);
    }
}

/* Linear probing. Returns the row that holds the key, or -1 - r for a free row r, or -2 - mask after TRIES other
 * rows. */
INLINE int64_t memory_find(const text_memory *m, uint32_t at, int32_t key) {
    for (uint32_t i = 0; i < TRIES; i++) {
        uint32_t place = (at + i) & m->mask;
        int32_t k = m->contexts[place].key;
        if (k == key) return place;
        if (k == 0) return -1 - (int64_t)place;
    }
    return -2 - (int64_t)m->mask;
}

/* Prefetch a lane's contexts again: they may have left the nearest cache since memory_hash. */
INLINE void memory_ask(const text_memory *m, int64_t lane) {
    for (int64_t k = 0; k < m->depth; k++) prefetch(m->contexts + m->at[k * m->across + lane]);
}

/* Find a lane's contexts, once memory_hash has been there; ask for their successors. */
INLINE void memory_look_up(text_memory *m, int64_t lane, int64_t seen) {
    for (int64_t k = 0; k < m->depth; k++) {
        int64_t at = lane * m->depth + k, place = -1;
        if (m->orders[k] <= seen) {
            place = memory_find(m, (uint32_t)m->at[k * m->across + lane], m->key[k * m->across + lane]);
            if (place < 0) place = -1;
        }
        m->slot[at] = (int32_t)place;
        if (place >= 0 && m->contexts[place].d > 1) {
            const uint32_t *successors = m->pool + m->contexts[place].start;
            for (int32_t e = 0; e < m->contexts[place].d && e < 256; e += 16) prefetch(successors + e);
        }
    }
}

/* The factor of each order's discounted counts, and the share left to the base prior. */
INLINE void memory_weigh(text_memory *m, int64_t lane) {
    float weight = 1.0f;
    for (int64_t k = m->depth - 1; k >= 0; k--) {
        int32_t place = m->slot[lane * m->depth + k];
        if (place < 0) continue;
        const text_context *c = m->contexts + place;
        float s = m->scale[k][bucket_of_count(c->n)][bucket_of_distinct(c->d)];
        float inverse = 1.0f / ((float)c->n + s);
        m->part[lane * m->depth + k] = weight * inverse;
        weight = weight * ((s + DISCOUNT * (float)c->d) * inverse);
    }
    m->left[lane] = weight;
}

/* Add the counts of all successors, symbol v to out[v >> shift]. */
INLINE void memory_add(const text_memory *m, int64_t lane, int shift, float *out) {
    for (int64_t k = 0; k < m->depth; k++) {
        int32_t place = m->slot[lane * m->depth + k];
        if (place < 0) continue;
        const text_context *c = m->contexts + place;
        float part = m->part[lane * m->depth + k];
        if (c->d == 1) {
            float *to = out + (c->start >> shift);
            *to = *to + ((float)c->n - DISCOUNT) * part;
            continue;
        }
        const uint32_t *e = m->pool + c->start, *end = e + c->d;
        for (; e < end; e++) {
            float *to = out + (entry_symbol(*e) >> shift);
            *to = *to + entry_weight(*e) * part;
        }
    }
}

/* Those of one class of 2^shift members: out[v mod 2^shift]. */
INLINE void memory_add_members(const text_memory *m, int64_t lane, int64_t of_class, int shift, float *out) {
    const uint32_t mask = 0xFFFFu >> shift << shift, wanted = (uint32_t)of_class << shift, low = (1u << shift) - 1;
    for (int64_t k = 0; k < m->depth; k++) {
        int32_t place = m->slot[lane * m->depth + k];
        if (place < 0) continue;
        const text_context *c = m->contexts + place;
        float part = m->part[lane * m->depth + k];
        if (c->d == 1) {
            if (((uint32_t)c->start & mask) == wanted) {
                float *to = out + ((uint32_t)c->start & low);
                *to = *to + ((float)c->n - DISCOUNT) * part;
            }
            continue;
        }
        const uint32_t *e = m->pool + c->start;
        int32_t i = 0;
#if defined(__AVX2__)
        const __m256i class_mask = _mm256_set1_epi32((int32_t)mask), here = _mm256_set1_epi32((int32_t)wanted);
        for (; i < c->d; i += 8) { /* the pool goes on past its last block */
            __m256i v = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(e + i)), class_mask);
            uint32_t hits = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(v, here)));
            if (c->d - i < 8) hits &= (1u << (c->d - i)) - 1;
            for (; hits; hits &= hits - 1) {
                uint32_t entry = e[i + __builtin_ctz(hits)];
                float *to = out + (entry & low);
                *to = *to + entry_weight(entry) * part;
            }
        }
#endif
        for (; i < c->d; i++)
            if ((e[i] & mask) == wanted) {
                float *to = out + (e[i] & low);
                *to = *to + entry_weight(e[i]) * part;
            }
    }
}

/* Where among d successors, from `from` on, the symbol stands; -1 where it does not. */
INLINE int32_t memory_where(const uint32_t *successors, int32_t from, int32_t d, uint32_t symbol) {
    int32_t i = from;
#if defined(__AVX2__)
    const __m256i low = _mm256_set1_epi32(0xFFFF), here = _mm256_set1_epi32((int32_t)symbol);
    for (; i < d; i += 8) {
        __m256i v = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(successors + i)), low);
        uint32_t hits = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(v, here)));
        if (d - i < 8) hits &= (1u << (d - i)) - 1;
        if (hits) return i + __builtin_ctz(hits);
    }
    return -1;
#endif
    for (; i < d; i++)
        if (entry_symbol(successors[i]) == symbol) return i;
    return -1;
}

/* One gradient step on ln s_k of every order whose context was found, towards a larger p_K(symbol); p: p_0(symbol).
 * From the top order down, with weight = d p_K / d p_k / p_K:
 *
 *     g = clamp(s / (n + s) * weight * (p_{k-1} - p_k), -1, 1)     s *= 1 + 0.15 g, kept in 0.05 ... 4000 */
static void memory_adapt(text_memory *m, int64_t lane, uint32_t symbol, float p) {
    float before[MAX_ORDERS], after[MAX_ORDERS], inverses[MAX_ORDERS], strengths[MAX_ORDERS];
    float *scales[MAX_ORDERS];
    int64_t top = -1;
    for (int64_t k = 0; k < m->depth; k++) {
        int64_t at = lane * m->depth + k;
        if (m->slot[at] < 0) continue;
        const text_context *c = m->contexts + m->slot[at];
        int32_t where = -1, count = 0;
        if (c->d == 1) {
            if ((uint32_t)c->start == symbol) where = 0, count = c->n;
        } else {
            where = memory_where(m->pool + c->start, 0, c->d, symbol);
            if (where >= 0) count = (int32_t)(m->pool[c->start + where] >> 16);
        }
        m->found[at] = where;
        m->successors[at] = c->d;
        float *s = &m->scale[k][bucket_of_count(c->n)][bucket_of_distinct(c->d)];
        float inverse = 1.0f / ((float)c->n + *s), more = (float)count - DISCOUNT;
        before[k] = p;
        strengths[k] = *s + DISCOUNT * (float)c->d;
        p = ((more > 0.0f ? more : 0.0f) + strengths[k] * p) * inverse;
        after[k] = p;
        inverses[k] = inverse;
        scales[k] = s;
        top = k;
    }
    if (top < 0 || p < TINY_SHARE) return; /* of what is next to impossible there is nothing to learn, and 1 / p may be infinite */
    float weight = 1.0f / p;
    for (int64_t k = top; k >= 0; k--) {
        if (m->slot[lane * m->depth + k] < 0) continue;
        float s = *scales[k], g = s * inverses[k] * weight * (before[k] - after[k]);
        g = g < -1.0f ? -1.0f : g > 1.0f ? 1.0f : g;
        s = s * (1.0f + 0.15f * g);
        s = s > 0.05f ? s : 0.05f;
        *scales[k] = s < 4000.0f ? s : 4000.0f;
        weight = weight * (strengths[k] * inverses[k]);
    }
}

/* Count a symbol in the context of one order; a full table learns no new ones. Another lane may have counted in it meanwhile. */
INLINE void memory_insert(text_memory *m, int64_t lane, int64_t k, uint32_t symbol) {
    const int64_t at = lane * m->depth + k;
    const int32_t key = m->key[k * m->across + lane];
    int64_t place = m->slot[at];
    int32_t where = -1, known = 0;
    if (place >= 0) {
        where = m->found[at];
        known = m->successors[at];
    } else {
        place = memory_find(m, (uint32_t)m->at[k * m->across + lane], key);
    }
    if (place < 0) {
        place = -1 - place;
        if (place > (int64_t)m->mask || m->contexts_used >= m->limit) return;
        m->contexts_used++;
        m->contexts[place] = (text_context){key, 1, 1, (int32_t)symbol};
        log_change(m->changed, place);
        return;
    }
    text_context *c = m->contexts + place;
    if (c->n >= MAX_COUNTED) return;
    log_change(m->changed, place);
    if (c->d == 1) {
        if ((uint32_t)c->start == symbol) {
            c->n++;
            return;
        }
        if (m->pool_used + 4 > m->pool_size) return;
        m->pool[m->pool_used] = (uint32_t)c->start | (uint32_t)c->n << 16;
        c->start = (int32_t)m->pool_used;
        m->pool_used += 4;
    } else {
        uint32_t *successors = m->pool + c->start;
        if (where < 0) where = memory_where(successors, known, c->d, symbol);
        if (where >= 0) {
            successors[where] += 1u << 16;
            log_change(m->changed_pool, c->start + where);
            c->n++;
            return;
        }
        if (c->d >= 4 && (c->d & (c->d - 1)) == 0) { /* the block is full: move to one of twice the size */
            if (m->pool_used + 2 * c->d > m->pool_size) return;
            memcpy(m->pool + m->pool_used, successors, (size_t)c->d * 4);
            c->start = (int32_t)m->pool_used;
            m->pool_used += 2 * c->d;
        }
    }
    m->pool[c->start + c->d] = symbol | 1u << 16;
    log_change(m->changed_pool, c->start + c->d);
    c->n++;
    c->d++;
}

/* After a step of some lanes: p = p_0(symbol) of each lane. Adapt the strengths, and count the symbols. */
static void memory_learn(text_memory *m, const int32_t *symbols, const float *p, int64_t start, int64_t rows, int64_t seen) {
    for (int64_t i = start; i < start + rows; i++) memory_adapt(m, i, (uint32_t)symbols[i], p[i]);
    for (int64_t i = start; i < start + rows; i++) {
        for (int64_t k = 0; k < m->depth; k++)
            if (m->orders[k] <= seen) memory_insert(m, i, k, (uint32_t)symbols[i]);
    }
}

static UNUSED void memory_free(text_memory *m) {
    tp_free(m->contexts);
    tp_free(m->pool);
    tp_free(m->history);
    tp_free(m->hashes);
    tp_free(m->slot);
    tp_free(m->part);
}

/* The smallest power of two >= n, at least 2 (`power_of_two` of priors/memory_counts.py). */
INLINE int64_t memory_room(int64_t n) {
    int64_t room = 2;
    while (room < n) room *= 2;
    return room;
}

/* For so many lanes and tokens; orders have been checked. 0 or TP_MEMORY. */
static UNUSED int64_t memory_start(text_memory *m, const int32_t *orders, int64_t depth, int64_t lanes, int64_t tokens) {
    const int64_t most = (int64_t)1 << 22;
    int64_t contexts = tokens < most ? memory_room(3 * depth * tokens / 2 + 64) : most;
    int64_t pool = tokens < most ? memory_room(2 * depth * tokens + 64) : most;
    contexts = contexts < most ? contexts : most;
    m->pool_size = pool < most ? pool : most;
    m->depth = depth;
    m->lanes = lanes;
    m->mask = (uint32_t)contexts - 1;
    m->limit = contexts - contexts / 8;
    for (int64_t k = 0; k < depth; k++) {
        m->orders[k] = orders[k];
        m->longest = orders[k] > m->longest ? orders[k] : m->longest;
        for (int i = 0; i < 10; i++)
            for (int j = 0; j < 6; j++) m->scale[k][i][j] = j ? 30.0f : 8.0f;
    }
    size_t each = (size_t)(lanes * depth);
    m->contexts = tp_table((size_t)contexts * sizeof *m->contexts);
    m->pool = tp_table((size_t)(m->pool_size + 8) * 4); /* vectors read past the last block */
    m->across = padded(lanes);
    m->history = tp_zeros((size_t)(m->across * m->longest) * 4);
    m->hashes = tp_zeros((size_t)(4 * depth * m->across) * 4);
    m->slot = tp_zeros(3 * each * 4);
    m->part = tp_zeros((each + (size_t)lanes) * 4);
    if (!m->contexts || !m->pool || !m->history || !m->hashes || !m->slot || !m->part) return TP_MEMORY;
    m->at = m->hashes;
    m->key = m->at + depth * m->across;
    m->next_at = m->key + depth * m->across;
    m->next_key = m->next_at + depth * m->across;
    m->found = m->slot + each;
    m->successors = m->slot + 2 * each;
    m->left = m->part + each;
    memset(m->slot, 255, each * 4);
    return 0;
}

/* Before a state is restored: blocks of the pool that were begun after it are empty again. */
static UNUSED void empty_pool(text_memory *m) { memset(m->pool + m->pool_saved, 0, (size_t)(m->pool_used - m->pool_saved) * 4); }

/* The blocks that memory_learn changes. */
static UNUSED void memory_blocks(saved_state *s, text_memory *m) {
    saved_table(s, m->contexts, (size_t)m->mask + 1, sizeof *m->contexts, &m->changed);
    saved_table(s, m->pool, (size_t)m->pool_size + 8, 4, &m->changed_pool);
    saved_add(s, &m->contexts_used, sizeof m->contexts_used);
    saved_add(s, &m->pool_used, sizeof m->pool_used);
    saved_add(s, m->scale, sizeof m->scale);
    saved_add(s, m->history, (size_t)(m->across * m->longest) * 4);
    saved_add(s, m->hashes, (size_t)(4 * m->depth * m->across) * 4);
    saved_add(s, m->slot, (size_t)(3 * m->lanes * m->depth) * 4);
    saved_add(s, m->part, (size_t)(m->lanes * (m->depth + 1)) * 4);
}

#endif

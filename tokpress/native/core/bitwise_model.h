/* Context mixing of the binary decisions that lead to a token. D decisions are the bits of its place, the highest first: node 1 is the
 * root, 2 · node + bit the child. Two inputs of the mixer are the log-odds of a decision under the base prior, with and without its
 * memory; the others come from contexts that have learned from this file only.
 *
 *     contexts     of what came before (bitwise_contexts.h); each finds a counter for the root, and by four decisions each a line of bit
 *                  histories (slots.h, histories.h)
 *     match        what came after the last tokens before
 *     mixer        adds all log-odds, weighed by the sum of five rows of weights (mixer.h)
 *     correction   by what happened at this node when the mixer said so (correction.h)
 *
 * The base is trained, so the weights of its inputs start near 1 in sum, those of the others near 0. Lanes share all tables; some
 * contexts hash the lane's number: lanes read different parts of the file, and a context predicts best in the part where it was seen.
 * priors/text/bitwise_model.py is the twin. */
#ifndef TP_BITWISE_MODEL_H
#define TP_BITWISE_MODEL_H

#include "bitwise_contexts.h"
#include "correction.h"
#include "counters.h"
#include "histories.h"
#include "mixer.h"
#include "saved.h"

#define MAX_DECISIONS 16
#define IN_A_LINE 4 /* decisions whose histories lie in one line */
#define PHASES (1 + (MAX_DECISIONS + IN_A_LINE - 2) / IN_A_LINE) /* the root, then the groups */
/* Inputs of the mixer, side by side in pairs, two vectors of 8: the contexts, then these. */
#define INPUT_MATCH TOKEN_CONTEXTS
#define INPUT_MEMORY (TOKEN_CONTEXTS + 1)
#define INPUT_NETWORK (TOKEN_CONTEXTS + 2)
#define BITWISE_VECTORS 2
#define FIRST_WEIGHT 600 /* 2^-14; of each context */
#define FIRST_OF_MATCH 1500
#define FIRST_OF_MEMORY 10000
#define FIRST_OF_NETWORK 6000
#define BITWISE_RATE_LAST 16 /* of the mixer; BITWISE_RATE_EXTRA fades away as bytes are coded */
#define BITWISE_RATE_EXTRA 40
#define BITWISE_MAX_SEEN 1023
#define BITWISE_MAX_MATCHED 255
#define BITWISE_MAX_ODDS (20 * 128) /* of the base, in 128ths of an octave */
#define BITWISE_CURVE 11357 /* 0.3466 · 2^15: log2(1 + x) is x + 0.3466 · x · (1 - x), nearly */
/* Weights: rows by match, by the base's odds, by the last byte, by letters among the last four characters, by node. */
#define BITWISE_ROWS 5
#define ROWS_BY_ODDS (PHASES * FOLLOWED_BUCKETS)
#define ROWS_BY_BYTE (ROWS_BY_ODDS + PHASES * 256)
#define ROWS_BY_LETTERS (ROWS_BY_BYTE + PHASES * 256)
#define ROWS_BY_NODE (ROWS_BY_LETTERS + PHASES * 16)

/* Where mixing begins, if it was primed in training; NULL: with the numbers above. A weight q adds q · |q| · 2^-14 to
 * those above. Counters: p in 12 bits, above a fourth of the times seen in 4 bits. */
typedef struct {
    const int8_t *weights; /* [ROWS_BY_NODE + 2^(D - 1), BITWISE_VECTORS * 16]: nodes without those of the last decision */
    const uint16_t *counters; /* [PHASES, TOKEN_CONTEXTS, 256] */
    const uint16_t *matched; /* [MAX_DECISIONS, FOLLOWED_BUCKETS, 2] */
} primed_mixing;

typedef struct {
    uint32_t counters[PHASES][TOKEN_CONTEXTS][256]; /* p of a one after a history */
    uint32_t matched[MAX_DECISIONS][FOLLOWED_BUCKETS][2]; /* [decision], [1]: where a one is expected */
    uint16_t squash[2 * ODDS_CENTRE];
    history_table histories;
    slot_table slots;
    i16x16 *weights; /* [ROWS_BY_NODE + 2^D][BITWISE_VECTORS] */
    uint16_t *correction; /* [2^D, CORRECTION_BINS], by node */
    uint32_t *roots; /* [TOKEN_CONTEXTS, 2^root_log2]: counters of the first decision */
    uint32_t *heads, *history; /* of all lanes: the match's table, tokens */
    token_lane *lanes;
    const token_table *tokens;
    int decisions, root_log2, match_log2;
    int64_t coded; /* bytes */
    change_log *changed_roots; /* since a state was saved; else NULL */
    int32_t rate;
} bitwise_model;

/* A decision that is being coded, and what was said of it. */
typedef struct {
    i16x16 inputs[BITWISE_VECTORS];
    i16x16 *row[BITWISE_ROWS];
    i32x8 counter[2];
    uint32_t *matched;
    uint8_t *slot[TOKEN_CONTEXTS]; /* of the group */
    uint16_t *bin;
    int32_t log_odds, phase;
    uint32_t in_group; /* the node within its group */
} bitwise_decision;

/* 2^23 · log2(n), for 0 < n < 2^31. */
INLINE int32_t bitwise_log2(uint32_t n) {
    float x = (float)(int32_t)n;
    int32_t bits, part;
    memcpy(&bits, &x, 4);
    part = (bits & 0x7FFFFF) >> 8;
    return bits - (127 << 23) - (bits & 0xFF) + (int32_t)((int64_t)(part * (32768 - part)) * BITWISE_CURVE >> 22);
}

/* log2(one / zero) in 128ths of an octave. */
INLINE int32_t log_odds_of(uint32_t zero, uint32_t one) {
    return clamp((bitwise_log2(one) - bitwise_log2(zero)) >> 16, -BITWISE_MAX_ODDS, BITWISE_MAX_ODDS);
}

INLINE uint32_t line_of(const bitwise_model *m, uint64_t hash, uint32_t node) {
    return (uint32_t)(hash >> (64 - m->slots.log2)) ^ (((node >> 2) * 0x9E3779B1u >> 12) & ((1u << m->slots.log2) - 1));
}

/* Two decisions early: ask for the lines of the group that begins at a child of a child of this node. */
INLINE void bitwise_ask(const bitwise_model *m, const token_lane *l, uint32_t node) {
    for (int i = 0; i < TOKEN_CONTEXTS; i++) prefetch(m->slots.lines + ((size_t)line_of(m, l->hash[i], node << 2) << 6));
}

/* Ask for what a lane's next token needs first; the lanes in between may drive it from the nearest cache again. */
INLINE void bitwise_ask_root(const bitwise_model *m, const token_lane *l) {
    for (int i = 0; i < TOKEN_CONTEXTS; i++) prefetch(m->roots + ((size_t)i << m->root_log2) + (l->hash[i] >> (64 - m->root_log2)));
    bitwise_ask(m, l, 0);
}

/* Ask for what the children of a node need. */
INLINE void bitwise_ask_children(const bitwise_model *m, uint32_t node) {
    if (node >> (m->decisions - 1)) return; /* they are tokens */
    const char *rows = (const char *)(m->weights + (ROWS_BY_NODE + 2 * (size_t)node) * BITWISE_VECTORS);
    prefetch(rows);
    prefetch(rows + 64);
    prefetch(m->correction + 2 * (size_t)node * CORRECTION_BINS);
    prefetch(m->correction + (2 * (size_t)node + 1) * CORRECTION_BINS);
}

/* The histories of the group that begins at a node. */
INLINE void bitwise_find(const bitwise_model *m, const token_lane *l, uint32_t node, uint8_t **slot) {
    for (int i = 0; i < TOKEN_CONTEXTS; i++)
        slot[i] = slots_find(&m->slots, line_of(m, l->hash[i], node), ((uint32_t)(l->hash[i] >> 32) + 29 * node) & 255);
}

/* The first decision of the group of decision `at`. */
INLINE int group_start(int at) { return at - (at - 1) % IN_A_LINE; }

INLINE uint32_t *root_counter(const bitwise_model *m, const token_lane *l, int context) {
    return m->roots + ((size_t)context << m->root_log2) + (l->hash[context] >> (64 - m->root_log2));
}

/* p · 2^16 of a one at decision `at`, node `node`. with_memory, network: log-odds of the base. */
INLINE int32_t bitwise_predict(
    bitwise_model *m, const token_lane *l, bitwise_decision *d, int at, uint32_t node, int32_t with_memory, int32_t network
) {
    int32_t counter[16], bucket = followed_bucket(l->length);
    const int after = m->decisions - 1 - at; /* decisions after this one */
    uint32_t expected = 0;
    if (bucket > 0) {
        const uint32_t path = 1u << m->decisions | (uint32_t)l->expected;
        if (path >> (after + 1) == node)
            expected = path >> after & 1;
        else
            bucket = 0;
    }
    d->phase = at == 0 ? 0 : 1 + (at - 1) / IN_A_LINE;
    d->in_group = 0;
    if (at == 0) {
        for (int i = 0; i < TOKEN_CONTEXTS; i++) counter[i] = (int32_t)*root_counter(m, l, i);
    } else {
        const int level = (at - 1) % IN_A_LINE;
        d->in_group = 1u << level | (node & ((1u << level) - 1));
        for (int i = 0; i < TOKEN_CONTEXTS; i++) counter[i] = (int32_t)m->counters[d->phase][i][d->slot[i][4 * d->in_group]];
    }
    d->matched = &m->matched[at][bucket][expected];
    counter[INPUT_MATCH] = (int32_t)*d->matched;
    counter[INPUT_MEMORY] = counter[INPUT_NETWORK] = (int32_t)COUNTER_HALF;
    memcpy(d->counter, counter, sizeof counter);
    d->inputs[0] = (i16x16)counters_inputs(d->counter[0]);
    d->inputs[1] = (i16x16)counters_inputs(d->counter[1]);
    d->inputs[1][2 * (TOKEN_CONTEXTS - 1 - 8) + 1] = MIXER_ONE; /* in place of the last context's p - 1/2 */
    const int32_t odds[2] = {with_memory, network};
    for (int k = 0; k < 2; k++) {
        const int32_t bounded = clamp(2 * odds[k], -ODDS_LIMIT, ODDS_LIMIT);
        d->inputs[1][2 * (INPUT_MEMORY - 8 + k)] = (int16_t)odds[k];
        d->inputs[1][2 * (INPUT_MEMORY - 8 + k) + 1] = (int16_t)((m->squash[bounded + ODDS_CENTRE] >> 6) - 512);
    }
    const size_t phase = (size_t)d->phase;
    const size_t of_odds = (size_t)(16 * clamp((with_memory + 1024) >> 7, 0, 15) + clamp((network + 1024) >> 7, 0, 15));
    size_t letters = 0;
    for (int i = 0; i < 4; i++) letters |= (size_t)is_letter(l->bytes.last >> 8 * i & 255) << i;
    const size_t rows[BITWISE_ROWS] = {
        phase * FOLLOWED_BUCKETS + (size_t)bucket, ROWS_BY_ODDS + phase * 256 + of_odds,
        ROWS_BY_BYTE + phase * 256 + (l->bytes.last & 255), ROWS_BY_LETTERS + phase * 16 + letters, ROWS_BY_NODE + node};
    for (int k = 0; k < BITWISE_ROWS; k++) d->row[k] = m->weights + rows[k] * BITWISE_VECTORS;
    d->log_odds = mixer_predict(d->inputs, d->row, BITWISE_ROWS, BITWISE_VECTORS);
    return clamp(correction_predict(m->correction + (size_t)node * CORRECTION_BINS, d->log_odds, m->squash, &d->bin), 4, 65532);
}

INLINE void bitwise_learn(bitwise_model *m, const token_lane *l, const bitwise_decision *d, int bit) {
    const i32x8 most[2] = {
        (i32x8){0} + BITWISE_MAX_SEEN,
        {BITWISE_MAX_SEEN, BITWISE_MAX_SEEN, BITWISE_MAX_SEEN, BITWISE_MAX_SEEN, BITWISE_MAX_SEEN, BITWISE_MAX_MATCHED}};
    const int32_t error = (bit << 16) - m->squash[d->log_odds + ODDS_CENTRE];
    mixer_learn(d->inputs, d->row, BITWISE_ROWS, BITWISE_VECTORS, error, m->rate);
    correction_learn(d->bin, bit);
    const i32x8 after[2] = {counters_learn(d->counter[0], bit, most[0]), counters_learn(d->counter[1], bit, most[1])};
    *d->matched = (uint32_t)after[INPUT_MATCH / 8][INPUT_MATCH % 8];
    if (d->phase == 0) {
        for (int i = 0; i < TOKEN_CONTEXTS; i++) {
            *root_counter(m, l, i) = (uint32_t)after[i / 8][i % 8];
            log_change(m->changed_roots, root_counter(m, l, i) - m->roots);
        }
        return;
    }
    for (int i = 0; i < TOKEN_CONTEXTS; i++) {
        uint8_t *at = d->slot[i] + 4 * d->in_group, state = *at;
        m->counters[d->phase][i][state] = (uint32_t)after[i / 8][i % 8];
        *at = m->histories.next[bit][state];
    }
}

/* Weights learn fast at first. */
INLINE void bitwise_set_rate(bitwise_model *m) {
    int32_t age = (int32_t)(m->coded >> 4 < 1 << 24 ? m->coded >> 4 : 1 << 24);
    m->rate = BITWISE_RATE_LAST + BITWISE_RATE_EXTRA * 256 / (256 + age);
}

INLINE void bitwise_add(bitwise_model *m, token_lane *l, int32_t place) {
    add_token(l, m->tokens, place, m->history, m->heads, m->match_log2);
    m->coded += m->tokens->start[place + 1] - m->tokens->start[place];
    hash_contexts(l);
    bitwise_ask_root(m, l);
}

static void bitwise_model_free(bitwise_model *m) {
    if (m == NULL) return;
    void *parts[] = {m->slots.lines, m->weights, m->correction, m->roots, m->heads, m->history, m->lanes};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) tp_free(parts[i]);
    tp_free(m);
}

static void bitwise_first_values(bitwise_model *m) {
    const size_t nodes = (size_t)1 << m->decisions;
    squash_fill(m->squash);
    histories_fill(&m->histories);
    correction_fill(m->correction, nodes, m->squash);
    for (int set = 0; set < ROWS_BY_ODDS; set++)
        for (int i = 0; i <= INPUT_NETWORK; i++)
            m->weights[set * BITWISE_VECTORS + i / 8][2 * (i % 8)] = i == INPUT_MATCH     ? FIRST_OF_MATCH
                                                                     : i == INPUT_MEMORY  ? FIRST_OF_MEMORY
                                                                     : i == INPUT_NETWORK ? FIRST_OF_NETWORK
                                                                                       : FIRST_WEIGHT;
    for (int phase = 0; phase < PHASES; phase++)
        for (int i = 0; i < TOKEN_CONTEXTS; i++)
            for (int state = 0; state < 256; state++) m->counters[phase][i][state] = m->histories.first_p[state] << 10;
    for (size_t i = 0; i < (size_t)TOKEN_CONTEXTS << m->root_log2; i++) m->roots[i] = COUNTER_HALF;
    for (int at = 0; at < MAX_DECISIONS; at++)
        for (int bucket = 0; bucket < FOLLOWED_BUCKETS; bucket++) { /* 3/4 that the expected bit comes */
            m->matched[at][bucket][0] = bucket ? 1u << 30 | 8 : COUNTER_HALF;
            m->matched[at][bucket][1] = bucket ? 3u << 30 | 8 : COUNTER_HALF;
        }
}

INLINE uint32_t primed_counter(uint16_t word) { return (uint32_t)(word >> 4) << 20 | (uint32_t)(word & 15) << 2; }

/* How many weights are primed. */
INLINE int64_t primed_weights(int decisions) { return ((int64_t)ROWS_BY_NODE + (1 << (decisions - 1))) * BITWISE_VECTORS * MIXER_WIDE; }

static void bitwise_prime(bitwise_model *m, const primed_mixing *from) {
    int16_t *weights = (int16_t *)m->weights;
    for (int64_t i = 0; i < primed_weights(m->decisions); i++) {
        const int q = from->weights[i];
        weights[i] = (int16_t)clamp(weights[i] + q * abs(q), -32768, 32767);
    }
    for (size_t i = 0; i < sizeof m->counters / 4; i++) (&m->counters[0][0][0])[i] = primed_counter(from->counters[i]);
    for (size_t i = 0; i < sizeof m->matched / 4; i++) (&m->matched[0][0][0])[i] = primed_counter(from->matched[i]);
}

/* For lanes of `steps` tokens each. primed: or NULL. NULL where there is no memory. */
static UNUSED bitwise_model *bitwise_model_new(
    const token_table *tokens, int decisions, int64_t lanes, int64_t steps, const primed_mixing *primed
) {
    bitwise_model *m = tp_zeros(sizeof *m);
    if (m == NULL) return NULL;
    const int64_t count = lanes * steps;
    const size_t nodes = (size_t)1 << decisions;
    m->tokens = tokens;
    m->decisions = decisions;
    m->slots.log2 = clamp(bit_length(8 * count), 8, 20);
    m->root_log2 = clamp(bit_length(2 * count), 6, 16);
    m->match_log2 = clamp(bit_length(2 * count), 8, 22);
    m->slots.lines = tp_zeros((size_t)64 << m->slots.log2);
    m->weights = tp_zeros((ROWS_BY_NODE + nodes) * BITWISE_VECTORS * sizeof *m->weights);
    m->correction = tp_zeros(nodes * CORRECTION_BINS * sizeof *m->correction);
    m->roots = tp_zeros(((size_t)TOKEN_CONTEXTS << m->root_log2) * sizeof *m->roots);
    m->heads = tp_zeros(sizeof *m->heads << m->match_log2);
    m->history = tp_zeros((size_t)(count + 1) * sizeof *m->history); /* 0: not written yet, and the end */
    m->lanes = tp_zeros((size_t)lanes * sizeof *m->lanes);
    if (!m->slots.lines || !m->weights || !m->correction || !m->roots || !m->heads || !m->history || !m->lanes) {
        bitwise_model_free(m);
        return NULL;
    }
    bitwise_first_values(m);
    if (primed) bitwise_prime(m, primed);
    for (int64_t lane = 0; lane < lanes; lane++) {
        token_lane *l = m->lanes + lane;
        l->own = (uint64_t)(lane + 1) * 0x9E3779B97F4A7C15u;
        l->begin = l->here = lane * steps;
        hash_contexts(l);
    }
    return m;
}

/* The blocks that coding changes. NULL where there is no memory. */
static UNUSED saved_state *bitwise_blocks(bitwise_model *m, int64_t lanes, int64_t steps) {
    const size_t nodes = (size_t)1 << m->decisions;
    saved_state *s = saved_new();
    if (s == NULL) return NULL;
    saved_table(s, m->slots.lines, (size_t)1 << m->slots.log2, 64, &m->slots.changed);
    saved_table(s, m->roots, (size_t)TOKEN_CONTEXTS << m->root_log2, sizeof *m->roots, &m->changed_roots);
    saved_add(s, m->counters, sizeof m->counters);
    saved_add(s, m->matched, sizeof m->matched);
    saved_add(s, &m->coded, sizeof m->coded);
    saved_add(s, m->weights, (ROWS_BY_NODE + nodes) * BITWISE_VECTORS * sizeof *m->weights);
    saved_add(s, m->correction, nodes * CORRECTION_BINS * sizeof *m->correction);
    saved_add(s, m->heads, sizeof *m->heads << m->match_log2);
    saved_add(s, m->history, (size_t)(lanes * steps + 1) * sizeof *m->history);
    saved_add(s, m->lanes, (size_t)lanes * sizeof *m->lanes);
    return s;
}

#endif

/* Context mixing of the binary digits of a token (bitwise_tree.h). One input of the mixer is the log-odds of a digit
 * under the base prior; the others come from contexts of bytes, which have learned from this file only.
 *
 *     contexts     of the bytes before: ten hashed ones, whose bit histories (slots.h, histories.h) lie by nibbles
 *     direct       a counter for each last byte and node
 *     ends         the digit that says whether a token ends has counters of its own under five of the contexts
 *     match        what came after the last bytes before (match.h), in whichever lane that was
 *     mixer        adds all log-odds, weighed by the sum of five rows of weights (mixer.h)
 *     correction   by what happened when the mixer said so (correction.h)
 *
 * The base is trained, so its weight starts near 1 and the others near 0. Lanes share all tables. Each lane has its own
 * match, and three contexts hash the lane's number: lanes read different parts of the file, and a context predicts best
 * in the part where it was seen. priors/text/bitwise_model.py is the twin. */
#ifndef TP_BITWISE_MODEL_H
#define TP_BITWISE_MODEL_H

#include "byte_contexts.h"
#include "correction.h"
#include "counters.h"
#include "histories.h"
#include "match.h"
#include "mixer.h"

#define SPELLING_NODES 16
#define SPELLING_HIGHS 17 /* a high nibble's tree, and those of the low nibbles */
#define SPELLING_ENDS 5
#define SPELLING_END_LOG2 16
/* The counters, side by side, two vectors of 8: the hashed contexts, or five of them where a token may end;
 * then these. */
#define SPELLING_DIRECT HASHED
#define SPELLING_MATCHED (HASHED + 1)
#define SPELLING_TEXT (HASHED + 2) /* no counter: the base's odds */
#define SPELLING_ROWS 5
#define SPELLING_VECTORS 2
#define SPELLING_FIRST_WEIGHT 600 /* 2^-14 */
#define SPELLING_FIRST_MATCHED 1500
#define SPELLING_FIRST_TEXT 14000
#define SPELLING_RATE_LAST 12 /* of the mixer; SPELLING_RATE_EXTRA fades away as bytes are coded */
#define SPELLING_RATE_EXTRA 60
#define SPELLING_MAX_SEEN 1023
#define SPELLING_MAX_DIRECT 30
#define SPELLING_MAX_MATCHED 255
#define SPELLING_MAX_ODDS (20 * 128) /* of the base, in 128ths of an octave */
#define SPELLING_CURVE 11357 /* 0.3466 · 2^15: log2(1 + x) is x + 0.3466 · x · (1 - x), nearly */
/* Weights: rows by match, by the base's odds, by the last byte, by node, by the last four characters. */
enum { HIGH_NIBBLE, LOW_NIBBLE, END_OF_TOKEN, SPELLING_PHASES };
#define SPELLING_BY_TEXT (SPELLING_PHASES * MATCH_BUCKETS)
#define SPELLING_BY_LAST (SPELLING_BY_TEXT + SPELLING_PHASES * 32)
#define SPELLING_BY_NODE (SPELLING_BY_LAST + SPELLING_PHASES * 256)
#define SPELLING_BY_LETTERS (SPELLING_BY_NODE + (SPELLING_HIGHS + 1) * SPELLING_NODES)
#define SPELLING_SETS (SPELLING_BY_LETTERS + SPELLING_PHASES * 16)

typedef struct {
    byte_state bytes;
    match_model match;
    int64_t here; /* where its next byte will stand in the history */
    uint64_t hash[HASHED];
    uint32_t line[HASHED], check[HASHED];
    bool hashed;
} bitwise_lane;

typedef struct {
    i16x16 weights[SPELLING_SETS][SPELLING_VECTORS];
    uint32_t counters[2][HASHED][256]; /* [phase]: p of a one after a history */
    uint32_t direct[256][SPELLING_HIGHS * SPELLING_NODES]; /* [last byte] */
    uint32_t matched[2][4][MATCH_BUCKETS][2]; /* [phase][level], [1]: where a one is expected */
    uint32_t ends[SPELLING_ENDS][1 << SPELLING_END_LOG2];
    /* [last byte]; node 0: where a token may end */
    uint16_t correction[256][SPELLING_HIGHS * SPELLING_NODES][CORRECTION_BINS];
    uint16_t squash[2 * ODDS_CENTRE];
    history_table histories;
    slot_table slots;
    uint32_t *heads;
    uint8_t *history; /* a stretch for each lane */
    bitwise_lane *lanes;
    int64_t coded; /* bytes */
    int32_t rate;
} bitwise_model;

/* A digit that is being coded, and what was said of it. */
typedef struct {
    i16x16 inputs[SPELLING_VECTORS];
    i16x16 *row[SPELLING_ROWS];
    i32x8 counter[2];
    uint32_t *direct, *matched, *end[SPELLING_ENDS];
    uint8_t **slot; /* [HASHED] */
    uint16_t *bin;
    int32_t log_odds, phase;
    uint32_t node;
} bitwise_digit;

/* 2^23 · log2(n), for 0 < n < 2^31. */
INLINE int32_t bitwise_log2(uint32_t n) {
    float x = (float)(int32_t)n;
    int32_t bits, part;
    memcpy(&bits, &x, 4);
    part = (bits & 0x7FFFFF) >> 8;
    return bits - (127 << 23) - (bits & 0xFF) + (int32_t)((int64_t)(part * (32768 - part)) * SPELLING_CURVE >> 22);
}

static void bitwise_hash(bitwise_model *m, bitwise_lane *l, int64_t lane) {
    const uint64_t last = l->bytes.last, own = (uint64_t)(lane + 1) * 0x9E3779B97F4A7C15u, word = l->bytes.word;
    uint64_t *hash = l->hash;
    hash[0] = (last & 0xFFFF) + ((uint64_t)1 << 60);
    hash[1] = (last & 0xFFFFFF) + ((uint64_t)2 << 60);
    hash[2] = (last & 0xFFFFFFFF) + ((uint64_t)3 << 60);
    hash[3] = (last & 0xFFFFFFFFFFFF) + ((uint64_t)4 << 60);
    hash[4] = word + ((last & 255) << 52) + 5;
    hash[5] = word * 3 + l->bytes.older_word * 0x10001 + (last << 56) + 6;
    hash[6] = (last & 0xFFFFFF0000) + ((uint64_t)8 << 60); /* the bytes 3 to 5 back */
    hash[7] = (last & 0xFFFFFF) + own + ((uint64_t)7 << 60);
    hash[8] = (last & 0xFFFFFFFFFF) + own * 3 + 9;
    hash[9] = word + ((last & 255) << 52) + own * 5 + 10;
    for (int i = 0; i < HASHED; i++) {
        hash[i] = scramble(hash[i]);
        slots_place(&m->slots, hash[i], &l->line[i], &l->check[i]);
    }
    l->hashed = true;
}

/* A lane has one more byte. */
INLINE void bitwise_byte(bitwise_model *m, bitwise_lane *l, uint32_t byte) {
    match_model *match = &l->match;
    if (match->bucket > 0 && match->expected != byte) match_miss(match);
    match_ask(match, (l->bytes.last << 8 | byte) & ~(uint64_t)3);
    byte_add(&l->bytes, byte);
    m->history[l->here++] = (uint8_t)byte;
    match_follow(match, m->history, l->here);
    /* a place that has not been written yet, most likely */
    if (match->expected == 0) match->place = match->length = match->bucket = 0;
    l->hashed = false;
    m->coded++;
}

/* Where a nibble's histories are. high: the nibble before, or -1. */
INLINE void bitwise_find(const bitwise_model *m, const bitwise_lane *l, int32_t high, uint8_t **slot) {
    for (int i = 0; i < HASHED; i++) {
        uint32_t line = l->line[i], check = l->check[i];
        if (high >= 0) {
            line ^= 1 + (uint32_t)high;
            check = (check + 11 * (uint32_t)high + 1) & 255;
        }
        slot[i] = slots_find(&m->slots, line, check);
    }
}

/* The counters of a digit. expected: by the match. */
INLINE void bitwise_counters(
    bitwise_model *m, bitwise_lane *l, bitwise_digit *d, uint32_t high, int level, uint32_t expected
) {
    int32_t counter[16];
    for (int i = 0; i < 16; i++) counter[i] = (int32_t)COUNTER_HALF;
    if (d->phase == END_OF_TOKEN) {
        static const uint8_t context[SPELLING_ENDS] = {1, 2, 3, 4, 9};
        for (int i = 0; i < SPELLING_ENDS; i++) {
            d->end[i] = &m->ends[i][l->hash[context[i]] >> (64 - SPELLING_END_LOG2)];
            counter[i] = (int32_t)*d->end[i];
        }
    } else {
        d->direct = m->direct[l->bytes.last & 255] + high * SPELLING_NODES + d->node;
        d->matched = &m->matched[d->phase][level][l->match.bucket][expected];
        for (int i = 0; i < HASHED; i++) counter[i] = (int32_t)m->counters[d->phase][i][d->slot[i][4 * d->node]];
        counter[SPELLING_DIRECT] = (int32_t)*d->direct;
        counter[SPELLING_MATCHED] = (int32_t)*d->matched;
    }
    memcpy(d->counter, counter, sizeof counter);
}

/* p · 2^16 that digit `place` of the next byte is one (0: does the token go on; 1 ... 8: its bits). known: the byte's
 * bits before that digit, the others 0. zero, one: the base's masses of the two values, in any unit. d->slot is already
 * set. */
INLINE int32_t bitwise_predict(
    bitwise_model *m, bitwise_lane *l, bitwise_digit *d, int place, uint32_t known, uint32_t zero, uint32_t one
) {
    const int level = (place - 1) & 3;
    uint32_t high = 0, expected = 0;
    d->node = 0;
    d->phase = place == 0 ? END_OF_TOKEN : place > 4 ? LOW_NIBBLE : HIGH_NIBBLE;
    if (d->phase != END_OF_TOKEN) {
        const int after = 8 - place; /* bits after this one */
        if (l->match.bucket > 0 && (l->match.expected ^ known) >> (after + 1) != 0) match_miss(&l->match);
        expected = l->match.expected >> after & 1;
        high = d->phase == LOW_NIBBLE ? 1 + (known >> 4) : 0;
        d->node = 1u << level | ((known >> (after + 1)) & ((1u << level) - 1));
    }
    bitwise_counters(m, l, d, high, level, expected);
    d->inputs[0] = (i16x16)counters_inputs(d->counter[0]);
    d->inputs[1] = (i16x16)counters_inputs(d->counter[1]);
    int32_t x = clamp((bitwise_log2(one) - bitwise_log2(zero)) >> 16, -SPELLING_MAX_ODDS, SPELLING_MAX_ODDS);
    int32_t bounded = clamp(2 * x, -ODDS_LIMIT, ODDS_LIMIT), strength = (x < 0 ? -x : x) >> 6;
    d->inputs[1][2 * (SPELLING_TEXT - 8)] = (int16_t)x;
    d->inputs[1][2 * (SPELLING_TEXT - 8) + 1] = (int16_t)((m->squash[bounded + ODDS_CENTRE] >> 6) - 512);
    d->inputs[1][15] = MIXER_ONE;
    const uint32_t phase = (uint32_t)d->phase, last = l->bytes.last & 255;
    const uint32_t tree = phase == END_OF_TOKEN ? SPELLING_HIGHS : high;
    uint32_t letters = 0;
    for (int i = 0; i < 4; i++) letters |= (uint32_t)is_letter(l->bytes.last >> 8 * i & 255) << i;
    d->row[0] = m->weights[phase * MATCH_BUCKETS + (uint32_t)l->match.bucket];
    d->row[1] = m->weights[SPELLING_BY_TEXT + phase * 32 + (uint32_t)(strength < 31 ? strength : 31)];
    d->row[2] = m->weights[SPELLING_BY_LAST + phase * 256 + last];
    d->row[3] = m->weights[SPELLING_BY_NODE + tree * SPELLING_NODES + d->node];
    d->row[4] = m->weights[SPELLING_BY_LETTERS + phase * 16 + letters];
    d->log_odds = mixer_predict(d->inputs, d->row, SPELLING_ROWS, SPELLING_VECTORS);
    uint16_t *of_node = m->correction[last][high * SPELLING_NODES + d->node];
    return clamp(correction_predict(of_node, d->log_odds, m->squash, &d->bin), 4, 65532);
}

INLINE void bitwise_learn(bitwise_model *m, const bitwise_digit *d, int bit) {
    const i32x8 most[2] = {
        (i32x8){0} + SPELLING_MAX_SEEN,
        {SPELLING_MAX_SEEN, SPELLING_MAX_SEEN, SPELLING_MAX_DIRECT, SPELLING_MAX_MATCHED}};
    const int32_t error = (bit << 16) - m->squash[d->log_odds + ODDS_CENTRE];
    mixer_learn(d->inputs, d->row, SPELLING_ROWS, SPELLING_VECTORS, error, m->rate);
    correction_learn(d->bin, bit);
    i32x8 after[2] = {counters_learn(d->counter[0], bit, most[0]), counters_learn(d->counter[1], bit, most[1])};
    if (d->phase == END_OF_TOKEN) {
        for (int i = 0; i < SPELLING_ENDS; i++) *d->end[i] = (uint32_t)after[0][i];
        return;
    }
    for (int i = 0; i < HASHED; i++) {
        uint8_t *at = d->slot[i] + 4 * d->node, state = *at;
        m->counters[d->phase][i][state] = (uint32_t)after[i / 8][i % 8];
        *at = m->histories.next[bit][state];
    }
    *d->direct = (uint32_t)after[1][SPELLING_DIRECT - 8];
    *d->matched = (uint32_t)after[1][SPELLING_MATCHED - 8];
}

/* Weights learn fast at first. */
INLINE void bitwise_set_rate(bitwise_model *m) {
    int32_t age = (int32_t)(m->coded >> 4 < 1 << 24 ? m->coded >> 4 : 1 << 24);
    m->rate = SPELLING_RATE_LAST + SPELLING_RATE_EXTRA * 256 / (256 + age);
}

static void bitwise_model_free(bitwise_model *m) {
    if (m == NULL) return;
    tp_free(m->slots.lines);
    tp_free(m->heads);
    tp_free(m->history);
    tp_free(m->lanes);
    tp_free(m);
}

INLINE int bitwise_log2_of(int64_t n, int low, int high) {
    int bits = 0;
    while (n > 0) n >>= 1, bits++;
    return clamp(bits, low, high);
}

/* For lanes of at most `width` bytes each, some `size` in all. NULL where there is no memory. */
static bitwise_model *bitwise_model_new(int64_t lanes, int64_t width, int64_t size) {
    bitwise_model *m = tp_zeros(sizeof *m);
    if (m == NULL) return NULL;
    m->slots.log2 = bitwise_log2_of(size * HASHED / 2, 8, 20);
    m->slots.lines = tp_zeros((size_t)64 << m->slots.log2);
    const int match_log2 = bitwise_log2_of(2 * size, 8, 22);
    m->heads = tp_zeros(sizeof(uint32_t) << match_log2);
    m->history = tp_zeros((size_t)(lanes * width) + 64); /* zeros: of a match that runs over the end */
    m->lanes = tp_zeros((size_t)lanes * sizeof *m->lanes);
    if (!m->slots.lines || !m->heads || !m->history || !m->lanes) {
        bitwise_model_free(m);
        return NULL;
    }
    squash_fill(m->squash);
    histories_fill(&m->histories);
    correction_fill(m->correction[0][0], 256 * SPELLING_HIGHS * SPELLING_NODES, m->squash);
    for (int set = 0; set < SPELLING_BY_TEXT; set++)
        for (int i = 0; i <= SPELLING_TEXT; i++)
            m->weights[set][i / 8][2 * (i % 8)] = i == SPELLING_TEXT      ? SPELLING_FIRST_TEXT
                                                  : i == SPELLING_MATCHED ? SPELLING_FIRST_MATCHED
                                                                          : SPELLING_FIRST_WEIGHT;
    for (int i = 0; i < HASHED; i++)
        for (int state = 0; state < 256; state++)
            m->counters[0][i][state] = m->counters[1][i][state] = m->histories.first_p[state] << 10;
    for (int byte = 0; byte < 256; byte++)
        for (int i = 0; i < SPELLING_HIGHS * SPELLING_NODES; i++) m->direct[byte][i] = COUNTER_HALF;
    for (int i = 0; i < SPELLING_ENDS; i++)
        for (int at = 0; at < 1 << SPELLING_END_LOG2; at++) m->ends[i][at] = COUNTER_HALF;
    for (int i = 0; i < 2 * 4 * MATCH_BUCKETS; i++) {
        uint32_t *pair = m->matched[i / 4 / MATCH_BUCKETS][i / MATCH_BUCKETS % 4][i % MATCH_BUCKETS];
        pair[0] = pair[1] = COUNTER_HALF;
        if (i % MATCH_BUCKETS > 0) pair[0] = 1u << 30 | 8, pair[1] = 3u << 30 | 8; /* 3/4 that the expected bit comes */
    }
    for (int64_t lane = 0; lane < lanes; lane++) {
        bitwise_lane *l = m->lanes + lane;
        l->here = lane * width;
        l->match.heads = m->heads;
        l->match.log2 = match_log2;
        bitwise_hash(m, l, lane);
    }
    return m;
}

#endif

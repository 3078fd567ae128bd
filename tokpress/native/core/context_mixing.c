/* Context mixing of bytes, without training: every table starts empty and learns from the bytes already coded.
 *
 * A byte is two nibbles of four bits each, the highest bit first. Each bit is predicted in four stages:
 *
 *     contexts    a hash of each context finds its bit history (slots.h, histories.h); a few index a counter directly
 *     counters    one for each pair (context, history): the learned p of a one (counters.h)
 *     mixer       sums the counters' log-odds, with weights from three rows (mixer.h)
 *     correction  averages the mixer's p with how often a one followed such a p (correction.h)
 *
 * Then every stage learns the bit. Encoding, decoding, scoring and sampling share one loop; only the source of the bit
 * differs. priors/context_mixing/ is the twin. */
#include "byte_contexts.h"
#include "correction.h"
#include "costs.h"
#include "counters.h"
#include "histories.h"
#include "match.h"
#include "mixer.h"
#include "pixel_contexts.h"
#include "range_coder.h"
#include "records.h"
#include "saved.h"

/* The counters, side by side: one for each hashed context, then those without histories and the match's; two vectors
 * of 8. */
#define ADAPTIVE_DIRECT_0 HASHED
#define ADAPTIVE_DIRECT_1 (HASHED + 1)
#define ADAPTIVE_MATCHED (HASHED + 2)
#define ADAPTIVE_DIRECT_2 (HASHED + 3)
#define ADAPTIVE_ROWS 3
#define ADAPTIVE_VECTORS 2
#define ADAPTIVE_NODES 16        /* of a nibble's binary tree: the root is 1, the child of a node 2 · node + bit */
#define ADAPTIVE_HIGHS 17        /* trees: 1 of the high nibble, 16 of the low one, by the high one */
#define ADAPTIVE_FIRST_WEIGHT 2000  /* 2^-14; of each context */
#define ADAPTIVE_FIRST_MATCHED 4915
#define ADAPTIVE_RATE_LAST 48 /* of the mixer: LAST + EXTRA · 256 / (256 + bytes / 16) */
#define ADAPTIVE_RATE_EXTRA 220
#define ADAPTIVE_MAX_SEEN 1023 /* counters_learn: of histories; of the last bytes, which change faster; of matches */
#define ADAPTIVE_MAX_DIRECT 30
#define ADAPTIVE_MAX_MATCHED 255

typedef enum { ADAPTIVE_ENCODE, ADAPTIVE_DECODE, ADAPTIVE_SCORE, ADAPTIVE_SAMPLE, ADAPTIVE_LEARN } cm_mode;

typedef struct {
    /* [row][match bucket and phase, last byte and phase, or byte beside and phase][node] */
    i16x16 weights[ADAPTIVE_ROWS][2 * 256][ADAPTIVE_NODES][ADAPTIVE_VECTORS];
    uint32_t counters[2][HASHED][256];             /* [phase]: p of a bit after a history */
    uint32_t direct_0[8][ADAPTIVE_HIGHS * ADAPTIVE_NODES];           /* [channel] */
    uint32_t direct_1[256][ADAPTIVE_HIGHS * ADAPTIVE_NODES];         /* [last byte] */
    uint32_t direct_2[256][ADAPTIVE_HIGHS * ADAPTIVE_NODES];         /* [byte before, or above] */
    uint32_t matched[2][4][MATCH_BUCKETS][2];      /* [phase][level], [1]: where a one is expected */
    uint16_t correction[MATCH_BUCKETS / 4 * ADAPTIVE_HIGHS][ADAPTIVE_NODES][CORRECTION_BINS];
    byte_state bytes;
    uint32_t line[HASHED], check[HASHED];
    int64_t n, position;
    int64_t record; /* length of the records, 0 for none */
    int32_t channel, west, beside; /* select direct_0, direct_1, direct_2; `beside` also the third row of weights */
    /* up to here, what coding changes: no pointers (saved.h) */
    uint16_t squash[2 * ODDS_CENTRE];
    history_table histories;
    slot_table slots;
    match_model match;
    pixel_geometry pixels;
    uint32_t *cost; /* [65536]: -log2(p / 2^16), made by the first score */
    saved_state *saved; /* NULL where none was saved */
    range_encoder encoder;
    range_decoder decoder;
} cm_model;

/* Where a bit comes from, or goes to. */
typedef struct {
    const uint32_t *uniforms; /* of a sample: one for each bit */
    int64_t sharpness;        /* of a sample: 2^16 / temperature */
    int64_t bits;             /* of a score: so far, in its units */
} cm_source;

/* Hash the contexts of the next byte two bits before the newest byte is complete (its last two bits count as 01), and
 * prefetch their slots: the cache miss then overlaps with two bits of coding. */
static void cm_ask(cm_model *a, const uint8_t *history, uint32_t newest) {
    uint64_t hash[HASHED];
    int64_t at = a->position + 1;
    int64_t k = pixel_channel(&a->pixels, at);
    pixel_surroundings s = {history, at, newest};
    if (k >= 0)
        pixel_contexts(&s, &a->pixels, k, hash);
    else
        byte_contexts(&a->bytes, history, a->record, newest, at, hash);
    for (int i = 0; i < HASHED; i++) slots_place(&a->slots, hash[i], &a->line[i], &a->check[i]);
    match_ask(&a->match, a->bytes.last << 8 | newest);
}

/* Update the state after a complete byte; the check bytes take in its last two bits, which cm_ask lacked. */
INLINE void cm_next(cm_model *a, const uint8_t *history, uint32_t byte) {
    byte_add(&a->bytes, byte);
    int64_t at = ++a->position;
    int64_t k = pixel_channel(&a->pixels, at);
    a->channel = (int32_t)(k & 7);
    a->west = (int32_t)byte;
    a->beside = (int32_t)(a->bytes.last >> 8 & 255);
    if (k >= 0) {
        a->west = at >= a->pixels.pixel ? history[at - a->pixels.pixel] : 0;
        a->beside = at >= a->pixels.row ? history[at - a->pixels.row] : 0;
    } else {
        a->channel = 0;
        if (at % RECORD_EVERY == 0) a->record = record_find(history, at, a->record);
        if (a->record > 0) a->beside = history[at - a->record];
    }
    if (at < a->n) match_follow(&a->match, history, at);
    for (int i = 0; i < HASHED; i++) a->check[i] ^= (byte & 3) * 0x55;
}

static int64_t context_mixing_start_scoring(cm_model *a) {
    if (a->cost != NULL) return 0;
    a->cost = malloc(65536 * sizeof *a->cost);
    if (a->cost == NULL) return TP_MEMORY;
    costs_fill(a->cost);
    return 0;
}

/* p · 2^16 at another temperature. */
INLINE int32_t cm_sharpen(const cm_model *a, int32_t p, int64_t sharpness) {
    if (sharpness == 65536) return p;
    int64_t x = 2 * (int64_t)stretch((i32x8){0} + (p << 6))[0] * sharpness >> 16;
    return a->squash[(x < -ODDS_LIMIT ? -ODDS_LIMIT : x > ODDS_LIMIT ? ODDS_LIMIT : x) + ODDS_CENTRE];
}

INLINE int cm_bit(cm_model *a, const cm_mode mode, uint32_t known, int32_t p, cm_source *io) {
    int bit = (int)known;
    if (mode == ADAPTIVE_ENCODE) {
        range_push_bit(&a->encoder, bit, (uint32_t)p << 8);
    } else if (mode == ADAPTIVE_DECODE) {
        bit = range_pop_bit(&a->decoder, (uint32_t)p << 8);
    } else if (mode == ADAPTIVE_SCORE) {
        io->bits += a->cost[bit ? p : 65536 - p];
    } else if (mode == ADAPTIVE_SAMPLE) {
        bit = *io->uniforms++ >> 16 < (uint32_t)cm_sharpen(a, p, io->sharpness);
    }
    return bit;
}

/* Code one nibble and return it. known: the byte; of a decoder, the high nibble · 16, or 0 before it. */
INLINE uint32_t cm_nibble(cm_model *a, const cm_mode mode, const int phase, uint32_t known,
                                const uint8_t *history, int32_t rate, cm_source *io) {
    uint8_t *slot[HASHED];
    for (int i = 0; i < HASHED; i++) slot[i] = slots_find(&a->slots, a->line[i], a->check[i]);
    uint32_t high = phase ? 1 + (known >> 4) : 0;
    int32_t bucket = a->match.bucket;
    i16x16(*rows[ADAPTIVE_ROWS])[ADAPTIVE_VECTORS] = {a->weights[0][bucket * 2 + phase],
                                                      a->weights[1][phase * 256 + (a->bytes.last & 255)],
                                                      a->weights[2][phase * 256 + a->beside]};
    uint16_t(*correction)[CORRECTION_BINS] = a->correction[(uint32_t)bucket / 4 * ADAPTIVE_HIGHS + high];
    uint32_t *direct_0 = a->direct_0[a->channel] + high * ADAPTIVE_NODES;
    uint32_t *direct_1 = a->direct_1[a->west] + high * ADAPTIVE_NODES;
    uint32_t *direct_2 = a->direct_2[a->beside] + high * ADAPTIVE_NODES;
    uint32_t(*counters)[256] = a->counters[phase];
    const i32x8 most[2] = {(i32x8){0} + ADAPTIVE_MAX_SEEN,
                           {ADAPTIVE_MAX_SEEN, ADAPTIVE_MAX_SEEN, ADAPTIVE_MAX_DIRECT, ADAPTIVE_MAX_DIRECT,
                            ADAPTIVE_MAX_MATCHED, ADAPTIVE_MAX_DIRECT}};
    uint32_t node = 1;
    for (int level = 0; level < 4; level++) {
        /* predict */
        int shift = 7 - 4 * phase - level;
        uint32_t guess = a->match.expected >> shift & 1;
        uint32_t *matched = &a->matched[phase][level][bucket][guess];
#define COUNTER(i) (int32_t)counters[i][slot[i][4 * node]]
        i32x8 counter[2] = {
            {COUNTER(0), COUNTER(1), COUNTER(2), COUNTER(3), COUNTER(4), COUNTER(5), COUNTER(6), COUNTER(7)},
            {COUNTER(8), COUNTER(9), (int32_t)direct_0[node], (int32_t)direct_1[node], (int32_t)*matched,
             (int32_t)direct_2[node],
             (int32_t)COUNTER_HALF, (int32_t)COUNTER_HALF}};
#undef COUNTER
        i16x16 inputs[ADAPTIVE_VECTORS] = {(i16x16)counters_inputs(counter[0]),
                                  (i16x16)(counters_inputs(counter[1]) | (i32x8){0, 0, 0, 0, 0, 0, 0, MIXER_ONE})};
        i16x16 *row[ADAPTIVE_ROWS] = {rows[0][node], rows[1][node], rows[2][node]};
        int32_t x = mixer_predict(inputs, row, ADAPTIVE_ROWS, ADAPTIVE_VECTORS);
        uint16_t *bin;
        int32_t p = clamp(correction_predict(correction[node], x, a->squash, &bin), 4, 65532);
        int bit = cm_bit(a, mode, known >> shift & 1, p, io);
        uint32_t now = node;
        node = 2 * node + (uint32_t)bit;
        if (phase == 0 && level == 1)
            for (int i = 0; i < HASHED; i++) slots_step(&a->slots, (node & 3) | (a->bytes.last & 3) << 2, &a->line[i]);
        if (phase == 1 && level == 1) cm_ask(a, history, (known & 0xF0) | (node & 3) << 2 | 1);
        if (phase == 1 && level == 2) match_look(&a->match, history, (node & 1) << 1);
        /* learn */
        mixer_learn(inputs, row, ADAPTIVE_ROWS, ADAPTIVE_VECTORS, (bit << 16) - a->squash[x + ODDS_CENTRE], rate);
        correction_learn(bin, bit);
        const uint8_t *next = a->histories.next[bit];
        i32x8 after[2] = {counters_learn(counter[0], bit, most[0]), counters_learn(counter[1], bit, most[1])};
        for (int i = 0; i < HASHED; i++) {
            uint8_t *at = slot[i] + 4 * now, state = *at;
            counters[i][state] = (uint32_t)after[i / 8][i % 8];
            *at = next[state];
        }
        direct_0[now] = (uint32_t)after[1][2];
        direct_1[now] = (uint32_t)after[1][3];
        *matched = (uint32_t)after[1][4];
        direct_2[now] = (uint32_t)after[1][5];
        if (bucket > 0 && guess != (uint32_t)bit) {
            match_miss(&a->match);
            bucket = 0;
        }
    }
    if (phase == 0)
        for (int i = 0; i < HASHED; i++) a->check[i] = (a->check[i] + 11 * (node & 15) + 1) & 255;
    return node & 15;
}

/* Code `count` bytes. Encoding and scoring read them from `history`; decoding and sampling write them to `out` ==
 * `history`. */
INLINE int64_t cm_code(cm_model *a, const cm_mode mode, const uint8_t *history, uint8_t *out,
                             int32_t *costs, int64_t count, cm_source *io) {
    if (count < 0 || count > a->n - a->position) return TP_ARGUMENT;
    if (mode == ADAPTIVE_ENCODE && range_reserve(&a->encoder, (size_t)count * 8) < 0) return TP_MEMORY;
    for (int64_t end = a->position + count; a->position < end;) {
        int64_t at = a->position;
        int32_t age = (int32_t)(at >> 4 < 1 << 24 ? at >> 4 : 1 << 24);
        int32_t rate = ADAPTIVE_RATE_LAST + ADAPTIVE_RATE_EXTRA * 256 / (256 + age);
        const bool given = mode != ADAPTIVE_DECODE && mode != ADAPTIVE_SAMPLE;
        uint32_t byte = given ? history[at] : 0;
        uint32_t high = cm_nibble(a, mode, 0, byte, history, rate, io);
        byte = given ? byte : high << 4;
        uint32_t low = cm_nibble(a, mode, 1, byte, history, rate, io);
        if (!given) out[at] = (uint8_t)(high << 4 | low);
        if (mode == ADAPTIVE_SCORE) {
            costs[at] = (int32_t)io->bits;
            io->bits = 0;
        }
        if (mode == ADAPTIVE_DECODE && range_is_over(&a->decoder)) return TP_DAMAGED;
        cm_next(a, history, high << 4 | low);
    }
    return count;
}

EXPORT void API(context_mixing_free)(cm_model *a) {
    if (a == NULL) return;
    tp_free(a->slots.lines);
    tp_free(a->match.heads);
    saved_free(a->saved);
    free(a->cost);
    range_free(&a->encoder);
    tp_free(a);
}

static pixel_geometry pixels_given(const int64_t *pixels) {
    if (pixels == NULL) return (pixel_geometry){0};
    return (pixel_geometry){pixels[0], pixels[1], pixels[2], pixels[3], pixels[4]};
}

/* Whether the arguments of context_mixing_new make sense. */
EXPORT int64_t API(context_mixing_accepts)(int64_t n, const int64_t *pixels) {
    pixel_geometry g = pixels_given(pixels);
    return n >= 0 && n <= INT32_MAX && pixel_geometry_is_sound(&g) ? 0 : TP_ARGUMENT;
}

/* A model that has seen nothing, for n < 2^31 bytes. pixels: NULL, or start, stop, pixel, row, used (pixel_contexts.h).
 * NULL where there is no memory, or context_mixing_accepts says no. */
EXPORT void *API(context_mixing_new)(int64_t n, const int64_t *pixels) {
    if (API(context_mixing_accepts)(n, pixels) < 0) return NULL;
    cm_model *a = tp_zeros(sizeof *a);
    if (a == NULL) return NULL;
    a->n = n;
    a->pixels = pixels_given(pixels);
    a->slots.log2 = clamp(bit_length(2 * n * HASHED) - 2, 8, 20);
    a->slots.lines = tp_zeros((size_t)64 << a->slots.log2);
    a->match.log2 = clamp(bit_length(2 * n), 8, 22);
    a->match.heads = tp_zeros(sizeof(uint32_t) << a->match.log2);
    if (a->slots.lines == NULL || a->match.heads == NULL) {
        API(context_mixing_free)(a);
        return NULL;
    }
    range_start_encoder(&a->encoder);
    squash_fill(a->squash);
    histories_fill(&a->histories);
    correction_fill(a->correction[0][0], MATCH_BUCKETS / 4 * ADAPTIVE_HIGHS * ADAPTIVE_NODES, a->squash);
    for (int choice = 0; choice < 2 * 256; choice++)
        for (int node = 0; node < ADAPTIVE_NODES; node++)
            for (int i = 0; i <= ADAPTIVE_DIRECT_2; i++)
                a->weights[0][choice][node][i / 8][2 * (i % 8)] =
                    i == ADAPTIVE_MATCHED ? ADAPTIVE_FIRST_MATCHED : ADAPTIVE_FIRST_WEIGHT;
    for (int i = 0; i < HASHED; i++)
        for (int state = 0; state < 256; state++)
            a->counters[0][i][state] = a->counters[1][i][state] = a->histories.first_p[state] << 10;
    for (int i = 0; i < ADAPTIVE_HIGHS * ADAPTIVE_NODES; i++) {
        for (int channel = 0; channel < 8; channel++) a->direct_0[channel][i] = COUNTER_HALF;
        for (int byte = 0; byte < 256; byte++) a->direct_1[byte][i] = a->direct_2[byte][i] = COUNTER_HALF;
    }
    for (int i = 0; i < 2 * 4 * MATCH_BUCKETS; i++) {
        uint32_t *pair = a->matched[i / 4 / MATCH_BUCKETS][i / MATCH_BUCKETS % 4][i % MATCH_BUCKETS];
        pair[0] = pair[1] = COUNTER_HALF;
        if (i % MATCH_BUCKETS > 0) pair[0] = 1u << 30 | 8, pair[1] = 3u << 30 | 8; /* 3/4 that the expected bit comes */
    }
    a->position = -1;
    cm_ask(a, NULL, 1);
    a->position = 0;
    return a;
}

/* Encode the next `count` bytes of source [n]; then context_mixing_finish. */
EXPORT int64_t API(context_mixing_encode)(cm_model *a, const uint8_t *source, int64_t count) {
    return cm_code(a, ADAPTIVE_ENCODE, source, NULL, NULL, count, NULL);
}

/* End the coding and copy the payload. Returns its size; TP_FULL where `room` is too small: call again with more. */
EXPORT int64_t API(context_mixing_finish)(cm_model *a, uint8_t *payload, int64_t room) {
    if (a->n >= 0) { /* once */
        if (range_reserve(&a->encoder, 0) < 0) return TP_MEMORY;
        a->position = (int64_t)range_finish(&a->encoder);
        a->n = -1;
    }
    if (a->position > room) return TP_FULL;
    if (a->position > 0) memcpy(payload, a->encoder.words, (size_t)a->position);
    return a->position;
}

/* Begin to decode a payload, which must outlive the decoding. */
EXPORT int64_t API(context_mixing_start_decoder)(cm_model *a, const uint8_t *payload, int64_t size) {
    if (size < 0) return TP_ARGUMENT;
    range_start_decoder(&a->decoder, payload, (size_t)size);
    return 0;
}

/* Decode the next `count` bytes to their places in out [n], where those before still stand. */
EXPORT int64_t API(context_mixing_decode)(cm_model *a, uint8_t *out, int64_t count) {
    if (a->decoder.range == 0) return TP_ARGUMENT;
    return cm_code(a, ADAPTIVE_DECODE, out, out, NULL, count, NULL);
}

/* Units of 2^-20 bits of the next `count` bytes of source [n], to their places in costs [n]. */
EXPORT int64_t API(context_mixing_score)(cm_model *a, const uint8_t *source, int32_t *costs, int64_t count) {
    if (context_mixing_start_scoring(a) < 0) return TP_MEMORY;
    cm_source io = {0};
    return cm_code(a, ADAPTIVE_SCORE, source, NULL, costs, count, &io);
}

/* Read the next `count` bytes of source [n], which both sides know. */
EXPORT int64_t API(context_mixing_learn)(cm_model *a, const uint8_t *source, int64_t count) {
    return cm_code(a, ADAPTIVE_LEARN, source, NULL, NULL, count, NULL);
}

/* The blocks that coding changes. */
static saved_state *cm_blocks(cm_model *a) {
    saved_state *s = saved_new();
    if (s == NULL) return NULL;
    saved_add(s, a, offsetof(cm_model, squash));
    saved_add(s, &a->match.head, sizeof a->match - offsetof(match_model, head));
    saved_add(s, a->match.heads, sizeof(uint32_t) << a->match.log2);
    saved_table(s, a->slots.lines, (size_t)1 << a->slots.log2, 64, &a->slots.changed);
    return s;
}

/* Remember this state, before anything is coded. 0, TP_ARGUMENT or TP_MEMORY. */
EXPORT int64_t API(context_mixing_save)(cm_model *a) {
    if (a->saved || a->encoder.used || a->n < 0) return TP_ARGUMENT;
    a->saved = cm_blocks(a);
    if (a->saved && saved_copy(a->saved)) return 0;
    saved_free(a->saved);
    a->saved = NULL;
    return TP_MEMORY;
}

/* Go back to the state that was saved, as often as it is wanted. */
EXPORT int64_t API(context_mixing_restore)(cm_model *a) {
    if (a->saved == NULL) return TP_ARGUMENT;
    range_free(&a->encoder);
    range_start_encoder(&a->encoder);
    a->decoder = (range_decoder){0};
    saved_restore(a->saved);
    return 0;
}

/* Write the state to out [room], before anything is coded (saved.h). fresh: a model made alike that has coded nothing. Returns the size,
 * TP_ARGUMENT or TP_MEMORY. */
EXPORT int64_t API(context_mixing_write_state)(cm_model *a, cm_model *fresh, uint8_t *out, int64_t room) {
    if (a->encoder.used || a->n < 0 || fresh->position != 0) return TP_ARGUMENT;
    saved_state *blocks = cm_blocks(a), *first = cm_blocks(fresh);
    const int64_t result = blocks && first ? saved_write(blocks, first, out, room) : TP_MEMORY;
    saved_free(blocks);
    saved_free(first);
    return result;
}

/* Take up a state that a model made alike has written. Nothing has been coded. 0, TP_ARGUMENT or TP_MEMORY. */
EXPORT int64_t API(context_mixing_read_state)(cm_model *a, const uint8_t *from, int64_t size) {
    if (a->saved || a->position != 0 || a->n < 0) return TP_ARGUMENT;
    saved_state *blocks = cm_blocks(a);
    const int64_t result = blocks ? saved_read(blocks, from, size) : TP_MEMORY;
    saved_free(blocks);
    return result;
}

/* Draw the next `count` bytes to their places in out [n], from 8 · count random words; sharpness: 2^16 / temperature.
 * */
EXPORT int64_t API(context_mixing_sample)(cm_model *a, uint8_t *out, int64_t count, const uint32_t *uniforms,
                                    int64_t sharpness) {
    if (sharpness < 0 || sharpness > (int64_t)1 << 32) return TP_ARGUMENT;
    cm_source io = {.uniforms = uniforms, .sharpness = sharpness};
    return cm_code(a, ADAPTIVE_SAMPLE, out, out, NULL, count, &io);
}

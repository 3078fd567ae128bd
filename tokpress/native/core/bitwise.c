/* Frames of tokens coded bit by bit: the text models of text.c predict a token, the model of bitwise_model.h codes it
 * digit by digit on its way through the tree of bitwise_tree.h.
 *
 * A step's lanes are coded one after the other, since they share what is learned. An encoder knows the tokens, so it
 * codes a step while the other threads begin the next one. The handle borrows that of a text model and its coder:
 * text_finish, text_room and text_start are those of text.c. priors/text/bitwise.py is the twin. */
#include "costs.h"
#include "bitwise_model.h"
#include "bitwise_tree.h"
#include "text_step.h"

#define MAX_HISTORY ((int64_t)1 << 31)
#define MAX_SHARPNESS ((int64_t)1 << 32)

typedef enum { BITWISE_ENCODE, BITWISE_SCORE, BITWISE_DECODE } bitwise_mode;

typedef struct {
    text *text;
    bitwise_tree tree;
    bitwise_model *model;
    bitwise_mode mode;
    int64_t waiting, waiting_step; /* lanes of a step that waits to be coded */
    int32_t *ranks; /* [lanes]: of its tokens */
    int32_t *by_rank; /* [V, padded]: symbols */
    int64_t sharpness; /* 2^16 / temperature, when decoding */
    uint32_t *cost; /* [65536], made by the first score */
    int64_t *costs; /* [N]: where scores go */
    int64_t result;
} bitwise;

/* The sum of 2^30 p of all tokens below a rank. */
INLINE uint32_t mass_below(const uint32_t *masses, const uint32_t *sums, int64_t rank) {
    static const int32_t taken[2 * MASSES_TOGETHER] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const int64_t first = rank / MASSES_TOGETHER * MASSES_TOGETHER;
    const int32_t *mask = taken + MASSES_TOGETHER - (rank - first);
    uint32_t total = sums[rank / MASSES_TOGETHER];
    for (int i = 0; i < MASSES_TOGETHER; i++) total += masses[first + i] & (uint32_t)mask[i];
    return total;
}
/* Where a model's numbers are no probabilities, sums have wrapped. */
INLINE uint32_t mass_between(uint32_t low, uint32_t high) {
    uint32_t mass = (high - low) & 0x7FFFFFFF;
    return mass + (mass == 0);
}

/* The upper edge of a zero, of the row (1 - p, p) in rows_coder.h's rule. */
INLINE uint32_t edge_of_zero(int32_t p) { return (uint32_t)((float)(65536 - p) * 0x1p-16f * (float)(WHOLE - 2)) + 1; }

INLINE int bitwise_bit(bitwise *s, const bitwise_mode mode, int known, int32_t p, int64_t *cost) {
    if (mode == BITWISE_ENCODE) {
        range_push_bit(&s->text->encoder, !known, edge_of_zero(p));
        return known;
    }
    if (mode == BITWISE_SCORE) {
        *cost += s->cost[known ? p : 65536 - p];
        return known;
    }
    if (s->sharpness != 65536) {
        int64_t x = 2 * (int64_t)stretch((i32x8){0} + (p << 6))[0] * s->sharpness >> 16;
        p = s->model->squash[(x < -ODDS_LIMIT ? -ODDS_LIMIT : x > ODDS_LIMIT ? ODDS_LIMIT : x) + ODDS_CENTRE];
    }
    return !range_pop_bit(&s->text->decoder, edge_of_zero(p));
}

/* One token: its rank, which is `wanted` unless it is decoded. */
INLINE int64_t code_token(bitwise *s, const bitwise_mode mode, int64_t lane, int64_t wanted, int64_t *cost) {
    const bitwise_tree *tree = &s->tree;
    bitwise_model *m = s->model;
    bitwise_lane *l = m->lanes + lane;
    const uint32_t *masses = s->text->masses + lane * s->text->mass_room;
    const uint32_t *sums = s->text->mass_sums + lane * (s->text->mass_room / MASSES_TOGETHER + 1);
    int64_t low = 0, pushed = 0;
    uint32_t below = 0, above = mass_below(masses, sums, tree->symbols);
    int found = -1; /* the nibble whose histories `slot` are */
    uint8_t *slot[HASHED];
    bitwise_digit d = {.slot = slot};
    for (uint32_t split = tree->root; split;) {
        const bitwise_split *at = tree->splits + split;
        const int64_t byte = at->place / SPELLING_DIGITS;
        const int place = at->place % SPELLING_DIGITS;
        const uint8_t *bytes = tree->bytes + tree->start[low];
        for (; pushed < byte; pushed++, found = -1) bitwise_byte(m, l, bytes[pushed]);
        if (!l->hashed) bitwise_hash(m, l, lane);
        const uint32_t known = place > 1 ? bytes[byte] & (0xFF00u >> (place - 1)) & 0xFF : 0;
        if (place > 0 && found != (place > 4)) {
            found = place > 4;
            bitwise_find(m, l, found ? (int32_t)(known >> 4) : -1, slot);
        }
        const uint32_t middle = mass_below(masses, sums, split);
        int32_t p = bitwise_predict(m, l, &d, place, known, mass_between(below, middle), mass_between(middle, above));
        int bit = bitwise_bit(s, mode, wanted >= (int64_t)split, p, cost);
        bitwise_learn(m, &d, bit);
        if (bit) {
            low = split;
            below = middle;
            split = at->above;
        } else {
            above = middle;
            split = at->below;
        }
    }
    const uint8_t *bytes = tree->bytes + tree->start[low];
    for (int64_t size = bitwise_size(tree, low); pushed < size; pushed++) bitwise_byte(m, l, bytes[pushed]);
    bitwise_hash(m, l, lane); /* early: memory is asked for what the next token needs */
    return low;
}

/* The step that waits. */
static void code_waiting(void *of) {
    bitwise *s = of;
    text *t = s->text;
    const int64_t rows = s->waiting;
    s->waiting = 0;
    if (rows == 0 || s->result < 0) return;
    bitwise_set_rate(s->model);
    if (s->mode == BITWISE_ENCODE && range_reserve(&t->encoder, (size_t)(rows * s->tree.longest * SPELLING_DIGITS)) < 0) {
        s->result = TP_MEMORY;
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        if (s->mode == BITWISE_ENCODE) {
            code_token(s, BITWISE_ENCODE, i, s->ranks[i], NULL);
        } else if (s->mode == BITWISE_SCORE) {
            int64_t *cost = s->costs + i * t->steps + s->waiting_step;
            *cost = 0;
            code_token(s, BITWISE_SCORE, i, s->ranks[i], cost);
        } else {
            s->ranks[i] = (int32_t)code_token(s, BITWISE_DECODE, i, 0, NULL);
            if (range_is_over(&t->decoder)) {
                s->result = TP_DAMAGED;
                return;
            }
        }
    }
}

EXPORT void API(bitwise_free)(void *handle) {
    bitwise *s = handle;
    if (s == NULL) return;
    bitwise_tree_free(&s->tree);
    bitwise_model_free(s->model);
    tp_free(s->ranks);
    tp_free(s->by_rank);
    free(s->cost);
    free(s);
}

/* Spell the tokens of a text handle, which is fresh, codes symbols and not classes, and is freed after this one. symbol
 * [V]: of each rank; sizes [V] in bytes and all bytes, by rank. The handle in *made; 0, TP_MEMORY or TP_ARGUMENT. */
EXPORT int64_t API(bitwise_new)(
    void *of_text, const int32_t *symbol, const int32_t *sizes, const uint8_t *bytes, int64_t byte_count, void **made
) {
    text *t = of_text;
    *made = NULL;
    if (t->members || t->step || t->code_bits) return TP_ARGUMENT;
    bitwise *s = calloc(1, sizeof *s);
    if (s == NULL) return TP_MEMORY;
    s->text = t;
    int64_t result = bitwise_tree_start(&s->tree, t->symbols, symbol, sizes, bytes, byte_count);
    const int64_t width = t->steps < MAX_HISTORY ? t->steps * s->tree.longest : MAX_HISTORY;
    if (result == 0 && t->lanes * width >= MAX_HISTORY) result = TP_ARGUMENT;
    if (result == 0) {
        t->mass_room = padded(t->symbols);
        t->masses = text_zeros(t, t->lanes * t->mass_room + MASSES_TOGETHER, 4); /* mass_below reads all of a block */
        t->mass_sums = text_zeros(t, t->lanes * (t->mass_room / MASSES_TOGETHER + 1), 4);
        s->ranks = tp_zeros((size_t)t->lanes * 4);
        s->by_rank = tp_zeros((size_t)t->mass_room * 4);
        s->model = bitwise_model_new(t->lanes, width, 4 * t->tokens);
        if (!t->masses || !t->mass_sums || !s->ranks || !s->by_rank || !s->model) result = TP_MEMORY;
    }
    if (result < 0) {
        API(bitwise_free)(s);
        return result;
    }
    memcpy(s->by_rank, symbol, (size_t)t->symbols * 4);
    t->symbol_of_rank = s->by_rank;
    t->code_bits = code_waiting;
    t->bitwise = s;
    *made = s;
    return 0;
}

/* The next `steps` steps of tokens [N], which are known. */
static int64_t code_known(bitwise *s, const int32_t *tokens, int64_t steps) {
    text *t = s->text;
    if (steps < 0 || steps > t->steps - t->step) return TP_ARGUMENT;
    for (int64_t i = 0; i < t->lanes; i++)
        for (int64_t at = t->step; at < t->step + steps && i * t->steps + at < t->tokens; at++) {
            int32_t v = tokens[i * t->steps + at];
            if (v < 0 || v >= t->symbols) return TP_ARGUMENT;
        }
    team_begin(t->team);
    for (int64_t stop = t->step + steps; t->step < stop; t->step++) {
        begin_step(t);
        team_run(t->team, TOP, t->panels);
        for (int64_t i = 0; i < t->rows; i++) {
            t->last[i] = tokens[i * t->steps + t->step];
            s->ranks[i] = s->tree.rank[t->last[i]];
        }
        s->waiting = t->rows;
        s->waiting_step = t->step;
    }
    team_end(t->team);
    code_waiting(s);
    return s->result;
}

EXPORT int64_t API(bitwise_encode)(void *handle, const int32_t *tokens, int64_t steps) {
    bitwise *s = handle;
    s->mode = BITWISE_ENCODE;
    return code_known(s, tokens, steps);
}

/* Units of 2^-20 bits of the next steps' tokens [N], to their places in costs [N]. */
EXPORT int64_t API(bitwise_score)(void *handle, const int32_t *tokens, int64_t steps, int64_t *costs) {
    bitwise *s = handle;
    s->mode = BITWISE_SCORE;
    s->costs = costs;
    if (s->cost == NULL) {
        s->cost = malloc(65536 * sizeof *s->cost);
        if (s->cost == NULL) return TP_MEMORY;
        costs_fill(s->cost);
    }
    return code_known(s, tokens, steps);
}

/* The next `steps` steps into tokens [lanes, steps], of lanes that have a token. sharpness: 65536, or 2^16 /
 * temperature when the payload is noise. 0, TP_DAMAGED or TP_ARGUMENT. */
EXPORT int64_t API(bitwise_decode)(void *handle, int32_t *tokens, int64_t steps, int64_t sharpness) {
    bitwise *s = handle;
    text *t = s->text;
    if (steps < 0 || steps > t->steps - t->step || sharpness < 0 || sharpness > MAX_SHARPNESS) return TP_ARGUMENT;
    if (t->decoder.range == 0) return TP_ARGUMENT;
    s->mode = BITWISE_DECODE;
    s->sharpness = sharpness;
    const int64_t first = t->step;
    team_begin(t->team);
    for (int64_t stop = t->step + steps; t->step < stop && s->result == 0; t->step++) {
        begin_step(t);
        team_run(t->team, TOP, t->panels);
        s->waiting = t->rows;
        code_waiting(s);
        for (int64_t i = 0; i < t->rows && s->result == 0; i++) {
            t->last[i] = s->tree.symbol[s->ranks[i]];
            tokens[i * steps + t->step - first] = t->last[i];
        }
    }
    team_end(t->team);
    return s->result;
}

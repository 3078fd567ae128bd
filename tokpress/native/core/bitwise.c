/* Frames of tokens coded bit by bit: the text models of text.c predict a token, the model of bitwise_model.h codes it, decision by
 * decision. Where the base is class-factored, the lanes of a group code their classes, then the members of these; otherwise all
 * decisions at once. Then the memory learns their tokens.
 *
 * Lanes are coded one after the other, since they share what is learned; the network of one lane needs no other lane. So there are two
 * groups of lanes: while one thread codes a group, other threads step the network of the other group, and have its probabilities. The
 * memory learns what a group coded when that group's next step begins. A head that learns needs all lanes, so then there is one group;
 * an encoder, which knows the tokens, still codes a step while the next one begins.
 *
 * The handle borrows that of a text model and its coder: text_finish, text_room and text_start are those of text.c.
 * priors/text/token_paths.py is the twin. */
#include "bitwise_model.h"
#include "costs.h"
#include "text_step.h"

#define MAX_HISTORY ((int64_t)1 << 31)
#define MAX_SHARPNESS ((int64_t)1 << 32)

typedef enum { BITWISE_ENCODE, BITWISE_SCORE, BITWISE_LEARN, BITWISE_DECODE } bitwise_mode;

/* Lanes first ... first + count - 1 at a step. */
typedef struct {
    int64_t first, count, step;
} lane_range;

typedef struct {
    text *text;
    token_table tokens;
    bitwise_model *model;
    bitwise_mode mode;
    int of_class; /* decisions that lead to a class; all of them where there are no classes */
    int64_t groups;
    lane_range waiting, coded; /* lanes that wait to be coded; those that the memory has not learned yet */
    int32_t *places; /* [lanes]: of tokens that wait, where they are known */
    uint32_t *nodes; /* [lanes]: how far its tokens are coded */
    int64_t sharpness; /* 2^16 / temperature, when decoding */
    uint32_t *cost; /* [65536], made by the first score */
    int64_t *costs; /* [N]: where scores go */
    int32_t *out; /* [lanes, out_steps]: where decoded tokens go, from step out_first on */
    int64_t out_steps, out_first;
    int64_t result;
} bitwise;

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
    if (mode == BITWISE_LEARN) return known;
    if (s->sharpness != 65536) {
        int64_t x = 2 * (int64_t)stretch((i32x8){0} + (p << 6))[0] * s->sharpness >> 16;
        p = s->model->squash[(x < -ODDS_LIMIT ? -ODDS_LIMIT : x > ODDS_LIMIT ? ODDS_LIMIT : x) + ODDS_CENTRE];
    }
    return !range_pop_bit(&s->text->decoder, edge_of_zero(p));
}

/* Decisions from ... to - 1 of a lane, below `node`; mass: of what they choose among, `count` classes, members or tokens. Returns the
 * node that is reached. wanted: the place, where it is known. */
INLINE uint32_t code_decisions(
    bitwise *s, const bitwise_mode mode, int64_t lane, uint32_t node, int from, int to, const text_masses *mass, int64_t count,
    int32_t wanted, int64_t *cost
) {
    bitwise_model *m = s->model;
    token_lane *l = m->lanes + lane;
    bitwise_decision d = {0};
    int found = 0; /* decision at which the group begins whose histories d.slot are */
    int64_t low = 0;
    uint32_t below[2] = {0, 0}, above[2] = {masses_below(mass, 0, count), masses_below(mass, 1, count)};
    for (int at = from; at < to; at++) {
        const int64_t split = low + ((int64_t)1 << (to - 1 - at));
        if (split >= count) { /* there is nothing above */
            node = 2 * node;
            continue;
        }
        uint32_t middle[2];
        int32_t odds[2];
        for (int k = 0; k < 2; k++) {
            middle[k] = masses_below(mass, k, split);
            odds[k] = log_odds_of(mass_between(below[k], middle[k]), mass_between(middle[k], above[k]));
        }
        if (at > 0 && found != group_start(at)) {
            found = group_start(at);
            bitwise_find(m, l, node >> (at - found), d.slot);
        }
        bitwise_ask_children(m, node);
        const int32_t p = bitwise_predict(m, l, &d, at, node, odds[0], odds[1]);
        const int bit = bitwise_bit(s, mode, wanted >> (m->decisions - 1 - at) & 1, p, cost);
        bitwise_learn(m, l, &d, bit);
        node = 2 * node + (uint32_t)bit;
        if (at % IN_A_LINE == IN_A_LINE - 2) bitwise_ask(m, l, node);
        if (bit) low = split;
        for (int k = 0; k < 2; k++) *(bit ? below + k : above + k) = middle[k];
    }
    return node;
}

/* Classes, or tokens, of the lanes that wait; then the members of those classes. 0 or TP_DAMAGED. */
INLINE int64_t code_stage(bitwise *s, const bitwise_mode mode, bool members) {
    text *t = s->text;
    const int decisions = s->model->decisions;
    const lane_range of = s->waiting;
    const int64_t stop = of.first + of.count;
    for (int64_t i = of.first; i < stop; i++) {
        int64_t unused = 0, *cost = mode == BITWISE_SCORE ? s->costs + i * t->steps + of.step : &unused;
        const int32_t wanted = mode == BITWISE_DECODE ? 0 : s->places[i];
        if (!members) *cost = 0;
        text_masses mass = masses_of(t, i, members);
        if (i + 1 < stop) {
            if (members)
                bitwise_ask(s->model, s->model->lanes + i + 1, s->nodes[i + 1] >> 2);
            else
                bitwise_ask_root(s->model, s->model->lanes + i + 1);
        }
        s->nodes[i] = members ? code_decisions(s, mode, i, s->nodes[i], s->of_class, decisions, &mass, t->members, wanted, cost)
                              : code_decisions(s, mode, i, 1, 0, s->of_class, &mass, t->top, wanted, cost);
        if (members || !t->members) bitwise_add(s->model, s->model->lanes + i, (int32_t)(s->nodes[i] - (1u << decisions)));
        if (mode == BITWISE_DECODE && range_is_over(&t->decoder)) return TP_DAMAGED;
    }
    return 0;
}

/* The tokens of the lanes that wait, which are not known. */
static int64_t decode_waiting(bitwise *s, int thread) {
    text *t = s->text;
    const lane_range of = s->waiting;
    int64_t result = code_stage(s, BITWISE_DECODE, false);
    if (result == 0 && t->members) {
        for (int64_t i = of.first; i < of.first + of.count; i++) t->of_class[i] = (int32_t)(s->nodes[i] - (1u << s->of_class));
        members_of(t, of.first, of.count, of.step, thread);
        result = code_stage(s, BITWISE_DECODE, true);
    }
    for (int64_t i = of.first; i < of.first + of.count && result == 0; i++) {
        const int32_t place = (int32_t)(s->nodes[i] - (1u << s->model->decisions)), v = s->tokens.symbol[place];
        t->last[i] = t->members ? place : v;
        s->out[i * s->out_steps + of.step - s->out_first] = v;
    }
    return result;
}

static int64_t code_known(bitwise *s, const bitwise_mode mode, int thread) {
    text *t = s->text;
    const lane_range of = s->waiting;
    if (mode == BITWISE_ENCODE && range_reserve(&t->encoder, (size_t)(of.count * s->model->decisions)) < 0) return TP_MEMORY;
    code_stage(s, mode, false);
    if (t->members) {
        if (s->groups > 1) members_of(t, of.first, of.count, of.step, thread);
        code_stage(s, mode, true);
    }
    return 0;
}

/* The memory learns the tokens that were coded last. */
static void learn_coded(bitwise *s) {
    learn_memory(s->text, s->coded.first, s->coded.count, s->coded.step);
    s->coded.count = 0;
}

/* Code the lanes that wait. */
static void code_waiting(bitwise *s, int thread) {
    if (s->waiting.count == 0 || s->result < 0) return;
    bitwise_set_rate(s->model);
    s->result = s->mode == BITWISE_DECODE   ? decode_waiting(s, thread)
                : s->mode == BITWISE_ENCODE ? code_known(s, BITWISE_ENCODE, thread)
                : s->mode == BITWISE_SCORE  ? code_known(s, BITWISE_SCORE, thread)
                                            : code_known(s, BITWISE_LEARN, thread);
    if (s->result == 0) s->coded = s->waiting;
    s->waiting.count = 0;
}

/* While a step begins. With two groups, the memory learns this group's last tokens first, for which probabilities of this step wait. */
static void code_beside(void *of, int thread) {
    bitwise *s = of;
    if (s->groups == 1) {
        code_waiting(s, thread);
        learn_coded(s);
        return;
    }
    if (s->coded.first == s->text->first) learn_coded(s);
    team_mark(s->text->team);
    code_waiting(s, thread);
}

EXPORT void API(bitwise_free)(void *handle) {
    bitwise *s = handle;
    if (s == NULL) return;
    bitwise_model_free(s->model);
    void *parts[] = {s->places, s->nodes, s->tokens.place, s->tokens.start, s->tokens.bytes};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) tp_free(parts[i]);
    free(s->cost);
    free(s);
}

/* Tokens by place: symbol [V] at each place, its size and bytes. 0, TP_MEMORY or TP_ARGUMENT. */
static int64_t take_tokens(
    token_table *t, int64_t symbols, const int32_t *symbol, const int32_t *sizes, const uint8_t *bytes, int64_t byte_count
) {
    if (symbols < 2 || symbols > 1 << MAX_DECISIONS || byte_count < symbols || byte_count > symbols * LONGEST_TOKEN) return TP_ARGUMENT;
    t->symbols = symbols;
    t->place = tp_zeros((size_t)symbols * 8);
    t->start = tp_zeros((size_t)(symbols + 1) * 4);
    t->bytes = tp_zeros((size_t)byte_count);
    if (!t->place || !t->start || !t->bytes) return TP_MEMORY;
    t->symbol = t->place + symbols;
    memcpy(t->bytes, bytes, (size_t)byte_count);
    for (int64_t v = 0; v < symbols; v++) t->place[v] = -1;
    for (int64_t p = 0; p < symbols; p++) {
        if (symbol[p] < 0 || symbol[p] >= symbols || t->place[symbol[p]] >= 0) return TP_ARGUMENT;
        if (sizes[p] < 1 || sizes[p] > LONGEST_TOKEN || sizes[p] > byte_count - t->start[p]) return TP_ARGUMENT;
        t->symbol[p] = symbol[p];
        t->place[symbol[p]] = (int32_t)p;
        t->start[p + 1] = t->start[p] + sizes[p];
    }
    return t->start[symbols] == byte_count ? 0 : TP_ARGUMENT;
}

/* Code the tokens of a text handle, which is fresh, bit by bit; it is freed after this one. symbol [V]: at each place, that of its classes
 * where it has some; sizes [V] in bytes and all bytes, by place. primed: three addresses (primed_mixing), or NULL; weight_count: numbers
 * at the first. The handle in *made; 0, TP_MEMORY or TP_ARGUMENT. */
EXPORT int64_t API(bitwise_new)(
    void *of_text, const int32_t *symbol, const int32_t *sizes, const uint8_t *bytes, int64_t byte_count, const primed_mixing *primed,
    int64_t weight_count, void **made
) {
    text *t = of_text;
    *made = NULL;
    const int decisions = clamp(bit_length(t->symbols - 1), 1, MAX_DECISIONS);
    if (t->step || t->code_bits || t->lanes * t->steps >= MAX_HISTORY) return TP_ARGUMENT;
    if (primed && weight_count != primed_weights(decisions)) return TP_ARGUMENT;
    if (t->members && memcmp(symbol, t->symbol, (size_t)t->symbols * 4) != 0) return TP_ARGUMENT;
    bitwise *s = calloc(1, sizeof *s);
    if (s == NULL) return TP_MEMORY;
    s->text = t;
    s->groups = t->head.learns || t->lanes < 2 ? 1 : 2;
    int64_t result = take_tokens(&s->tokens, t->symbols, symbol, sizes, bytes, byte_count);
    if (result == 0) {
        s->of_class = t->members ? decisions - t->shift : decisions;
        s->places = tp_zeros((size_t)t->lanes * 4);
        s->nodes = tp_zeros((size_t)t->lanes * 4);
        s->model = bitwise_model_new(&s->tokens, decisions, t->lanes, t->steps, primed);
        if (!s->places || !s->nodes || !s->model || !start_masses(t, s->tokens.symbol)) result = TP_MEMORY;
    }
    if (result < 0) {
        API(bitwise_free)(s);
        return result;
    }
    t->code_bits = code_beside;
    t->bitwise = s;
    *made = s;
    return 0;
}

/* The tokens [N] of the lanes of this step, which are known. */
static void take_known(bitwise *s, const int32_t *tokens) {
    text *t = s->text;
    for (int64_t i = t->first; i < t->first + t->rows; i++) {
        const int32_t v = tokens[i * t->steps + t->step];
        s->places[i] = s->tokens.place[v];
        t->last[i] = t->members ? s->places[i] : v;
        if (t->members) t->of_class[i] = s->places[i] / (int32_t)t->members;
    }
}

/* The next `steps` steps; tokens [N]: where they are known, else NULL. */
static int64_t code_steps(bitwise *s, const int32_t *tokens, int64_t steps) {
    text *t = s->text;
    team_begin(t->team);
    for (int64_t stop = t->step + steps; t->step < stop; t->step++)
        for (int64_t group = 0; group < s->groups; group++) {
            if (s->groups > 1) {
                step_group(t, t->lanes * group / s->groups, t->lanes * (group + 1) / s->groups);
            } else {
                if (!tokens) code_waiting(s, 0); /* what comes next depends on it */
                begin_step(t);
            }
            if (s->result < 0) goto end;
            if (tokens) take_known(s, tokens);
            if (s->groups == 1) team_run(t->team, tokens ? TOP_AND_MEMBERS : TOP, t->panels);
            s->waiting = (lane_range){t->first, t->rows, t->step};
        }
    if (s->waiting.count) learn_coded(s); /* before the members of what waits are drawn, as within steps */
    code_waiting(s, 0);
end:
    team_end(t->team);
    return s->result;
}

static int64_t code_tokens(bitwise *s, const int32_t *tokens, int64_t steps) {
    if (steps < 0 || steps > s->text->steps - s->text->step || !are_symbols(s->text, tokens, steps)) return TP_ARGUMENT;
    return code_steps(s, tokens, steps);
}

EXPORT int64_t API(bitwise_encode)(void *handle, const int32_t *tokens, int64_t steps) {
    bitwise *s = handle;
    s->mode = BITWISE_ENCODE;
    return code_tokens(s, tokens, steps);
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
    return code_tokens(s, tokens, steps);
}

/* Read the next steps' tokens [N], which both sides know. */
EXPORT int64_t API(bitwise_learn)(void *handle, const int32_t *tokens, int64_t steps) {
    bitwise *s = handle;
    s->mode = BITWISE_LEARN;
    return code_tokens(s, tokens, steps);
}

static saved_state *blocks_of(bitwise *s) { return bitwise_blocks(s->model, s->text->lanes, s->text->steps); }

/* Whether the blocks hold all of the state. */
static bool is_settled(bitwise *s) {
    if (s->groups == 1) learn_coded(s); /* as the next step would */
    return !s->waiting.count && !s->coded.count && !s->result;
}

/* Remember this state, before anything is coded; then go back to it, as often as it is wanted. */
EXPORT int64_t API(bitwise_save)(void *handle) {
    bitwise *s = handle;
    return is_settled(s) ? save_text(s->text, blocks_of(s)) : TP_ARGUMENT;
}
EXPORT int64_t API(bitwise_restore)(void *handle) {
    bitwise *s = handle;
    s->waiting.count = s->coded.count = 0;
    s->result = 0;
    return restore_text(s->text);
}

/* As text_write_state and text_read_state. */
EXPORT int64_t API(bitwise_write_state)(void *handle, void *fresh, uint8_t *out, int64_t room) {
    bitwise *s = handle, *other = fresh;
    return is_settled(s) ? write_text(s->text, other->text, blocks_of(s), blocks_of(other), out, room) : TP_ARGUMENT;
}
EXPORT int64_t API(bitwise_read_state)(void *handle, const uint8_t *from, int64_t size) {
    bitwise *s = handle;
    return read_text(s->text, blocks_of(s), from, size);
}

/* The next `steps` steps into tokens [lanes, steps], of lanes that have a token. sharpness: 65536, or 2^16 /
 * temperature when the payload is noise. 0, TP_DAMAGED or TP_ARGUMENT. */
EXPORT int64_t API(bitwise_decode)(void *handle, int32_t *tokens, int64_t steps, int64_t sharpness) {
    bitwise *s = handle;
    if (steps < 0 || steps > s->text->steps - s->text->step || sharpness < 0 || sharpness > MAX_SHARPNESS) return TP_ARGUMENT;
    if (s->text->decoder.range == 0) return TP_ARGUMENT;
    s->mode = BITWISE_DECODE;
    s->sharpness = sharpness;
    s->out = tokens;
    s->out_steps = steps;
    s->out_first = s->text->step;
    return code_steps(s, NULL, steps);
}

/* What mixing has learned, for training: weights, counters and matches as they are in bitwise_model.h. */
EXPORT int64_t API(bitwise_mixing)(void *handle, int16_t *weights, uint32_t *counters, uint32_t *matched) {
    const bitwise_model *m = ((bitwise *)handle)->model;
    memcpy(weights, m->weights, (size_t)primed_weights(m->decisions) * 2);
    memcpy(counters, m->counters, sizeof m->counters);
    memcpy(matched, m->matched, sizeof m->matched);
    return 0;
}

/* Begin with what mixing has learned elsewhere. */
EXPORT int64_t API(bitwise_begin)(void *handle, const int16_t *weights, const uint32_t *counters, const uint32_t *matched) {
    bitwise_model *m = ((bitwise *)handle)->model;
    if (((bitwise *)handle)->text->step) return TP_ARGUMENT;
    memcpy(m->weights, weights, (size_t)primed_weights(m->decisions) * 2);
    memcpy(m->counters, counters, sizeof m->counters);
    memcpy(m->matched, matched, sizeof m->matched);
    return 0;
}

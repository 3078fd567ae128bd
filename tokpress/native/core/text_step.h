/* A step of all live lanes, in phases whose tasks threads share (team.h). Lanes are cut into panels:
 *
 *     LEARN     from the last symbols: the memory │ what moves in each head │ code what is known │ features of each panel
 *     MOVE      the heads, in parts
 *     TOP       of each panel: probabilities of classes, or of all symbols, with what the memory counts
 *     MEMBERS   of each panel: probabilities of the members of the classes that were coded
 *
 * An encoder knows the classes, so it takes TOP and MEMBERS together, and codes while the next step learns. */
#ifndef TP_TEXT_STEP_H
#define TP_TEXT_STEP_H

#include "text_state.h"

#define MASSES_TOGETHER 16
#define AHEAD 8 /* lanes whose contexts are asked for meanwhile: since memory_hash they may have left the nearest cache */

enum { LEARN, MOVE, TOP, TOP_AND_MEMBERS, MEMBERS };
/* Tasks before those of panels: the memory; the coder; then each head. */
enum { OF_MEMORY, OF_CODER, OF_HEADS };

INLINE void panel_of(const text *t, int64_t panel, int64_t *start, int64_t *rows) {
    *start = t->rows * panel / t->panels;
    *rows = t->rows * (panel + 1) / t->panels - *start;
}

/* The base's integer weights of a lane: the head's, or of the product of two (priors/compose/product.py). */
INLINE const int32_t *base_weights(const text *t, int64_t lane) {
    return (t->experts == 1 ? t->expert[0].head.weights : t->base) + lane * t->outputs;
}
INLINE float base_divisor(const text *t, int64_t lane) {
    return t->experts == 1 ? t->expert[0].head.divisor[lane] : t->base_divisor[lane];
}

INLINE vf expert_row(const text_head *h, int64_t lane, int64_t v) {
    if (h->gives_all) return vf_load(h->all + lane * padded(h->symbols) + v);
    return vf_of(vi_load(h->weights + lane * h->outputs + v)) / h->divisor[lane];
}

static void multiply_experts(text *t, int64_t lane) {
    const text_head *one = &t->expert[0].head, *other = &t->expert[1].head;
    int32_t *to = t->base + lane * t->outputs;
    int64_t total = 0;
    for (int64_t v = 0; v < t->outputs; v += FLOATS) {
        vf x = expert_row(one, lane, v), y = expert_row(other, lane, v), mean = vf_sqrt(x * y);
        if (t->quarters != 2) mean = vf_sqrt((t->quarters == 1 ? x : y) * mean);
        vi w = vi_max(vf_nearest(mean * WEIGHT_ONE), vi_all(1));
        vi_store(to + v, w);
        total += vi_sum(w);
    }
    for (int64_t v = t->symbols; v < t->outputs; v++) total -= to[v]; /* those only fill the row */
    t->base_divisor[lane] = (float)total;
}

/* A factored expert that gives all has not drawn members of the class that came. */
static void list_expert(text *t, text_expert *m, text_room *room) {
    text_head *h = &m->head;
    const int32_t *places = t->last;
    for (int64_t i = 0; i < t->rows && h->gives_all; i++) {
        m->own[i] = h->place[t->last[i]];
        head_members(h, i, m->own[i] / h->members, t->step - 1, room->acc, room->row);
        places = m->own;
    }
    head_list(h, places, t->rows);
}

/* The memory learns the last symbols, given their probabilities under the base prior (p_0). */
static void learn_memory(text *t) {
    text_memory *m = &t->memory;
    const text_head *h = &t->expert[0].head;
    if (!t->remembers || t->step == 0) return;
        for (int64_t i = 0; i < t->rows; i++) {
        int32_t place = t->last[i];
        int64_t at = t->members ? place / t->members : place;
        bool gives_all = t->experts == 1 && h->gives_all;
        float p = gives_all ? h->all[i * padded(h->symbols) + at] : (float)base_weights(t, i)[at] / base_divisor(t, i);
        if (t->members) p = p * ((float)h->member_weights[i * t->member_room + place % t->members] / h->member_divisor[i]);
        t->of_symbol[i] = p;
    }
    memory_learn(m, t->last, t->of_symbol, t->rows, t->step - 1);
}

static void features_of(text *t, int64_t panel, int thread) {
    int64_t start, rows;
    panel_of(t, panel, &start, &rows);
    if (t->remembers) memory_hash(&t->memory, start, rows, t->step);
    for (int64_t k = t->experts - 1; k >= 0; k--) {
        text_expert *m = t->expert + k;
        const int64_t wide = m->head.wide;
        const int32_t *given = t->given + start;
        network_features(
            &m->network, t->rooms + thread, t->lanes, start, rows, given, m->next_a + start * wide, wide, m->next_r + start
        );
    }
}

/* p of FLOATS outcomes under the base alone. */
INLINE vf base_row(const text *t, int64_t lane, int64_t v) {
    if (t->experts == 1) return expert_row(&t->expert[0].head, lane, v);
    return vf_of(vi_load(base_weights(t, lane) + v)) / base_divisor(t, lane);
}

/* out = base probabilities * the share that the memory leaves to the base, + the memory's counts. */
static void mix_top(text *t, int64_t lane) {
    float *out = t->out + lane * t->outputs, left = 1.0f;
    if (t->remembers) {
        memory_weigh(&t->memory, lane);
        left = t->memory.left[lane];
    }
    for (int64_t v = 0; v < t->outputs; v += FLOATS) vf_store(out + v, base_row(t, lane, v) * left);
    if (t->remembers) memory_add(&t->memory, lane, t->shift, out);
}

static void add_up(const float *out, int64_t stride, int64_t rows, int64_t symbols, float *sums, int64_t marks) {
    for (int64_t i = 0; i < rows; i += TOGETHER)
        row_sums(out + i * stride, stride, rows - i < TOGETHER ? rows - i : TOGETHER, symbols, sums + i * marks);
}

/* Masses: floor(2^30 p) + 1 of the outcomes of a row, in the order in which decisions divide them, and the sums before each
 * MASSES_TOGETHER of them, of two rows: with the memory, and of the base alone. Sums wrap where a row is no distribution. */
typedef struct {
    const uint32_t *masses[2], *sums[2];
} text_masses;

static void weigh(const float *row, const int32_t *order, int64_t room, uint32_t *masses, uint32_t *sums) {
    uint32_t total = 0;
    for (int64_t at = 0; at < room; at += MASSES_TOGETHER) {
        float p[MASSES_TOGETHER];
        if (order)
            for (int i = 0; i < MASSES_TOGETHER; i++) p[i] = row[order[at + i]];
        else
            memcpy(p, row + at, sizeof p);
        vi sum = {0};
        for (int i = 0; i < MASSES_TOGETHER; i += FLOATS) {
            vf bounded = vf_min(vf_max(vf_load(p + i), vf_all(0.0f)), vf_all(1.0f));
            vi mass = vf_truncate(bounded * (float)(1 << 30)) + 1;
            vi_store((int32_t *)masses + at + i, mass);
            sum = (vi)((vu)sum + (vu)mass);
        }
        sums[at / MASSES_TOGETHER] = total;
        for (int i = 0; i < FLOATS; i++) total += (uint32_t)sum[i];
    }
    sums[room / MASSES_TOGETHER] = total;
}

INLINE int64_t sums_of(int64_t room) { return room / MASSES_TOGETHER + 1; }
/* Where the masses of a lane are: of classes or symbols (`members` false), or of the members of its class. with: 0, or 1 of the base
 * alone. */
INLINE uint32_t *masses_at(const text *t, int64_t lane, bool members, int with) {
    return t->masses + (2 * lane + with) * (t->mass_room + t->member_room) + (members ? t->mass_room : 0);
}
INLINE uint32_t *sums_at(const text *t, int64_t lane, bool members, int with) {
    return t->mass_sums + (2 * lane + with) * (sums_of(t->mass_room) + sums_of(t->member_room)) + (members ? sums_of(t->mass_room) : 0);
}
INLINE text_masses masses_of(const text *t, int64_t lane, bool members) {
    text_masses m;
    for (int with = 0; with < 2; with++) {
        const int from = t->remembers ? with : 0;
        m.masses[with] = masses_at(t, lane, members, from);
        m.sums[with] = sums_at(t, lane, members, from);
    }
    return m;
}

/* The sum of the masses of the outcomes before `at`. */
INLINE uint32_t masses_below(const text_masses *m, int with, int64_t at) {
    static const int32_t taken[2 * MASSES_TOGETHER] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const int64_t first = at / MASSES_TOGETHER * MASSES_TOGETHER;
    const uint32_t *masses = m->masses[with];
    const int32_t *mask = taken + MASSES_TOGETHER - (at - first);
    uint32_t total = m->sums[with][at / MASSES_TOGETHER];
    for (int i = 0; i < MASSES_TOGETHER; i++) total += masses[first + i] & (uint32_t)mask[i];
    return total;
}
/* Where a model's numbers are no probabilities, sums have wrapped. */
INLINE uint32_t mass_between(uint32_t low, uint32_t high) {
    uint32_t mass = (high - low) & 0x7FFFFFFF;
    return mass + (mass == 0);
}

/* Room for masses. order [V]: the symbol at each place, where there are no classes. */
static UNUSED bool start_masses(text *t, const int32_t *order) {
    t->mass_room = padded(t->top);
    t->masses = text_zeros(t, 2 * t->lanes * (t->mass_room + t->member_room) + MASSES_TOGETHER, 4); /* all of a block is read */
    t->mass_sums = text_zeros(t, 2 * t->lanes * (sums_of(t->mass_room) + sums_of(t->member_room)), 4);
    t->order = t->members ? NULL : text_zeros(t, t->mass_room, 4);
    if (t->order) memcpy(t->order, order, (size_t)t->symbols * 4);
    return !t->failed;
}

static void weigh_top(text *t, int64_t lane, float *room) {
    weigh(t->out + lane * t->outputs, t->order, t->mass_room, masses_at(t, lane, false, 0), sums_at(t, lane, false, 0));
    if (!t->remembers) return;
    for (int64_t v = 0; v < t->outputs; v += FLOATS) vf_store(room + v, base_row(t, lane, v));
    weigh(room, t->order, t->mass_room, masses_at(t, lane, false, 1), sums_at(t, lane, false, 1));
}

static void top_of(text *t, int64_t panel, int thread) {
    int64_t start, rows;
    panel_of(t, panel, &start, &rows);
    text_room *m = t->rooms + thread;
    for (int64_t i = start; i < start + rows && t->remembers; i++) {
        if (i + AHEAD < start + rows) memory_ask(&t->memory, i + AHEAD);
        memory_look_up(&t->memory, i, t->step);
    }
    for (int64_t k = 0; k < t->experts; k++) head_top(&t->expert[k].head, start, rows, t->step, m->acc, m->row, m->by_place);
    for (int64_t i = start; i < start + rows; i++) {
        if (t->experts > 1) multiply_experts(t, i);
        mix_top(t, i);
    }
    if (t->code_bits) {
        for (int64_t i = start; i < start + rows; i++) weigh_top(t, i, m->by_place);
        return;
    }
    add_up(t->out + start * t->outputs, t->outputs, rows, t->top, t->sums + start * t->top_marks, t->top_marks);
}

static void mix_members(text *t, int64_t lane) {
    const text_head *h = &t->expert[0].head;
    const int32_t *weights = h->member_weights + lane * t->member_room;
    float *out = t->member_out + lane * t->member_room;
    if (!t->remembers) {
        for (int64_t r = 0; r < t->members; r++) out[r] = (float)weights[r] / h->member_divisor[lane];
        return;
    }
    int32_t of_class = t->of_class[lane];
    float share = (float)base_weights(t, lane)[of_class] / base_divisor(t, lane) * t->memory.left[lane];
    for (int64_t r = 0; r < t->member_room; r += FLOATS)
        vf_store(out + r, vf_of(vi_load(weights + r)) / h->member_divisor[lane] * share);
    memory_add_members(&t->memory, lane, of_class, t->shift, out);
    float total = 0;
    for (int64_t r = 0; r < t->members; r++) {
        out[r] = out[r] > TINY_SHARE ? out[r] : TINY_SHARE;
        total = total + out[r];
    }
    for (int64_t r = 0; r < t->member_room; r += FLOATS) vf_store(out + r, vf_load(out + r) / total);
}

static void weigh_members(text *t, int64_t lane, float *room) {
    weigh(t->member_out + lane * t->member_room, NULL, t->member_room, masses_at(t, lane, true, 0), sums_at(t, lane, true, 0));
    if (!t->remembers) return;
    const text_head *h = &t->expert[0].head;
    const int32_t *weights = h->member_weights + lane * t->member_room;
    for (int64_t r = 0; r < t->member_room; r++) room[r] = (float)weights[r] / h->member_divisor[lane];
    weigh(room, NULL, t->member_room, masses_at(t, lane, true, 1), sums_at(t, lane, true, 1));
}

static void members_of(text *t, int64_t panel, int thread) {
    int64_t start, rows;
    panel_of(t, panel, &start, &rows);
    text_head *h = &t->expert[0].head;
    text_room *m = t->rooms + thread;
    for (int64_t i = start; i < start + rows; i++) {
        const int8_t *q = h->member_rows + t->of_class[i] * h->members * h->wide;
        for (int64_t c = 0; c < h->members * h->wide; c += 64) prefetch(q + c);
    }
    for (int64_t i = start; i < start + rows; i++) {
        head_members(h, i, t->of_class[i], t->step, m->acc, m->row);
        mix_members(t, i);
        if (t->code_bits) weigh_members(t, i, m->by_place);
    }
    if (t->code_bits) return;
    add_up(t->member_out + start * t->member_room, t->member_room, rows, t->members, t->member_sums + start * t->member_marks, t->member_marks);
}

/* The intervals, or the costs, of symbols that are known. */
static void find_intervals(text *t, int64_t panel) {
    int64_t start, rows;
    panel_of(t, panel, &start, &rows);
    for (int64_t i = start; i < start + rows; i++) {
        const float *row = t->out + i * t->outputs, *member_row = t->member_out + i * t->member_room;
        int64_t at = t->members ? t->coded[i] / t->members : t->coded[i], member = t->members ? t->coded[i] % t->members : 0;
        if (t->costs) {
            double sum = 0;
            for (int64_t v = 0; v < t->top; v++) sum += (double)row[v];
            t->costs[2 * i] = (double)row[at] / sum;
            sum = 0;
            for (int64_t r = 0; r < t->members; r++) sum += (double)member_row[r];
            t->costs[2 * i + 1] = t->members ? (double)member_row[member] / sum : 1.0;
        }
        t->intervals[2 * i] = row_interval(row, t->top, t->sums + i * t->top_marks, at);
        if (t->members) t->intervals[2 * i + 1] = row_interval(member_row, t->members, t->member_sums + i * t->member_marks, member);
    }
}

/* Push the intervals of a step; range_reserve has made room. */
static void push_intervals(text *t, int64_t rows) {
    for (int part = 0; part < (t->members ? 2 : 1); part++)
        for (int64_t i = 0; i < rows; i++) {
            interval of = t->intervals[2 * i + part];
            if (of.left < of.right)
                range_push(&t->encoder, of.left, of.right);
            else
                t->failed = true; /* a model whose numbers are no probabilities */
        }
}

/* How many parts the moves of a head are cut into. */
INLINE int64_t head_parts(const text *t) { return t->team->used > 1 ? 2 * t->team->used : 1; }

INLINE bool head_learns(const text *t, int64_t expert) { return t->expert[expert].head.learns && t->step > 0; }

static UNUSED void text_work(void *of, int phase, int64_t task, int thread) {
    text *t = of;
    int64_t parts = head_parts(t);
    switch (phase) {
    case LEARN:
        if (task == OF_MEMORY) {
            learn_memory(t);
        } else if (task == OF_CODER) {
            if (t->code_bits)
                t->code_bits(t->bitwise);
            else
                push_intervals(t, t->pushed);
        } else if (task < OF_HEADS + t->experts) {
            if (head_learns(t, task - OF_HEADS)) list_expert(t, t->expert + task - OF_HEADS, t->rooms + thread);
        } else {
            features_of(t, task - OF_HEADS - t->experts, thread);
        }
        break;
    case MOVE:
        if (head_learns(t, task / parts)) {
            text_head *h = &t->expert[task / parts].head;
            head_move(h, task % parts, parts, t->step % h->every == 0, t->rounded[thread]);
        }
        break;
    case TOP:
        top_of(t, task, thread);
        break;
    case MEMBERS:
        members_of(t, task, thread);
        break;
    case TOP_AND_MEMBERS:
        top_of(t, task, thread);
        if (t->members) members_of(t, task, thread);
        if (!t->code_bits) find_intervals(t, task);
        break;
    }
}

/* The first phases of step t->step, whose lanes are t->rows: learn from t->last, and have features of t->given. */
static void step_learn(text *t) {
    const int threads = t->team->used;
    t->panels = (t->rows + PANEL - 1) / PANEL;
    if (threads > 1 && t->rows >= 2 * threads) t->panels = (t->panels + threads - 1) / threads * threads;
    if (t->remembers && t->step > 0) memory_push(&t->memory, t->last, t->rows);
    team_run(t->team, LEARN, OF_HEADS + t->experts + t->panels);
    team_run(t->team, MOVE, head_parts(t) * t->experts);
    memory_swap(&t->memory);
    for (int64_t k = 0; k < t->experts; k++) {
        text_expert *m = t->expert + k;
        text_head *h = &m->head;
        if (h->learns && t->step > 0 && t->step % h->every == 0) h->dirty_count = 0;
        uint8_t *a = h->a;
        float *r = h->r;
        h->a = m->next_a;
        h->r = m->next_r;
        m->next_a = a;
        m->next_r = r;
    }
}

/* Number of lanes that have a token at a step: all, or all but the last. */
INLINE int64_t live(const text *t, int64_t step) { return t->lanes - (step >= t->tokens - (t->lanes - 1) * t->steps); }

/* Whether the next `steps` steps of tokens [N] are symbols. */
static UNUSED bool are_symbols(const text *t, const int32_t *tokens, int64_t steps) {
    for (int64_t i = 0; i < t->lanes; i++)
        for (int64_t s = t->step; s < t->step + steps && i * t->steps + s < t->tokens; s++) {
            int32_t v = tokens[i * t->steps + s];
            if (v < 0 || v >= t->symbols) return false;
        }
    return true;
}

/* Begin step t->step: what came before it is in t->last. */
static void begin_step(text *t) {
    t->rows = live(t, t->step);
    for (int64_t i = 0; i < t->rows; i++)
        t->given[i] = t->step == 0 ? (int32_t)t->begin : t->members ? t->symbol[t->last[i]] : t->last[i];
    step_learn(t);
}

#endif

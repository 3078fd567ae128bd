/* A step of some lanes, in phases whose tasks threads share (team.h). Lanes are cut into panels:
 *
 *     LEARN     code what waits, and the memory learns it │ what moves in the head │ features of each panel
 *     MOVE      the head, in parts
 *     TOP       of each panel: probabilities of classes, or of all symbols, with what the memory counts
 *     MEMBERS   of each panel: probabilities of the members of the classes that were coded
 *
 * An encoder knows the classes, so it takes TOP and MEMBERS together. What waits to be coded in LEARN are known symbols of the step
 * before. Where lanes are in groups (bitwise.c), their head does not learn, so a group takes its step in one phase:
 *
 *     STEP      the memory learns this group's symbols of the step before; code another group's │ LEARN and TOP of each panel */
#ifndef TP_TEXT_STEP_H
#define TP_TEXT_STEP_H

#include "text_masses.h"

#define LOW_PANEL 16
#define AHEAD 8 /* lanes whose contexts are asked for meanwhile: since memory_hash they may have left the nearest cache */

enum { LEARN, MOVE, TOP, TOP_AND_MEMBERS, MEMBERS, STEP };
/* Tasks before those of panels. */
enum { OF_CODER, OF_MEMORY, OF_HEAD, OF_PANELS };

INLINE void panel_of(const text *t, int64_t panel, int64_t *start, int64_t *rows) {
    const int64_t from = t->rows * panel / t->panels;
    *start = t->first + from;
    *rows = t->rows * (panel + 1) / t->panels - from;
}

INLINE vf head_row(const text *t, int64_t lane, int64_t v) {
    const text_head *h = &t->head;
    if (h->gives_all) return vf_load(h->all + lane * padded(h->symbols) + v);
    return vf_of(vi_load(h->weights + lane * h->outputs + v)) / h->divisor[lane];
}

/* p of an outcome under the head alone. */
INLINE float head_p(const text *t, int64_t lane, int64_t at) {
    const text_head *h = &t->head;
    if (h->gives_all) return h->all[lane * padded(h->symbols) + at];
    return (float)h->weights[lane * h->outputs + at] / h->divisor[lane];
}

/* What the head learns from the last symbols. One that is factored and gives all has not drawn members of the classes that came. */
static void list_moves(text *t, text_room *room) {
    text_head *h = &t->head;
    const int32_t *places = t->last;
    for (int64_t i = 0; i < t->rows && h->gives_all; i++) {
        t->own[i] = h->place[t->last[i]];
        head_members(h, i, t->own[i] / h->members, t->step - 1, room->acc, room->row);
        places = t->own;
    }
    head_list(h, places, t->rows);
}

/* The memory learns the symbols that some lanes had at a step, given their probabilities under the head (p_0). */
static void learn_memory(text *t, int64_t first, int64_t rows, int64_t step) {
    const text_head *h = &t->head;
    if (!t->remembers) return;
    for (int64_t i = first; i < first + rows; i++) {
        int32_t place = t->last[i];
        float p = head_p(t, i, t->members ? place / t->members : place);
        if (t->members) p = p * ((float)h->member_weights[i * t->member_room + place % t->members] / h->member_divisor[i]);
        t->of_symbol[i] = p;
    }
    memory_learn(&t->memory, t->last, t->of_symbol, first, rows, step);
}

/* Features of a panel's lanes, to a [lanes, wide] and r [lanes]. */
static void features_of(text *t, int64_t panel, int thread, uint8_t *a, float *r) {
    int64_t start, rows;
    panel_of(t, panel, &start, &rows);
    const int64_t wide = t->head.wide;
    if (t->remembers) memory_hash(&t->memory, start, rows, t->step);
    network_features(&t->network, t->rooms + thread, t->lanes, start, rows, t->given + start, a + start * wide, wide, r + start);
}

/* out = base probabilities * the share that the memory leaves to the base, + the memory's counts. */
static void mix_top(text *t, int64_t lane) {
    float *out = t->out + lane * t->outputs, left = 1.0f;
    if (t->remembers) {
        memory_weigh(&t->memory, lane);
        left = t->memory.left[lane];
    }
    for (int64_t v = 0; v < t->outputs; v += FLOATS) vf_store(out + v, head_row(t, lane, v) * left);
    if (t->remembers) memory_add(&t->memory, lane, t->shift, out);
}

static void add_up(const float *out, int64_t stride, int64_t rows, int64_t symbols, float *sums, int64_t marks) {
    for (int64_t i = 0; i < rows; i += TOGETHER)
        row_sums(out + i * stride, stride, rows - i < TOGETHER ? rows - i : TOGETHER, symbols, sums + i * marks);
}

static void weigh_top(text *t, int64_t lane, float *room) {
    weigh(t->out + lane * t->outputs, t->order, t->mass_room, masses_at(t, lane, false, 0), sums_at(t, lane, false, 0));
    if (!t->remembers) return;
    for (int64_t v = 0; v < t->outputs; v += FLOATS) vf_store(room + v, head_row(t, lane, v));
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
    head_top(&t->head, start, rows, t->step, m->acc, m->row, m->by_place);
    for (int64_t i = start; i < start + rows; i++) mix_top(t, i);
    if (t->code_bits) {
        for (int64_t i = start; i < start + rows; i++) weigh_top(t, i, m->by_place);
        return;
    }
    add_up(t->out + start * t->outputs, t->outputs, rows, t->top, t->sums + start * t->top_marks, t->top_marks);
}

static void mix_members(text *t, int64_t lane) {
    const text_head *h = &t->head;
    const int32_t *weights = h->member_weights + lane * t->member_room;
    float *out = t->member_out + lane * t->member_room;
    if (!t->remembers) {
        for (int64_t r = 0; r < t->members; r++) out[r] = (float)weights[r] / h->member_divisor[lane];
        return;
    }
    int32_t of_class = t->of_class[lane];
    float share = head_p(t, lane, of_class) * t->memory.left[lane];
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
    const text_head *h = &t->head;
    const int32_t *weights = h->member_weights + lane * t->member_room;
    for (int64_t r = 0; r < t->member_room; r++) room[r] = (float)weights[r] / h->member_divisor[lane];
    weigh(room, NULL, t->member_room, masses_at(t, lane, true, 1), sums_at(t, lane, true, 1));
}

/* Probabilities of the members of the classes that some lanes have at a step. */
static void members_of(text *t, int64_t start, int64_t rows, int64_t step, int thread) {
    text_head *h = &t->head;
    text_room *m = t->rooms + thread;
    for (int64_t i = start; i < start + rows; i++) {
        const int8_t *q = h->member_rows + t->of_class[i] * h->members * h->wide;
        for (int64_t c = 0; c < h->members * h->wide; c += 64) prefetch(q + c);
    }
    for (int64_t i = start; i < start + rows; i++) {
        head_members(h, i, t->of_class[i], step, m->acc, m->row);
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

/* How many parts the moves of the head are cut into. */
INLINE int64_t head_parts(const text *t) { return t->team->used > 1 ? 2 * t->team->used : 1; }

INLINE bool head_learns(const text *t) { return t->head.learns && t->step > 0; }

static UNUSED void text_work(void *of, int phase, int64_t task, int thread) {
    text *t = of;
    int64_t start, rows;
    switch (phase) {
    case LEARN:
        if (task == OF_CODER) {
            if (t->code_bits)
                t->code_bits(t->bitwise, thread);
            else
                push_intervals(t, t->pushed);
        } else if (task == OF_MEMORY) {
            if (t->step > 0 && !t->code_bits) learn_memory(t, t->first, t->rows, t->step - 1);
        } else if (task == OF_HEAD) {
            if (head_learns(t)) list_moves(t, t->rooms + thread);
        } else {
            features_of(t, task - OF_PANELS, thread, t->next_a, t->next_r);
        }
        break;
    case STEP:
        if (task == OF_CODER) {
            t->code_bits(t->bitwise, thread);
            break;
        }
        features_of(t, task - 1, thread, t->head.a, t->head.r);
        team_await(t->team); /* until the memory has learned */
        panel_of(t, task - 1, &start, &rows);
        if (t->remembers) memory_take_hashes(&t->memory, start, rows);
        top_of(t, task - 1, thread);
        break;
    case MOVE:
        head_move(&t->head, task, head_parts(t), t->step % t->head.every == 0, t->rounded[thread]);
        break;
    case TOP:
        top_of(t, task, thread);
        break;
    case MEMBERS:
        panel_of(t, task, &start, &rows);
        members_of(t, start, rows, t->step, thread);
        break;
    case TOP_AND_MEMBERS:
        top_of(t, task, thread);
        panel_of(t, task, &start, &rows);
        if (t->members) members_of(t, start, rows, t->step, thread);
        if (!t->code_bits) find_intervals(t, task);
        break;
    }
}

/* Learn from t->last, and have features of t->given. */
static void step_learn(text *t) {
    const int threads = t->team->used;
    text_head *h = &t->head;
    t->panels = (t->rows + PANEL - 1) / PANEL;
    if (threads > 1 && t->rows >= 2 * threads) t->panels = (t->panels + threads - 1) / threads * threads;
    team_run(t->team, LEARN, OF_PANELS + t->panels);
    if (head_learns(t)) {
        team_run(t->team, MOVE, head_parts(t));
        if (t->step % h->every == 0) h->dirty_count = 0;
    }
    if (t->remembers) memory_take_hashes(&t->memory, t->first, t->rows);
    turn_features(t);
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

/* Take up step t->step of the lanes first ... stop - 1 as far as they have a token: what came before it is in t->last. */
static void take_up(text *t, int64_t first, int64_t stop) {
    const int64_t alive = live(t, t->step);
    t->first = first;
    t->rows = (stop < alive ? stop : alive) - first;
    for (int64_t i = first; i < first + t->rows; i++)
        t->given[i] = t->step == 0 ? (int32_t)t->begin : t->members ? t->symbol[t->last[i]] : t->last[i];
    if (t->remembers && t->step > 0) memory_push(&t->memory, t->last, t->first, t->rows);
}

/* The first phases of a step of all lanes. */
static void begin_step(text *t) {
    take_up(t, 0, t->lanes);
    step_learn(t);
}

/* The step of a group, in one phase; beside other threads its panels are low, so that all threads end together. */
static UNUSED void step_group(text *t, int64_t first, int64_t stop) {
    take_up(t, first, stop);
    const int64_t most = t->team->used > 1 ? LOW_PANEL : PANEL;
    t->panels = (t->rows + most - 1) / most;
    team_run(t->team, STEP, 1 + t->panels);
}

#endif

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

/* out = base probabilities * the share that the memory leaves to the base, + the memory's counts. */
static void mix_top(text *t, int64_t lane) {
    const int32_t *weights = base_weights(t, lane);
    const float divisor = base_divisor(t, lane);
    float *out = t->out + lane * t->outputs, left = 1.0f;
    if (t->remembers) {
        memory_weigh(&t->memory, lane);
        left = t->memory.left[lane];
    }
    if (t->experts == 1 && t->expert[0].head.gives_all)
        for (int64_t v = 0; v < t->outputs; v += FLOATS) vf_store(out + v, expert_row(&t->expert[0].head, lane, v) * left);
    else
        for (int64_t v = 0; v < t->outputs; v += FLOATS) vf_store(out + v, vf_of(vi_load(weights + v)) / divisor * left);
    if (t->remembers) memory_add(&t->memory, lane, t->shift, out);
}

static void add_up(const float *out, int64_t stride, int64_t rows, int64_t symbols, float *sums, int64_t marks) {
    for (int64_t i = 0; i < rows; i += TOGETHER)
        row_sums(out + i * stride, stride, rows - i < TOGETHER ? rows - i : TOGETHER, symbols, sums + i * marks);
}

/* floor(2^30 p) + 1 of all symbols, by rank, and their prefix sums. The sums wrap where the row is not a
 * distribution. */
static void weigh_by_rank(text *t, int64_t lane) {
    const float *out = t->out + lane * t->outputs;
    uint32_t *masses = t->masses + lane * t->mass_room, *sums = t->mass_sums + lane * (t->mass_room / MASSES_TOGETHER + 1), total = 0;
    for (int64_t at = 0; at < t->mass_room; at += MASSES_TOGETHER) {
        float p[MASSES_TOGETHER];
        for (int i = 0; i < MASSES_TOGETHER; i++) p[i] = out[t->symbol_of_rank[at + i]];
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
    sums[t->mass_room / MASSES_TOGETHER] = total;
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
    if (t->symbol_of_rank) {
        for (int64_t i = start; i < start + rows; i++) weigh_by_rank(t, i);
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
    }
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
        find_intervals(t, task);
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

/* Begin step t->step: what came before it is in t->last. */
static void begin_step(text *t) {
    t->rows = live(t, t->step);
    for (int64_t i = 0; i < t->rows; i++)
        t->given[i] = t->step == 0 ? (int32_t)t->begin : t->members ? t->symbol[t->last[i]] : t->last[i];
    step_learn(t);
}

#endif

/* The text models: functions that Python calls, each for a block of steps. A handle holds the state of one frame: the
 * model's settings and tensors, the numbers of tokens and lanes, and the current step. */
#include "text_step.h"

#define TEXT_SYMBOLS (1 << 16)
#define MAX_TOKENS ((int64_t)1 << 40)

EXPORT void API(text_free)(void *handle) {
    text *t = handle;
    if (t == NULL) return;
    team_free(t->team);
    memory_free(&t->memory);
    range_free(&t->encoder);
    saved_free(t->saved);
    for (int64_t i = 0; i < t->owned_count; i++) tp_free(t->owned[i].at);
    free(t->owned);
    free(t);
}

/* Settings of a network: symbols, width, depth, hidden, grams, features, classes. */
enum { NETWORK_SETTINGS = 7, FIRST_ORDER = 5 };
static bool fits_network(const int64_t *s) {
    const int64_t most[NETWORK_SETTINGS] = {TEXT_SYMBOLS, 2064, MAX_DEPTH, MAX_INPUTS, 1 << 20, 1 << 12, TEXT_SYMBOLS};
    for (int i = 0; i < NETWORK_SETTINGS; i++)
        if (s[i] < (i < 4) || s[i] > most[i]) return false;
    if (s[0] < 2 || s[4] & (s[4] - 1) || (s[4] && !s[5])) return false;
    int64_t members = s[6] ? s[0] / s[6] : 2;
    return !s[6] || (s[6] >= 2 && members >= 2 && s[0] % s[6] == 0 && !(members & (members - 1)));
}

/* The head's `place`, an order of all symbols, and its reverse. */
static bool take_places(text *t, text_head *h, const uint8_t *place) {
    const int64_t since = t->owned_count;
    t->symbol = text_zeros(t, h->symbols, 4);
    h->place = text_zeros(t, h->symbols, 4);
    text_fix(t, since);
    if (!place || !h->place || !t->symbol) return false;
    memcpy(h->place, place, (size_t)h->symbols * 4);
    for (int64_t v = 0; v < h->symbols; v++) t->symbol[v] = -1;
    for (int64_t v = 0; v < h->symbols; v++) {
        if (h->place[v] < 0 || h->place[v] >= h->symbols || t->symbol[h->place[v]] >= 0) return false;
        t->symbol[h->place[v]] = (int32_t)v;
    }
    return true;
}

/* settings: lanes, tokens, threads, whether all symbols are predicted at once, number of orders, the orders (none: no memory), then
 * those of the network. Tensors in the order in which text_state.h takes them, with their sizes in bytes. The handle in *made; 0,
 * TP_MEMORY or TP_ARGUMENT. */
EXPORT int64_t API(text_new)(
    const int64_t *settings, int64_t count, double rate, const void *const *tensors, const int64_t *sizes, int64_t tensor_count,
    void **made
) {
    *made = NULL;
    if (count < FIRST_ORDER) return TP_ARGUMENT;
    const int64_t lanes = settings[0], tokens = settings[1], threads = settings[2], depth = settings[4];
    const bool all = settings[3];
    if (lanes < 1 || lanes > MAX_LANES || tokens < lanes || tokens > MAX_TOKENS || threads < 1) return TP_ARGUMENT;
    if (depth < 0 || depth > MAX_ORDERS || count != FIRST_ORDER + depth + NETWORK_SETTINGS) return TP_ARGUMENT;
    int32_t orders[MAX_ORDERS];
    for (int64_t k = 0; k < depth; k++) {
        if (settings[FIRST_ORDER + k] < 1 || settings[FIRST_ORDER + k] > MAX_ORDER) return TP_ARGUMENT;
        orders[k] = (int32_t)settings[FIRST_ORDER + k];
    }
    const int64_t *s = settings + FIRST_ORDER + depth;
    if (!fits_network(s)) return TP_ARGUMENT;
    text *t = calloc(1, sizeof *t);
    if (t == NULL) return TP_MEMORY;
    t->lanes = lanes;
    t->tokens = tokens;
    t->steps = (tokens + lanes - 1) / lanes;
    range_start_encoder(&t->encoder);
    bool wrong = (lanes - 1) * t->steps >= tokens;
    tensor_list l = {tensors, sizes, tensor_count, 0, false};
    text_head *h = &t->head;
    t->network = (text_network){.symbols = s[0], .width = s[1], .depth = s[2], .hidden = s[3], .grams = s[4], .features = s[5]};
    *h = (text_head){.symbols = s[0], .classes = s[6], .width = s[1], .rows = s[0] + s[6], .top = s[6] ? s[6] : s[0]};
    h->members = s[6] ? s[0] / s[6] : 0;
    h->gives_all = s[6] && all;
    start_network(t, &t->network, &l);
    start_head(t, h, &l, rate);
    if (s[6] && !l.wrong && !take_places(t, h, next_tensor(&l, 4 * s[0]))) wrong = true;
    t->next_a = text_zeros(t, lanes * h->wide, 1);
    t->next_r = text_floats(t, lanes);
    t->own = text_zeros(t, lanes, 4);
    t->symbols = h->symbols;
    t->top = all ? h->symbols : h->top;
    t->outputs = padded(t->top);
    t->top_marks = marks_of(t->top) + 1;
    t->members = all ? 0 : h->members;
    t->member_room = all ? 0 : h->member_room;
    t->place = h->place;
    t->member_marks = t->members ? marks_of(t->members) + 1 : 0;
    while (t->members >> t->shift > 1) t->shift++;
    t->given = text_zeros(t, lanes, 4);
    t->last = text_zeros(t, lanes, 4);
    t->of_class = text_zeros(t, lanes, 4);
    t->coded = text_zeros(t, lanes, 4);
    t->of_symbol = text_floats(t, lanes);
    t->out = text_floats(t, lanes * t->outputs);
    t->sums = text_floats(t, lanes * t->top_marks);
    t->member_out = text_floats(t, lanes * t->member_room);
    t->member_sums = text_floats(t, lanes * t->member_marks);
    t->intervals = text_zeros(t, 2 * lanes, sizeof *t->intervals);
    int most = lanes < 2 ? 1 : threads < MAX_THREADS ? (int)threads : MAX_THREADS;
    start_rooms(t, most);
    t->remembers = depth > 0;
    if (depth && memory_start(&t->memory, orders, depth, lanes, tokens) < 0) t->failed = true;
    if (!t->failed && !(wrong || l.wrong || l.next != l.count)) t->team = team_new(most, text_work, t);
    if (t->team == NULL) {
        int64_t error = wrong || l.wrong || l.next != l.count ? TP_ARGUMENT : TP_MEMORY;
        API(text_free)(t);
        return error;
    }
    *made = t;
    return 0;
}

/* So many threads, of those that it was made with, share the next calls. */
EXPORT int64_t API(text_use)(void *handle, int64_t threads) {
    text *t = handle;
    team_use(t->team, threads < MAX_THREADS ? (int)threads : MAX_THREADS);
    return 0;
}

/* Run `steps` steps over known tokens [N], each below V. push: encode them. costs: NULL, or write to costs [N, 2] the
 * probabilities of each token's group (or symbol) and rank. Returns 0, TP_ARGUMENT or TP_MEMORY. */
static int64_t known_steps(text *t, const int32_t *tokens, int64_t steps, bool push, double *costs) {
    if (steps < 0 || steps > t->steps - t->step) return TP_ARGUMENT;
    if (!are_symbols(t, tokens, steps)) return TP_ARGUMENT;
    if (push && range_reserve(&t->encoder, (size_t)(2 * steps * t->lanes)) < 0) return TP_MEMORY;
    double *room = costs ? malloc((size_t)t->lanes * 2 * sizeof *room) : NULL;
    if (costs && room == NULL) return TP_MEMORY;
    t->costs = room;
    team_begin(t->team);
    for (int64_t stop = t->step + steps; t->step < stop; t->step++) {
        begin_step(t);
        for (int64_t i = 0; i < t->rows; i++) {
            int32_t v = tokens[i * t->steps + t->step];
            t->coded[i] = t->members ? t->place[v] : v;
            if (t->members) t->of_class[i] = t->coded[i] / (int32_t)t->members;
        }
        team_run(t->team, TOP_AND_MEMBERS, t->panels);
        for (int64_t i = 0; i < t->rows; i++) {
            t->last[i] = t->coded[i];
            if (costs) memcpy(costs + 2 * (i * t->steps + t->step), room + 2 * i, 2 * sizeof *room);
        }
        t->pushed = push ? t->rows : 0;
    }
    team_end(t->team);
    push_intervals(t, t->pushed);
    t->pushed = 0;
    t->costs = NULL;
    free(room);
    return t->failed ? TP_ARGUMENT : 0;
}

EXPORT int64_t API(text_encode)(void *handle, const int32_t *tokens, int64_t steps) {
    return known_steps(handle, tokens, steps, true, NULL);
}

EXPORT int64_t API(text_score)(void *handle, const int32_t *tokens, int64_t steps, double *costs) {
    return known_steps(handle, tokens, steps, false, costs);
}

/* Read the next steps' tokens, which both sides know. */
EXPORT int64_t API(text_learn)(void *handle, const int32_t *tokens, int64_t steps) { return known_steps(handle, tokens, steps, false, NULL); }

/* Remember this state, before anything is coded; then go back to it, as often as it is wanted. */
EXPORT int64_t API(text_save)(void *handle) { return save_text(handle, saved_new()); }
EXPORT int64_t API(text_restore)(void *handle) { return restore_text(handle); }

/* Write this state to out [room], before anything is coded (saved.h). fresh: a handle made alike that has coded nothing. Returns the
 * size, TP_ARGUMENT or TP_MEMORY. */
EXPORT int64_t API(text_write_state)(void *handle, void *fresh, uint8_t *out, int64_t room) {
    return write_text(handle, fresh, saved_new(), saved_new(), out, room);
}

/* Take up a state that a handle made alike has written. Nothing has been coded. 0, TP_ARGUMENT or TP_MEMORY. */
EXPORT int64_t API(text_read_state)(void *handle, const uint8_t *from, int64_t size) { return read_text(handle, saved_new(), from, size); }

/* The payload's size, once all steps are encoded; at most `room` bytes of it are written, and TP_FULL says that there are more. */
EXPORT int64_t API(text_finish)(void *handle, uint8_t *payload, int64_t room) {
    text *t = handle;
    if (range_reserve(&t->encoder, 2) < 0) return TP_MEMORY;
    int64_t size = (int64_t)range_finish(&t->encoder);
    if (size > room) return TP_FULL;
    if (size > 0) memcpy(payload, t->encoder.words, (size_t)size);
    return size;
}

/* Bytes that the payload can have at most, as far as it is encoded. */
EXPORT int64_t API(text_room)(void *handle) {
    const text *t = handle;
    return 4 * (int64_t)t->encoder.used + 4;
}

/* The payload that text_decode reads; it stays where it is until the last step is decoded. */
EXPORT int64_t API(text_start)(void *handle, const uint8_t *payload, int64_t size) {
    text *t = handle;
    if (size < 0) return TP_ARGUMENT;
    range_start_decoder(&t->decoder, payload, (size_t)size);
    return 0;
}

/* The next symbol, or TP_DAMAGED. */
INLINE int64_t pop_row(range_decoder *d, const float *row, const float *sums, int64_t symbols) {
    interval found;
    uint64_t target = range_target(d);
    if (target >= WHOLE || range_is_over(d)) return TP_DAMAGED;
    int64_t symbol = row_find(row, symbols, sums, (uint32_t)target, &found);
    if (symbol < 0) return TP_DAMAGED;
    range_pop(d, found.left, found.right);
    return symbol;
}

/* The next `steps` steps into tokens [lanes, steps], of lanes that have a token: 0, TP_DAMAGED or TP_ARGUMENT. */
EXPORT int64_t API(text_decode)(void *handle, int32_t *tokens, int64_t steps) {
    text *t = handle;
    if (steps < 0 || steps > t->steps - t->step) return TP_ARGUMENT;
    const int64_t first = t->step;
    int64_t result = 0;
    team_begin(t->team);
    for (int64_t stop = t->step + steps; t->step < stop && result == 0; t->step++) {
        begin_step(t);
        team_run(t->team, TOP, t->panels);
        for (int64_t i = 0; i < t->rows && result == 0; i++) {
            int64_t at = pop_row(&t->decoder, t->out + i * t->outputs, t->sums + i * t->top_marks, t->top);
            if (at < 0) result = at;
            if (t->members)
                t->of_class[i] = (int32_t)at;
            else
                t->last[i] = (int32_t)at;
        }
        if (result < 0) break;
        if (t->members) team_run(t->team, MEMBERS, t->panels);
        for (int64_t i = 0; i < t->rows && t->members && result == 0; i++) {
            int64_t member = pop_row(&t->decoder, t->member_out + i * t->member_room, t->member_sums + i * t->member_marks, t->members);
            if (member < 0) result = member;
            t->last[i] = t->of_class[i] * (int32_t)t->members + (int32_t)member;
        }
        if (result < 0) break;
        for (int64_t i = 0; i < t->rows; i++) tokens[i * steps + t->step - first] = t->members ? t->symbol[t->last[i]] : t->last[i];
    }
    team_end(t->team);
    return result;
}

/* One step for whoever codes symbols itself: previous [rows] symbols (NULL before the first) -> out [rows, V] float32. */
EXPORT int64_t API(text_step)(void *handle, const int32_t *previous, int64_t rows, float *out) {
    text *t = handle;
    if (t->members || t->step >= t->steps || rows != live(t, t->step) || (previous == NULL) != (t->step == 0)) return TP_ARGUMENT;
    for (int64_t i = 0; i < rows && previous; i++) {
        if (previous[i] < 0 || previous[i] >= t->symbols) return TP_ARGUMENT;
        t->last[i] = previous[i];
    }
    team_begin(t->team);
    begin_step(t);
    team_run(t->team, TOP, t->panels);
    team_end(t->team);
    t->step++;
    for (int64_t i = 0; i < rows; i++) memcpy(out + i * t->symbols, t->out + i * t->outputs, (size_t)t->symbols * 4);
    return 0;
}

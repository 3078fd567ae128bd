/* Coders whose probabilities come from Python, row by row: a queue (range coder) and a stack (asymmetric numeral systems). */
#include "rows_coder.h"

/* Alphabets: 2 … 2^23 symbols, so that 2^24 - k, and every edge, is a whole float32. */
#define MAX_SYMBOLS (1 << 23)

/* Room for the sums of TOGETHER rows, kept by a coder. */
typedef struct {
    float *sums;
    int64_t marks;
} row_room;

static int64_t row_reserve(row_room *room, int64_t n, int64_t symbols) {
    if (n < 0 || symbols < 2 || symbols > MAX_SYMBOLS) return TP_ARGUMENT;
    int64_t marks = (symbols + MARK - 1) / MARK;
    if (marks <= room->marks) return 0;
    float *sums = realloc(room->sums, (size_t)(marks + 1) * TOGETHER * sizeof *sums);
    if (sums == NULL) return TP_MEMORY;
    room->sums = sums;
    room->marks = marks;
    return 0;
}

typedef struct {
    range_encoder coder;
    row_room room;
} queue_encoder;

EXPORT void *API(queue_encoder_new)(void) {
    queue_encoder *e = calloc(1, sizeof *e);
    if (e != NULL) range_start_encoder(&e->coder);
    return e;
}
EXPORT void API(queue_encoder_free)(queue_encoder *e) {
    if (e == NULL) return;
    range_free(&e->coder);
    free(e->room.sums);
    free(e);
}

/* symbols [n] under rows [n, k]: n, or TP_ARGUMENT where a symbol is none or a row is no distribution; then nothing of it is coded. */
EXPORT int64_t API(queue_encode)(queue_encoder *e, const int32_t *symbols, const float *rows, int64_t n, int64_t k) {
    int64_t failed = row_reserve(&e->room, n, k);
    if (failed < 0) return failed;
    if (range_reserve(&e->coder, (size_t)n) < 0) return TP_MEMORY;
    int64_t marks = (k + MARK - 1) / MARK;
    for (int64_t i = 0; i < n; i += TOGETHER) {
        int64_t count = n - i < TOGETHER ? n - i : TOGETHER;
        row_sums(rows + i * k, k, count, k, e->room.sums);
        for (int64_t j = 0; j < count; j++) {
            if (symbols[i + j] < 0 || symbols[i + j] >= k) return TP_ARGUMENT;
            interval found = row_interval(rows + (i + j) * k, k, e->room.sums + j * (marks + 1), symbols[i + j]);
            if (found.left >= found.right || found.right > WHOLE) return TP_ARGUMENT;
            range_push(&e->coder, found.left, found.right);
        }
    }
    return n;
}

/* How many bytes the payload takes; `payload` has room for as many: first with NULL, which ends the coding, then with the room. */
EXPORT int64_t API(queue_finish)(queue_encoder *e, uint8_t *payload, int64_t room) {
    if (payload == NULL) {
        if (range_reserve(&e->coder, 0) < 0) return TP_MEMORY;
        return (int64_t)range_finish(&e->coder);
    }
    if (room < 0 || (size_t)room > 4 * (e->coder.used + 1)) return TP_ARGUMENT;
    memcpy(payload, e->coder.words, (size_t)room);
    return room;
}

typedef struct {
    range_decoder coder;
    row_room room;
    uint8_t payload[];
} queue_decoder;

EXPORT void *API(queue_decoder_new)(const uint8_t *payload, int64_t size) {
    if (size < 0) return NULL;
    queue_decoder *d = malloc(sizeof *d + (size_t)size);
    if (d == NULL) return NULL;
    if (size > 0) memcpy(d->payload, payload, (size_t)size);
    d->room = (row_room){0};
    range_start_decoder(&d->coder, d->payload, (size_t)size);
    return d;
}
EXPORT void API(queue_decoder_free)(queue_decoder *d) {
    if (d == NULL) return;
    free(d->room.sums);
    free(d);
}

/* The next n symbols under rows [n, k]: n, TP_DAMAGED where no encoder writes such words or they end, TP_ARGUMENT where a row is no
 * distribution. */
EXPORT int64_t API(queue_decode)(queue_decoder *d, int32_t *symbols, const float *rows, int64_t n, int64_t k) {
    int64_t failed = row_reserve(&d->room, n, k), marks = (k + MARK - 1) / MARK;
    if (failed < 0) return failed;
    for (int64_t i = 0; i < n; i += TOGETHER) {
        int64_t count = n - i < TOGETHER ? n - i : TOGETHER;
        row_sums(rows + i * k, k, count, k, d->room.sums);
        for (int64_t j = 0; j < count; j++) {
            uint64_t target = range_target(&d->coder);
            if (target >= WHOLE || range_is_over(&d->coder)) return TP_DAMAGED;
            interval found;
            const float *sums = d->room.sums + j * (marks + 1);
            int64_t symbol = row_find(rows + (i + j) * k, k, sums, (uint32_t)target, &found);
            if (symbol < 0) return TP_ARGUMENT;
            range_pop(&d->coder, found.left, found.right);
            symbols[i + j] = (int32_t)symbol;
        }
    }
    return n;
}

/* The stack: asymmetric numeral systems (Duda 2013), as constriction's AnsCoder: `state` holds up to 64 bits above the words. */
typedef struct {
    uint64_t state;
    uint32_t *words;
    size_t used, room;
    row_room rows;
} stack_coder;

EXPORT void *API(stack_new)(const uint32_t *words, int64_t n) {
    stack_coder *s = calloc(1, sizeof *s);
    if (s == NULL || n < 0) return s;
    s->room = (size_t)n + 16;
    s->words = malloc(4 * s->room);
    if (s->words == NULL) {
        free(s);
        return NULL;
    }
    if (n > 0) memcpy(s->words, words, 4 * (size_t)n);
    s->used = (size_t)n;
    while (s->used > 0 && s->state < (uint64_t)1 << 32) s->state = s->state << 32 | s->words[--s->used];
    return s;
}
EXPORT void API(stack_free)(stack_coder *s) {
    if (s == NULL) return;
    free(s->words);
    free(s->rows.sums);
    free(s);
}

static int64_t stack_reserve(stack_coder *s, size_t more) {
    if (s->used + more + 2 <= s->room) return 0;
    size_t wanted = 2 * (s->used + more + 2);
    uint32_t *words = realloc(s->words, 4 * wanted);
    if (words == NULL) return TP_MEMORY;
    s->words = words;
    s->room = wanted;
    return 0;
}

/* Push symbols [n], the last one first, so that popping gives them in order. All are checked before the first is pushed. */
EXPORT int64_t API(stack_push)(stack_coder *s, const int32_t *symbols, const float *rows, int64_t n, int64_t k) {
    int64_t failed = row_reserve(&s->rows, n, k), marks = (k + MARK - 1) / MARK;
    if (failed < 0) return failed;
    if (stack_reserve(s, (size_t)n) < 0) return TP_MEMORY;
    interval *found = malloc((size_t)(n > 0 ? n : 1) * sizeof *found);
    if (found == NULL) return TP_MEMORY;
    for (int64_t i = 0; i < n; i += TOGETHER) {
        int64_t count = n - i < TOGETHER ? n - i : TOGETHER;
        row_sums(rows + i * k, k, count, k, s->rows.sums);
        for (int64_t j = 0; j < count; j++) {
            int32_t symbol = symbols[i + j];
            if (symbol >= 0 && symbol < k)
                found[i + j] = row_interval(rows + (i + j) * k, k, s->rows.sums + j * (marks + 1), symbol);
            if (symbol < 0 || symbol >= k || found[i + j].left >= found[i + j].right || found[i + j].right > WHOLE) {
                free(found);
                return TP_ARGUMENT;
            }
        }
    }
    for (int64_t i = n; i-- > 0;) {
        uint64_t size = found[i].right - found[i].left;
        if (s->state >> (64 - PRECISION) >= size) {
            s->words[s->used++] = (uint32_t)s->state;
            s->state >>= 32;
        }
        s->state = (s->state / size) << PRECISION | (s->state % size + found[i].left);
    }
    free(found);
    return n;
}

/* Pop n symbols; zeros come from below the bottom. */
EXPORT int64_t API(stack_pop)(stack_coder *s, int32_t *symbols, const float *rows, int64_t n, int64_t k) {
    int64_t failed = row_reserve(&s->rows, n, k), marks = (k + MARK - 1) / MARK;
    if (failed < 0) return failed;
    for (int64_t i = 0; i < n; i += TOGETHER) {
        int64_t count = n - i < TOGETHER ? n - i : TOGETHER;
        row_sums(rows + i * k, k, count, k, s->rows.sums);
        for (int64_t j = 0; j < count; j++) {
            uint32_t quantile = (uint32_t)s->state & (WHOLE - 1);
            interval found;
            int64_t symbol = row_find(rows + (i + j) * k, k, s->rows.sums + j * (marks + 1), quantile, &found);
            if (symbol < 0) return TP_ARGUMENT;
            s->state = (s->state >> PRECISION) * (found.right - found.left) + (quantile - found.left);
            if (s->state < (uint64_t)1 << 32 && s->used > 0) s->state = s->state << 32 | s->words[--s->used];
            symbols[i + j] = (int32_t)symbol;
        }
    }
    return n;
}

/* Words that the stack holds, those of its state included. */
EXPORT int64_t API(stack_count)(const stack_coder *s) {
    return (int64_t)s->used + (s->state > 0) + (s->state > 0xFFFFFFFFu);
}

/* All of them, the bottom first; the last one is not 0. */
EXPORT int64_t API(stack_words)(const stack_coder *s, uint32_t *words) {
    if (s->used > 0) memcpy(words, s->words, 4 * s->used);
    size_t n = s->used;
    if (s->state > 0) words[n++] = (uint32_t)s->state;
    if (s->state > 0xFFFFFFFFu) words[n++] = (uint32_t)(s->state >> 32);
    return (int64_t)n;
}

/* What Python calls for byte-pair encoding. */
#include "bpe.h"
#include "bpe_json.h"
#include "bpe_merge.h"

EXPORT void API(bpe_free)(void *handle) {
    bpe_tables *t = handle;
    if (t == NULL) return;
    tp_free(t->words);
    tp_free(t->start);
    tp_free(t->length);
    tp_free(t->slots);
    tp_free(t->merges);
    tp_free(t->pairs);
    tp_free(t);
}

/* Tables from a tokenizer.json whose vocabulary begins at text[at]. result[0]: 0, or why there are none (NULL);
 * result[1]: where the merges end. */
EXPORT void *API(bpe_new)(const uint8_t *text, int64_t size, int64_t at, int64_t *result) {
    json_reader r = {text, size, at};
    result[0] = TP_ARGUMENT, result[1] = 0;
    if (size < 0 || size > BPE_MAX_TEXT || at < 0 || at > size) return NULL;
    bpe_tables *t = tp_zeros(sizeof *t);
    result[0] = t == NULL ? TP_MEMORY : bpe_read(t, &r);
    result[1] = r.at;
    if (result[0] == 0) return t;
    API(bpe_free)(t);
    return NULL;
}

/* sizes: V, the bytes of all words, the bytes of the longest word. */
EXPORT void API(bpe_sizes)(const void *handle, int64_t *sizes) {
    const bpe_tables *t = handle;
    sizes[0] = t->ids, sizes[1] = t->word_bytes, sizes[2] = t->longest;
}

/* The words in the order of their ids: lengths [V] and bytes [word_bytes]. */
EXPORT void API(bpe_words)(const void *handle, int32_t *lengths, uint8_t *bytes) {
    const bpe_tables *t = handle;
    for (int64_t id = 0; id < t->ids; id++) {
        lengths[id] = (int32_t)t->length[id];
        memcpy(bytes, t->words + t->start[id], t->length[id]);
        bytes += t->length[id];
    }
}

/* ── pieces ─────────────────────────────────────────────────────────────────────────────────────── */

/* The classes of a byte. A byte of two classes begins a run of the lower one, and goes on a run of either. */
enum { PIECE_LETTER = 1, PIECE_DIGIT = 2, PIECE_OTHER = 4, PIECE_SPACE = 8, PIECE_DIGITS = 3 };

/* Where the piece that begins at `at` ends: a space and letters, up to three digits, or others │ white space. */
INLINE int64_t piece_end(const uint8_t *classes, const uint8_t *source, int64_t at, int64_t end) {
    enum { WORD = PIECE_LETTER | PIECE_DIGIT | PIECE_OTHER };
    if (source[at] == ' ' && at + 1 < end && classes[source[at + 1]] & WORD) at++;
    uint32_t class = classes[source[at]];
    class &= 0u - class;
    int64_t stop = class == PIECE_DIGIT && at + PIECE_DIGITS < end ? at + PIECE_DIGITS : end;
    for (at++; at < stop && classes[source[at]] & class; at++) {}
    return at;
}

/* ── encode ─────────────────────────────────────────────────────────────────────────────────────── */

/* Pieces never cross a place that is a multiple of this: it bounds memory, and frames and blocks may begin there. */
enum { BPE_CUT = 1 << 16, BPE_KEY = 16, BPE_KEPT = 10, BPE_MAX_LINES = 1 << 14 };

/* A piece of up to 16 bytes and its ids: one cache line. */
typedef struct {
    uint64_t low, high;
    int32_t ids[BPE_KEPT];
    int32_t length, count;
} bpe_line;

typedef struct {
    const bpe_tables *tables;
    bool words_first;
    bpe_line *lines;
    uint64_t line_mask;
    bpe_workspace workspace;
} bpe_encoder;

/* Merge one piece. −1: no memory. */
static int64_t bpe_merge_piece(bpe_encoder *e, const uint8_t *piece, int64_t n, int32_t *out) {
    const bpe_tables *t = e->tables;
    if (e->words_first && n <= t->longest) {
        uint32_t id = bpe_find_word(t, piece, n);
        if (id != BPE_NONE) return out[0] = (int32_t)id, 1;
    }
    if (n <= BPE_SHORT) return bpe_merge_short(t, piece, n, out);
    if (e->workspace.room == 0 && !bpe_workspace_make(&e->workspace, BPE_CUT)) return -1;
    return bpe_merge_long(t, &e->workspace, piece, n, out);
}

/* A piece of up to 16 bytes, by the cache. `readable`: bytes from the piece to the end of the source. */
INLINE int64_t bpe_encode_short(bpe_encoder *e, const uint8_t *piece, int64_t n, int64_t readable, int32_t *out) {
    uint64_t low = 0, high = 0;
    if (readable >= BPE_KEY) {
        memcpy(&low, piece, 8);
        memcpy(&high, piece + 8, 8);
        low &= n >= 8 ? ~0ull : (1ull << 8 * n) - 1;
        high &= n >= 16 ? ~0ull : n <= 8 ? 0 : (1ull << 8 * (n - 8)) - 1;
    } else {
        memcpy(&low, piece, (size_t)(n < 8 ? n : 8));
        if (n > 8) memcpy(&high, piece + 8, (size_t)(n - 8));
    }
    uint64_t hash = (low ^ high * 0xc2b2ae3d27d4eb4full ^ (uint64_t)n) * 0x9e3779b97f4a7c15ull;
    bpe_line *line = &e->lines[(hash >> 40 ^ hash >> 20) & e->line_mask];
    if (line->length == n && line->low == low && line->high == high) {
        for (int32_t i = 0; i < line->count; i++) out[i] = line->ids[i];
        return line->count;
    }
    int64_t count = bpe_merge_piece(e, piece, n, out);
    if (count <= BPE_KEPT) { /* no memory is needed here, so count > 0 */
        line->low = low, line->high = high, line->length = (int32_t)n, line->count = (int32_t)count;
        memcpy(line->ids, out, (size_t)count * sizeof *out);
    }
    return count;
}

/* The ids of a source. classes [256]: of each byte, or NULL where the source is one piece between cuts. words_first: a piece that
 * is a word becomes its id unmerged. room ≥ length: there may be an id for each byte. The number of ids. */
EXPORT int64_t API(bpe_encode)(const void *handle, const uint8_t *classes, int64_t words_first, const uint8_t *source,
                               int64_t length, int32_t *ids, int64_t room) {
    if (length < 0 || room < length) return TP_ARGUMENT;
    int64_t lines = 64, count = 0;
    while (lines < length / 8 && lines < BPE_MAX_LINES) lines *= 2;
    bpe_encoder e = {.tables = handle, .words_first = words_first != 0, .line_mask = (uint64_t)lines - 1};
    e.lines = tp_zeros((size_t)lines * sizeof *e.lines);
    if (e.lines == NULL) return TP_MEMORY;
    for (int64_t at = 0; at < length && count >= 0;) {
        int64_t cut = (at / BPE_CUT + 1) * BPE_CUT, end = cut < length ? cut : length;
        int64_t stop = classes == NULL ? end : piece_end(classes, source, at, end), more;
        if (stop - at <= BPE_KEY) more = bpe_encode_short(&e, source + at, stop - at, length - at, ids + count);
        else more = bpe_merge_piece(&e, source + at, stop - at, ids + count);
        count = more < 0 ? TP_MEMORY : count + more;
        at = stop;
    }
    tp_free(e.lines);
    bpe_workspace_free(&e.workspace);
    return count;
}

/* ── decode ─────────────────────────────────────────────────────────────────────────────────────── */

/* How many bytes ids decode to. TP_DAMAGED: one of them has no word. */
EXPORT int64_t API(bpe_length)(const void *handle, const int32_t *ids, int64_t count) {
    const bpe_tables *t = handle;
    int64_t bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t id = (uint32_t)ids[i];
        if (id >= t->ids || t->length[id] == 0) return TP_DAMAGED;
        bytes += t->length[id];
    }
    return bytes;
}

/* The words of ids, one after another. TP_FULL: they are more than `room` bytes. */
EXPORT int64_t API(bpe_decode)(const void *handle, const int32_t *ids, int64_t count, uint8_t *out, int64_t room) {
    const bpe_tables *t = handle;
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t id = (uint32_t)ids[i];
        if (id >= t->ids || t->length[id] == 0) return TP_DAMAGED;
        const uint8_t *word = t->words + t->start[id];
        int64_t length = t->length[id];
        if (length > room - at) return TP_FULL;
        if (length <= BPE_SLACK && room - at >= BPE_SLACK) memcpy(out + at, word, BPE_SLACK);
        else memcpy(out + at, word, (size_t)length);
        at += length;
    }
    return at;
}

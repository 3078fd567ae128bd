/* The length of the records of a source: tables of numbers, rows of a bitmap, lines of one width.
 *
 * Every RECORD_EVERY bytes, the last RECORD_WINDOW bytes are compared with the bytes d before them, for each length d.
 * Only bytes that differ from their predecessor count: a run repeats at every distance. The decoder has seen the same
 * bytes, so a payload does not hold the length. priors/context_mixing/records.py is the twin. */
#ifndef TP_RECORDS_H
#define TP_RECORDS_H

#include "core.h"

#define RECORD_EVERY 4096
#define RECORD_WINDOW 2048
#define RECORD_SHORTEST 3
#define RECORD_LONGEST 1024 /* twice this and the window are in RECORD_EVERY bytes, so all distances lie in the history */
#define RECORD_FEW 64       /* with fewer bytes to count, as in a blank part, the length stays */
#define RECORD_SURE 16      /* a length below this needs half of the bytes: code and text have short repetitions */
#define RECORD_PART 128     /* bytes whose sum fits a byte */
#define RECORD_NEXT 4096    /* places, by the last two bytes, of the byte after them */

/* How often the last two bytes alone tell a byte that counts: a length must do better. */
static int32_t record_pairs(const uint8_t *window, const uint8_t *counts) {
    uint8_t next[RECORD_NEXT] = {0};
    int32_t told = 0;
    for (int i = 0; i < RECORD_WINDOW; i++) {
        uint8_t *place = next + ((window[i - 1] * 16 + window[i - 2] * 43) & (RECORD_NEXT - 1));
        told += counts[i] & (*place == window[i]);
        *place = window[i];
    }
    return told;
}

/* The length of the records at the end of `here` bytes, 0 for none; `before`: the length found RECORD_EVERY bytes
 * earlier. here: a multiple of RECORD_EVERY, at least one. */
static int64_t record_find(const uint8_t *history, int64_t here, int64_t before) {
    const uint8_t *window = history + here - RECORD_WINDOW;
    uint8_t counts[RECORD_WINDOW];
    int32_t total = 0, most = 0, same[RECORD_LONGEST + 1] = {0};
    for (int i = 0; i < RECORD_WINDOW; i++) total += counts[i] = window[i] != window[i - 1];
    if (total < RECORD_FEW) return before;
    for (int64_t d = RECORD_SHORTEST; d <= RECORD_LONGEST; d++) {
        for (int part = 0; part < RECORD_WINDOW; part += RECORD_PART) {
            uint8_t sum = 0;
            for (int i = part; i < part + RECORD_PART; i++) sum += counts[i] & (window[i] == window[i - d]);
            same[d] += sum;
        }
        if (same[d] > most) most = same[d];
    }
    if (most < total / 8 || most < record_pairs(window, counts)) return 0;
    int64_t found = before;
    if (before == 0 || same[before] * 8 < most * 7) /* the shortest of about the best, not a multiple of it */
        for (found = RECORD_SHORTEST; same[found] * 16 < most * 15;) found++;
    return found < RECORD_SURE && most < total / 2 ? 0 : found;
}

#endif

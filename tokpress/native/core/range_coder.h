/* The range coder: a number in [0, 2^64) is narrowed symbol by symbol (Martin 1979). With 24-bit frequencies, `left` being the sum
 * of those before the symbol and `right` the sum with it:
 *
 *     scale = range >> 24     lower += scale * left     range = scale * (right - left)
 *     when range < 2^32, the top 32 bits of lower are settled: they are written, lower and range move up
 *
 * The payload is that number's digits: its bytes, the highest first, without the zeros at the end. The decoder holds 64 bits of it at
 * `point`; (point - lower) / scale lies in its symbol's interval. constriction's queue coder narrows alike (Bamler 2022);
 * coding/coders/range_coder.py is the twin. */
#ifndef TP_RANGE_CODER_H
#define TP_RANGE_CODER_H

#include "core.h"

#define PRECISION 24
#define WHOLE (1u << PRECISION)
/* Most zero words that a decoder reads past the end. A valid payload needs fewer: an encoder drops one word at most,
 * and a decoder reads two words ahead. Part of the format. */
#define BEYOND 4

typedef struct {
    uint64_t lower, range;
    uint8_t *words; /* grows */
    size_t used, room; /* in words */
} range_encoder;

typedef struct {
    uint64_t lower, range, point;
    const uint8_t *payload;
    size_t size, next; /* in bytes */
} range_decoder;

static UNUSED void range_start_encoder(range_encoder *e) { *e = (range_encoder){.range = ~(uint64_t)0}; }

static UNUSED void range_free(range_encoder *e) {
    free(e->words);
    e->words = NULL;
    e->used = e->room = 0;
}

/* Room for so many more symbols, none of which takes more than a word. 0 or TP_MEMORY. */
static UNUSED int64_t range_reserve(range_encoder *e, size_t symbols) {
    if (symbols > SIZE_MAX / 16 || e->used > SIZE_MAX / 16) return TP_MEMORY;
    size_t wanted = e->used + symbols + 1; /* one: what range_finish writes */
    if (wanted <= e->room) return 0;
    if (wanted < 2 * e->room) wanted = 2 * e->room;
    uint8_t *words = realloc(e->words, 4 * wanted);
    if (words == NULL) return TP_MEMORY;
    e->words = words;
    e->room = wanted;
    return 0;
}

/* Add 1 to the number that the words are. */
static UNUSED void range_carry(range_encoder *e) {
    for (size_t at = e->used; at-- > 0;) {
        uint32_t word = load32_big(e->words + 4 * at) + 1;
        store32_big(e->words + 4 * at, word);
        if (word != 0) return;
    }
}

/* Narrow to an interval, 0 <= left < right <= WHOLE; range_reserve has made room. */
INLINE void range_push(range_encoder *e, uint32_t left, uint32_t right) {
    uint64_t scale = e->range >> PRECISION, before = e->lower;
    e->lower = before + scale * left;
    if (e->lower < before) range_carry(e);
    e->range = scale * (right - left);
    if (e->range < (uint64_t)1 << 32) {
        store32_big(e->words + 4 * e->used++, (uint32_t)(e->lower >> 32));
        e->lower <<= 32;
        e->range <<= 32;
    }
}

/* Choose the number of [lower, lower + range) that ends in the most zero bytes, and drop these. Returns the payload's
 * size in bytes. The range is at least 2^32, so a number that ends in four zero bytes always lies in it. */
static UNUSED size_t range_finish(range_encoder *e) {
    uint64_t point = e->lower;
    int bytes = 0; /* of the last word that are not left out */
    for (; bytes <= 4; bytes++) {
        uint64_t zeros = bytes > 0 ? ~(uint64_t)0 >> 8 * bytes : ~(uint64_t)0;
        point = (e->lower + zeros) & ~zeros;
        if (point - e->lower < e->range) break;
    }
    if (point < e->lower) range_carry(e);
    store32_big(e->words + 4 * e->used, (uint32_t)(point >> 32));
    return 4 * e->used + (size_t)bytes;
}

/* The next four bytes, zeros behind the end. */
INLINE uint32_t range_word(range_decoder *d) {
    uint32_t word = 0;
    if (d->next + 4 <= d->size)
        word = load32_big(d->payload + d->next);
    else
        for (size_t at = d->next; at < d->size; at++) word |= (uint32_t)d->payload[at] << (24 - 8 * (at - d->next));
    d->next += 4;
    return word;
}

static UNUSED void range_start_decoder(range_decoder *d, const uint8_t *payload, size_t size) {
    *d = (range_decoder){.range = ~(uint64_t)0, .payload = payload, .size = size};
    d->point = (uint64_t)range_word(d) << 32;
    d->point |= range_word(d);
}

/* Whether more than BEYOND words past the end have been read: the payload is too short for its symbols. */
INLINE bool range_is_over(const range_decoder *d) { return d->next > ((d->size + 3) & ~(size_t)3) + 4 * BEYOND; }

/* A number in the interval of the next symbol; WHOLE or more where no encoder writes such words. */
INLINE uint64_t range_target(const range_decoder *d) { return (d->point - d->lower) / (d->range >> PRECISION); }

/* Narrow to the interval of the symbol that was found. */
INLINE void range_pop(range_decoder *d, uint32_t left, uint32_t right) {
    uint64_t scale = d->range >> PRECISION;
    d->lower += scale * left;
    d->range = scale * (right - left);
    if (d->range < (uint64_t)1 << 32) {
        d->lower <<= 32;
        d->range <<= 32;
        d->point = d->point << 32 | range_word(d);
    }
}

/* One binary decision, whose one has the interval [0, one), 0 < one < WHOLE: no division. Words that no encoder writes give
 * zeros; range_is_over, or a checksum, tells. */
INLINE int range_pop_bit(range_decoder *d, uint32_t one) {
    uint64_t scale = d->range >> PRECISION, split = scale * one;
    int bit = d->point - d->lower < split;
    if (bit) {
        d->range = split;
    } else {
        d->lower += split;
        d->range = scale * (WHOLE - one);
    }
    if (d->range < (uint64_t)1 << 32) {
        d->lower <<= 32;
        d->range <<= 32;
        d->point = d->point << 32 | range_word(d);
    }
    return bit;
}
INLINE void range_push_bit(range_encoder *e, int bit, uint32_t one) {
    if (bit)
        range_push(e, 0, one);
    else
        range_push(e, one, WHOLE);
}

#endif

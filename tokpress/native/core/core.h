/* What every file of the core uses. Each .c file is compiled once for each instruction set, with the headers it needs: everything is
 * static but the functions that Python calls, whose names end in the instruction set: API(text_step) is tp_text_step_avx2.
 *
 * Rules: integers wrap only where they are unsigned; every float operation is one IEEE operation in the written order; no function
 * of libm; every length and index from outside is checked or masked before use. Machines are little-endian. */
#ifndef TP_CORE_H
#define TP_CORE_H

#if defined(__linux__)
#define _DEFAULT_SOURCE /* madvise */
#include <sys/mman.h>
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#ifndef MADV_HUGEPAGE
#define MADV_HUGEPAGE 14
#endif
int madvise(void *start, size_t size, int advice); /* which -std=c11 hides */
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the core reads words and weights as they lie in memory: little-endian machines only; others run the Python twins"
#endif
#if defined(__FAST_MATH__)
#error "one bit of difference in a float destroys a file: no -ffast-math"
#endif

#define TP_PASTE_(name, isa) tp_##name##_##isa
#define TP_PASTE(name, isa) TP_PASTE_(name, isa)
#define API(name) TP_PASTE(name, TP_ISA)
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline, unused))
#define UNUSED __attribute__((unused))
/* Before a loop whose number of turns is a small constant, so that arrays in it are registers. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Results below zero. */
enum { TP_DAMAGED = -1, TP_FULL = -2, TP_MEMORY = -3, TP_ARGUMENT = -4 };

/* Vectors that compile for every target; where registers are narrower, the compiler splits them. */
typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef float f32x8 __attribute__((vector_size(32)));

/* Bits of n >= 0, the highest being a one. */
INLINE int bit_length(int64_t n) {
    int bits = 0;
    while (n > 0) n >>= 1, bits++;
    return bits;
}
INLINE int32_t clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

/* Words at any address. */
INLINE uint32_t load32(const void *from) {
    uint32_t word;
    memcpy(&word, from, 4);
    return word;
}
INLINE void store32(void *to, uint32_t word) { memcpy(to, &word, 4); }

/* The same, the highest byte first. */
INLINE uint32_t load32_big(const void *from) { return __builtin_bswap32(load32(from)); }
INLINE void store32_big(void *to, uint32_t word) { store32(to, __builtin_bswap32(word)); }

INLINE void prefetch(const void *line) { __builtin_prefetch(line, 1, 3); }
/* The same of what is only read. */
INLINE void prefetch_read(const void *line) { __builtin_prefetch(line, 0, 3); }

/* Zeroed memory at a cache line, or NULL; free with tp_free. Large blocks come from the system untouched. */
static UNUSED void *tp_zeros(size_t size) {
    if (size > SIZE_MAX - 128) return NULL;
    void *raw = calloc(1, size + 64 + sizeof(void *));
    if (raw == NULL) return NULL;
    void **line = (void **)(((uintptr_t)raw + sizeof(void *) + 63) & ~(uintptr_t)63);
    line[-1] = raw;
#if defined(MADV_HUGEPAGE)
    /* tables are read at random: with large pages the processor finds the places of more of them */
    if (size >= (size_t)4 << 20) {
        uintptr_t page = ((uintptr_t)line + 4095) & ~(uintptr_t)4095;
        (void)madvise((void *)page, ((uintptr_t)line + size - page) & ~(uintptr_t)4095, MADV_HUGEPAGE);
    }
#endif
    return line;
}
/* The same for a large table that is read here and there: large pages where the system has them, since each new page costs a walk. */
static UNUSED void *tp_table(size_t size) {
    void *line = tp_zeros(size);
#if defined(__linux__)
    const uintptr_t page = (uintptr_t)1 << 21, start = ((uintptr_t)line + page - 1) & ~(page - 1), stop = ((uintptr_t)line + size) & ~(page - 1);
    if (line != NULL && stop > start) madvise((void *)start, stop - start, MADV_HUGEPAGE);
#endif
    return line;
}
static UNUSED void tp_free(void *line) {
    if (line != NULL) free(((void **)line)[-1]);
}

#endif

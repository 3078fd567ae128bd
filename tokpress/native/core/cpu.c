/* What the library is, and what this processor can do. Compiled once, for any processor. */
#include <stdint.h>
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* The sources that the library was built from (stamp.py). */
EXPORT const char *tp_stamp(void) { return TP_STAMP; }

enum { AVX2 = 1, AVX512 = 2, NEON = 4 };

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t enabled_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Intel's and AMD's manuals: a set is there where cpuid tells of it and the system saves its registers. */
EXPORT int64_t tp_processor(void) {
    uint32_t a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    uint32_t fma = c >> 12 & 1, osxsave = c >> 27 & 1, avx = c >> 28 & 1;
    if (!osxsave || !avx || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    uint64_t saved = enabled_registers();
    uint32_t avx2 = b >> 5 & 1, bmi = (b >> 3 & 1) & (b >> 8 & 1);
    uint32_t f = b >> 16 & 1, dq = b >> 17 & 1, bw = b >> 30 & 1, vl = b >> 31 & 1, vnni = c >> 11 & 1;
    if ((saved & 6) == 6 && avx2 && bmi && fma) found |= AVX2;
    if ((saved & 0xE6) == 0xE6 && (found & AVX2) && f && dq && bw && vl && vnni) found |= AVX512;
    return found;
}
#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
EXPORT int64_t tp_processor(void) { return getauxval(AT_HWCAP) >> 20 & 1 ? NEON : 0; /* HWCAP_ASIMDDP: dot products */ }
#elif defined(__APPLE__)
EXPORT int64_t tp_processor(void) { return NEON; /* every one has dot products */ }
#else
EXPORT int64_t tp_processor(void) { return 0; }
#endif
#else
EXPORT int64_t tp_processor(void) { return 0; }
#endif

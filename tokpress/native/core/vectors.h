/* Vectors of FLOATS float32, and what generic vectors cannot say: roots, rounding, extremes, bytes. FLOATS is the width of a register.
 * Rows of numbers are padded with zeros to ROW_PAD, so that no loop has a remainder. */
#ifndef TP_VECTORS_H
#define TP_VECTORS_H

#include "core.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define FLOATS 16
#elif defined(__AVX2__)
#define FLOATS 8
#else
#define FLOATS 4
#endif

typedef float vf __attribute__((vector_size(4 * FLOATS)));
typedef int32_t vi __attribute__((vector_size(4 * FLOATS)));
typedef uint32_t vu __attribute__((vector_size(4 * FLOATS)));

/* Floats, and bytes, to which every row is padded. */
#define ROW_PAD 32
INLINE int64_t padded(int64_t n) { return (n + ROW_PAD - 1) / ROW_PAD * ROW_PAD; }

/* The same at any address. (memcpy of a wide vector keeps it in memory, in some compilers.) */
typedef vf vf_anywhere __attribute__((aligned(4), may_alias));
typedef vi vi_anywhere __attribute__((aligned(4), may_alias));

INLINE vf vf_load(const float *from) { return *(const vf_anywhere *)from; }
INLINE void vf_store(float *to, vf v) { *(vf_anywhere *)to = v; }
INLINE vi vi_load(const int32_t *from) { return *(const vi_anywhere *)from; }
INLINE void vi_store(int32_t *to, vi v) { *(vi_anywhere *)to = v; }
INLINE vf vf_all(float x) { return x - (vf){0}; }
INLINE vi vi_all(int32_t x) { return x - (vi){0}; }
INLINE vf vf_of(vi v) { return __builtin_convertvector(v, vf); }
INLINE vf vf_abs(vf v) { return (vf)((vi)v & 0x7FFFFFFF); }

/* The larger, the smaller of two; the square root; the nearest integer, halves to even; the integer towards 0. */
#if defined(__AVX512F__)
INLINE vf vf_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf vf_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf vf_sqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
INLINE vi vf_nearest(vf a) { return (vi)_mm512_cvtps_epi32((__m512)a); }
INLINE vi vf_truncate(vf a) { return (vi)_mm512_cvttps_epi32((__m512)a); }
INLINE vi vi_max(vi a, vi b) { return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b); }
#elif defined(__AVX2__)
INLINE vf vf_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf vf_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf vf_sqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
INLINE vi vf_nearest(vf a) { return (vi)_mm256_cvtps_epi32((__m256)a); }
INLINE vi vf_truncate(vf a) { return (vi)_mm256_cvttps_epi32((__m256)a); }
INLINE vi vi_max(vi a, vi b) { return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b); }
#elif defined(__SSE2__)
INLINE vf vf_max(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vf vf_min(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
INLINE vf vf_sqrt(vf a) { return (vf)_mm_sqrt_ps((__m128)a); }
INLINE vi vf_nearest(vf a) { return (vi)_mm_cvtps_epi32((__m128)a); }
INLINE vi vf_truncate(vf a) { return (vi)_mm_cvttps_epi32((__m128)a); }
INLINE vi vi_max(vi a, vi b) {
    vi more = a > b;
    return (a & more) | (b & ~more);
}
#elif defined(__aarch64__)
INLINE vf vf_max(vf a, vf b) { return (vf)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vf vf_min(vf a, vf b) { return (vf)vminq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vf vf_sqrt(vf a) { return (vf)vsqrtq_f32((float32x4_t)a); }
INLINE vi vf_nearest(vf a) { return (vi)vcvtnq_s32_f32((float32x4_t)a); }
INLINE vi vf_truncate(vf a) { return (vi)vcvtq_s32_f32((float32x4_t)a); }
INLINE vi vi_max(vi a, vi b) { return (vi)vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
#else
INLINE vf vf_max(vf a, vf b) {
    vi more = a > b;
    return (vf)(((vi)a & more) | ((vi)b & ~more));
}
INLINE vf vf_min(vf a, vf b) {
    vi less = a < b;
    return (vf)(((vi)a & less) | ((vi)b & ~less));
}
INLINE vf vf_sqrt(vf a) {
    for (int k = 0; k < FLOATS; k++) a[k] = __builtin_sqrtf(a[k]);
    return a;
}
/* Adding 1.5 * 2^23 rounds |x| < 2^22 to an integer, which then stands in the low bits. */
INLINE vi vf_nearest(vf a) { return (vi)(a + 12582912.0f) - 0x4B400000; }
INLINE vi vf_truncate(vf a) { return __builtin_convertvector(a, vi); }
INLINE vi vi_max(vi a, vi b) {
    vi more = a > b;
    return (a & more) | (b & ~more);
}
#endif

/* The largest lane; the sum of all lanes modulo 2^32, and without bounds. Lanes by halves: one by one, each waits for the one before. */
#if defined(__SSE2__)
INLINE float vf_highest(vf v) {
#if defined(__AVX512F__)
    const __m256 wide = _mm256_max_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#elif defined(__AVX2__)
    const __m256 wide = (__m256)v;
#endif
#if defined(__AVX2__)
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(wide), _mm256_extractf128_ps(wide, 1));
#else
    __m128 x = (__m128)v;
#endif
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}
INLINE uint32_t vu_sum(vu v) {
#if defined(__AVX512F__)
    const __m256i wide = _mm256_add_epi32(_mm512_castsi512_si256((__m512i)v), _mm512_extracti64x4_epi64((__m512i)v, 1));
#elif defined(__AVX2__)
    const __m256i wide = (__m256i)v;
#endif
#if defined(__AVX2__)
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
#else
    __m128i x = (__m128i)v;
#endif
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4E));
    return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xB1)));
}
#else
INLINE float vf_highest(vf v) {
    float highest = v[0];
    for (int k = 1; k < FLOATS; k++) highest = v[k] > highest ? v[k] : highest;
    return highest;
}
INLINE uint32_t vu_sum(vu v) {
    uint32_t sum = 0;
    for (int k = 0; k < FLOATS; k++) sum += v[k];
    return sum;
}
#endif
INLINE int64_t vi_sum(vi v) { return (int64_t)(int32_t)vu_sum((vu)(v >> 16)) * 65536 + vu_sum((vu)(v & 0xFFFF)); }
INLINE float scalar_sqrt(float x) { return vf_sqrt(vf_all(x))[0]; }
INLINE int32_t scalar_nearest(float x) { return vf_nearest(vf_all(x))[0]; }

/* FLOATS bytes 0 ... 255, and FLOATS of -128 ... 127. */
#if defined(__AVX512F__)
INLINE vi vi_of_bytes(const uint8_t *from) { return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from)); }
INLINE vi vi_of_signed(const int8_t *from) { return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)); }
#elif defined(__AVX2__)
INLINE vi vi_of_bytes(const uint8_t *from) { return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from)); }
INLINE vi vi_of_signed(const int8_t *from) { return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)); }
#else
INLINE vi vi_of_bytes(const uint8_t *from) { return (vi){from[0], from[1], from[2], from[3]}; }
INLINE vi vi_of_signed(const int8_t *from) { return (vi){from[0], from[1], from[2], from[3]}; }
#endif

/* PACK vectors of integers -127 ... 127 to PACK * FLOATS bytes, `offset` added to each. */
#if defined(__AVX512F__)
#define PACK 2
#else
#define PACK 4
#endif
INLINE void vi_bytes(const vi v[PACK], uint8_t offset, uint8_t *to) {
#if defined(__AVX512F__)
    __m256i bytes = _mm256_set_m128i(_mm512_cvtepi32_epi8((__m512i)v[1]), _mm512_cvtepi32_epi8((__m512i)v[0]));
    _mm256_storeu_si256((__m256i *)to, _mm256_xor_si256(bytes, _mm256_set1_epi8((char)offset)));
#elif defined(__AVX2__)
    __m256i low = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]), high = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)to, _mm256_xor_si256(bytes, _mm256_set1_epi8((char)offset)));
#elif defined(__SSE2__)
    __m128i low = _mm_packs_epi32((__m128i)v[0], (__m128i)v[1]), high = _mm_packs_epi32((__m128i)v[2], (__m128i)v[3]);
    _mm_storeu_si128((__m128i *)to, _mm_xor_si128(_mm_packs_epi16(low, high), _mm_set1_epi8((char)offset)));
#else
    for (int p = 0; p < PACK; p++)
        for (int k = 0; k < FLOATS; k++) to[p * FLOATS + k] = (uint8_t)((uint32_t)v[p][k] + offset);
#endif
}

#endif

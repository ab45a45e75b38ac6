/* Vectors of whole numbers and floats, for the instruction set that this file is compiled for.
 *
 * Most of it is GCC's and Clang's vector types, the same for all; a few operations that these have no word for, or
 * compile badly, are intrinsics. All of it is exact or one rounding an operation, so that every level gives the same bits.
 */
#ifndef COMEO_SIMD_H
#define COMEO_SIMD_H

#include <stdint.h>
#include <string.h>

#define ISA_PLAIN 0
#define ISA_SSE41 1
#define ISA_AVX2 2
#define ISA_AVX512 3
#define ISA_NEON 4
#define ISA_WASM 5

#if COMEO_ISA == ISA_SSE41 || COMEO_ISA == ISA_AVX2 || COMEO_ISA == ISA_AVX512
#include <immintrin.h>
#elif COMEO_ISA == ISA_NEON
#include <arm_neon.h>
#elif COMEO_ISA == ISA_WASM
#include <wasm_simd128.h>
#endif

#define COMEO_PASTE2(a, b, c) a##b##_##c
#define COMEO_PASTE(a, b, c) COMEO_PASTE2(a, b, c)
#define LEVELLED(name) COMEO_PASTE(comeo_, COMEO_LEVEL, name)
#define INLINE static inline __attribute__((always_inline))

#if COMEO_ISA == ISA_AVX2 || COMEO_ISA == ISA_AVX512
#define LANES 8
#else
#define LANES 4
#endif

typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef float vf __attribute__((vector_size(4 * LANES)));

INLINE vi vi_load(const int32_t *from) {
    vi v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vi_store(int32_t *to, vi v) { memcpy(to, &v, sizeof v); }

INLINE vi vi_all(int32_t value) { return (vi){0} + value; }

INLINE vf vf_load(const float *from) {
    vf v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vf_store(float *to, vf v) { memcpy(to, &v, sizeof v); }

INLINE vf vf_all(float value) { return (vf){0} + value; }

INLINE vf vf_of(vi v) { return __builtin_convertvector(v, vf); }

INLINE vi vi_of_words(const int16_t *from) {
    int16_t words __attribute__((vector_size(2 * LANES)));
    memcpy(&words, from, sizeof words);
    return __builtin_convertvector(words, vi);
}

INLINE vi vi_of_bytes(const uint8_t *from) {
    uint8_t bytes __attribute__((vector_size(LANES)));
    memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, vi);
}

/* Towards zero. */
INLINE vi vi_of(vf v) { return __builtin_convertvector(v, vi); }

#if COMEO_ISA == ISA_AVX2 || COMEO_ISA == ISA_AVX512

INLINE vi vi_min(vi a, vi b) { return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b); }
INLINE vi vi_abs(vi v) { return (vi)_mm256_abs_epi32((__m256i)v); }
INLINE int vi_any(vi v) { return !_mm256_testz_si256((__m256i)v, (__m256i)v); }
INLINE vf vf_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf vf_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }

INLINE void vi_bytes(uint8_t *to, vi v) {
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(words, words));
}

INLINE void vi_words(int16_t *to, vi v) {
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storeu_si128((__m128i *)to, words);
}

INLINE void vi_unsigned_words(uint16_t *to, vi v) {
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storeu_si128((__m128i *)to, words);
}

#else

typedef int16_t v_words __attribute__((vector_size(2 * LANES)));
typedef uint16_t v_unsigned_words __attribute__((vector_size(2 * LANES)));
typedef uint8_t v_bytes __attribute__((vector_size(LANES)));

INLINE vi vi_choose(vi mask, vi yes, vi no) { return (mask & yes) | (~mask & no); }

#if COMEO_ISA == ISA_SSE41
INLINE vi vi_min(vi a, vi b) { return (vi)_mm_min_epi32((__m128i)a, (__m128i)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)_mm_max_epi32((__m128i)a, (__m128i)b); }
INLINE vi vi_abs(vi v) { return (vi)_mm_abs_epi32((__m128i)v); }
INLINE int vi_any(vi v) { return !_mm_testz_si128((__m128i)v, (__m128i)v); }
#elif COMEO_ISA == ISA_NEON
INLINE vi vi_min(vi a, vi b) { return (vi)vminq_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi vi_abs(vi v) { return (vi)vabsq_s32((int32x4_t)v); }
INLINE int vi_any(vi v) { return vmaxvq_u32((uint32x4_t)v) != 0; }
#elif COMEO_ISA == ISA_WASM
INLINE vi vi_min(vi a, vi b) { return (vi)wasm_i32x4_min((v128_t)a, (v128_t)b); }
INLINE vi vi_max(vi a, vi b) { return (vi)wasm_i32x4_max((v128_t)a, (v128_t)b); }
INLINE vi vi_abs(vi v) { return (vi)wasm_i32x4_abs((v128_t)v); }
INLINE int vi_any(vi v) { return wasm_v128_any_true((v128_t)v); }
#else
INLINE vi vi_min(vi a, vi b) { return vi_choose(a < b, a, b); }
INLINE vi vi_max(vi a, vi b) { return vi_choose(a > b, a, b); }
INLINE vi vi_abs(vi v) { return vi_max(v, -v); }
INLINE int vi_any(vi v) { return (v[0] | v[1] | v[2] | v[3]) != 0; }
#endif

INLINE vf vf_min(vf a, vf b) { return (vf)vi_choose(a < b, (vi)a, (vi)b); }
INLINE vf vf_max(vf a, vf b) { return (vf)vi_choose(a > b, (vi)a, (vi)b); }

INLINE void vi_bytes(uint8_t *to, vi v) {
    v_bytes bytes = __builtin_convertvector(v, v_bytes);
    memcpy(to, &bytes, sizeof bytes);
}

INLINE void vi_words(int16_t *to, vi v) {
    v_words words = __builtin_convertvector(v, v_words);
    memcpy(to, &words, sizeof words);
}

INLINE void vi_unsigned_words(uint16_t *to, vi v) {
    v_unsigned_words words = __builtin_convertvector(v, v_unsigned_words);
    memcpy(to, &words, sizeof words);
}

#endif

INLINE vi vi_limited(vi v, int32_t peak) { return vi_min(vi_max(v, vi_all(-peak)), vi_all(peak)); }

/* All bits of the first lanes. */
INLINE vi vi_first(int lanes) {
    vi mask;
    for (int i = 0; i < LANES; i++) mask[i] = i < lanes ? -1 : 0;
    return mask;
}

/* v with the sign of `like`; `like` of 0 counts as positive. */
INLINE vi vi_signed(vi v, vi like) {
    vi negative = like >> 31;
    return (v ^ negative) - negative;
}

/* ⌊16·log₂(1 + v/16) + ½⌋ of whole numbers from 0, those above LARGEST_VALUE taken for it.
 *
 * The exponent of v + 16 as a float is the whole part of the logarithm. Of the mantissa: a polynomial, or, where tables of 32
 * words are looked up at once, its first five bits say between which two steps of the sixteen it may lie, and a word added to
 * it carries where it is beyond the step. Both are exact for each of the 3841 numbers, which `comeo_magnitudes` lets a caller
 * see for itself. */
#if COMEO_ISA == ISA_AVX512
static const uint32_t steps[32] = {
    0x7d3279, 0x800000, 0xf767f1, 0x1715bc6, 0x1800000, 0x1eb0b10, 0x26472c6, 0x2800000,
    0x2dd8fbc, 0x3000000, 0x3565ea5, 0x3800000, 0x3cedc0a, 0x4000000, 0x4470450, 0x4800000,
    0x4bed3b3, 0x5000000, 0x5364642, 0x5800000, 0x5ad57e2, 0x6000000, 0x6240448, 0x6800000,
    0x6800000, 0x69a46f9, 0x7000000, 0x7101b46, 0x7800000, 0x7800000, 0x7857c4d, 0x8000000,
};

INLINE vi magnitude(vi v) {
    v = vi_min(v, vi_all(LARGEST_VALUE));
    vi bits = (vi)vf_of(v + 16);
    __m512i first = _mm512_loadu_si512(steps), second = _mm512_loadu_si512(steps + 16);
    __m512i place = _mm512_castsi256_si512((__m256i)(bits >> 18)); /* of which five bits count */
    vi step = (vi)_mm512_castsi512_si256(_mm512_permutex2var_epi32(first, place, second));
    return (((bits >> 23) - (127 + 4)) << 4) + (vi)_mm256_srli_epi32((__m256i)((bits & 0x7fffff) + step), 23);
}
#else
INLINE vi magnitude(vi v) {
    v = vi_min(v, vi_all(LARGEST_VALUE));
    vi bits = (vi)vf_of(v + 16);
    vi octave = (bits >> 23) - (127 + 4);
    vf x = (vf)((bits & 0x7fffff) | 0x3f800000) - 1.5f;
    vf sum = vf_all(2.364595323e-01f);
    sum = sum * x + -4.019712526e-01f;
    sum = sum * x + 5.994070002e-01f;
    sum = sum * x + -1.129434811e+00f;
    sum = sum * x + 2.280421923e+00f;
    sum = sum * x + -5.130117323e+00f;
    sum = sum * x + 1.538873555e+01f;
    sum = sum * x + 9.859404245e+00f;
    return (octave << 4) + vi_of(sum);
}
#endif

#endif

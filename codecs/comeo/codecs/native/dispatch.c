/* Which instruction sets there are, and which this processor has. */
#include "internal.h"

#if !defined(COMEO_SOURCES)
#error "compile by tools/native.py: a library has to know what it was made from"
#endif

#define DECLARE(level)                                                                                        \
    void comeo_##level##_features(comeo_context *, int, int, const int32_t *, int);                           \
    void comeo_##level##_networks(comeo_context *, int, int, const int32_t *, int);                           \
    void comeo_##level##_note(comeo_context *, int, const int32_t *, int);                                    \
    void comeo_##level##_pairs(comeo_context *, int);                                                         \
    int comeo_##level##_inverse(comeo_context *, const comeo_picture *);                                      \
    void comeo_##level##_filter(const comeo_filter *, float *, int, int, size_t, float, void *);              \
    void comeo_##level##_magnitudes(uint8_t *, int);                                                          \
    static const struct kernels level##_kernels = {                                                           \
        #level,              comeo_##level##_features, comeo_##level##_networks,  comeo_##level##_note,       \
        comeo_##level##_pairs, comeo_##level##_inverse,  comeo_##level##_filter,                              \
        comeo_##level##_magnitudes,                                                                           \
    };

#if defined(COMEO_ONLY_LEVEL) /* where there is one instruction set and nothing to ask */
#define COMEO_DECLARE(level) DECLARE(level)
#define COMEO_ADDRESS2(level) &level##_kernels
#define COMEO_ADDRESS(level) COMEO_ADDRESS2(level)
COMEO_DECLARE(COMEO_ONLY_LEVEL)
static const struct kernels *const levels[] = {COMEO_ADDRESS(COMEO_ONLY_LEVEL)};
static bool usable(int level) { return level == 0; }
#elif defined(__x86_64__)
#include <cpuid.h>
DECLARE(plain)
DECLARE(sse41)
DECLARE(avx2)
DECLARE(avx512)
static const struct kernels *const levels[] = {&plain_kernels, &sse41_kernels, &avx2_kernels, &avx512_kernels};

/* State that the operating system saves when it switches tasks: without it registers would be lost. */
static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool usable(int level) {
    enum { YMM = 0x6, ZMM = 0xe6 };
    uint32_t a, b, c, d, b7 = 0, c7 = 0;
    if (level == 0) return true;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
    if (level == 1) return (c & bit_SSE4_1) && (c & bit_SSSE3);
    if (!(c & bit_OSXSAVE) || !(c & bit_AVX)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d)) return false;
    uint64_t state = saved_state();
    if (!(b7 & bit_AVX2) || (state & YMM) != YMM) return false;
    const uint32_t need = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    return level == 2 || ((b7 & need) == need && (c7 & bit_AVX512VNNI) && (state & ZMM) == ZMM);
}
#elif defined(__aarch64__)
DECLARE(plain)
DECLARE(neon)
static const struct kernels *const levels[] = {&plain_kernels, &neon_kernels};
static bool usable(int level) { return level == 0 || level == 1; }
#else
DECLARE(plain)
static const struct kernels *const levels[] = {&plain_kernels};
static bool usable(int level) { return level == 0; }
#endif

enum { LEVELS = sizeof levels / sizeof *levels };

const char *comeo_sources(void) { return COMEO_SOURCES; }

int comeo_level_count(void) { return LEVELS; }

const char *comeo_level_name(int level) { return level >= 0 && level < LEVELS ? levels[level]->name : NULL; }

int comeo_level_usable(int level) { return level >= 0 && level < LEVELS && usable(level); }

const struct kernels *comeo_kernels(int level) { return comeo_level_usable(level) ? levels[level] : NULL; }

int comeo_magnitudes(int level, uint8_t *found, int count) {
    const struct kernels *kernels = comeo_kernels(level);
    if (!kernels || !found || count < 0) return COMEO_BAD_ARGUMENT;
    kernels->magnitudes(found, count);
    return COMEO_OK;
}

comeo_context *comeo_context_new(int level) {
    const struct kernels *kernels = comeo_kernels(level);
    comeo_context *context = kernels ? calloc(1, sizeof *context) : NULL;
    if (context) context->kernels = kernels;
    return context;
}

void comeo_context_free(comeo_context *context) {
    if (!context) return;
    comeo_release(context->whole.start);
    comeo_release(context->scratch.start);
    comeo_release(context->floats.start);
    free(context);
}

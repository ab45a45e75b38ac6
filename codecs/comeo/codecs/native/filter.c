/* The classified filter of decoded components: comeo/codecs/learned/filter.py says what it is and why.
 *
 * Whole numbers from the rounded samples to the correction: any order of sums gives the same. A sum of limited differences
 * (limit(a − c) + limit(b − c)) is computed as limit(a, c) + limit(b, c) − 2c, where limit(a, c) keeps a within c ± limit,
 * and the last term once for all pairs. */
#include "internal.h"
#include "simd.h"

enum {
    CELL = FILTER_CELL,
    WINDOW_MARGIN = 2,
    WINDOW = CELL + 2 * WINDOW_MARGIN,
    AROUND = 2,             /* rows and columns of neighbours */
    BEFORE = 8,             /* samples before each row */
    TOP = 8191,             /* largest sample */
    STRAIGHT = 181,         /* a diagonal difference reaches √2 as far */
    DIAGONAL = 128,
    AT_ONCE = 2 * LANES     /* samples: one cell or two */
};

typedef int16_t vw __attribute__((vector_size(2 * AT_ONCE)));

struct samples {
    int height, width;
    size_t stride;
    int16_t *first;         /* sample (0, 0) */
    int32_t *sums;          /* (FILTER_DIRECTIONS, stride): of a row of cells' windows, by columns */
    uint8_t *classes;       /* of a row of cells */
};

static const int8_t offsets[FILTER_PAIRS][2] = {
    {0, 1}, {1, 0}, {1, 1}, {1, -1}, {0, 2}, {2, 0}, {1, 2}, {1, -2}, {2, 1}, {2, -1}, {2, 2}, {2, -2},
};

INLINE vw vw_load(const int16_t *from) {
    vw v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE vw vw_all(int value) { return (vw){0} + (int16_t)value; }

#if COMEO_ISA == ISA_AVX2 || COMEO_ISA == ISA_AVX512
INLINE vw vw_min(vw a, vw b) { return (vw)_mm256_min_epi16((__m256i)a, (__m256i)b); }
INLINE vw vw_max(vw a, vw b) { return (vw)_mm256_max_epi16((__m256i)a, (__m256i)b); }
#elif COMEO_ISA == ISA_SSE41
INLINE vw vw_min(vw a, vw b) { return (vw)_mm_min_epi16((__m128i)a, (__m128i)b); }
INLINE vw vw_max(vw a, vw b) { return (vw)_mm_max_epi16((__m128i)a, (__m128i)b); }
#elif COMEO_ISA == ISA_WASM
INLINE vw vw_min(vw a, vw b) { return (vw)wasm_i16x8_min((v128_t)a, (v128_t)b); }
INLINE vw vw_max(vw a, vw b) { return (vw)wasm_i16x8_max((v128_t)a, (v128_t)b); }
#elif COMEO_ISA == ISA_NEON
INLINE vw vw_min(vw a, vw b) { return (vw)vminq_s16((int16x8_t)a, (int16x8_t)b); }
INLINE vw vw_max(vw a, vw b) { return (vw)vmaxq_s16((int16x8_t)a, (int16x8_t)b); }
#else
INLINE vw vw_min(vw a, vw b) { return (vw)(((a < b) & a) | (~(a < b) & b)); }
INLINE vw vw_max(vw a, vw b) { return (vw)(((a < b) & b) | (~(a < b) & a)); }
#endif

INLINE vw vw_abs(vw v) { return vw_max(v, -v); }

/* Add a · (low half of weight) + b · (high half) of each sample. `parts` holds the samples in the order in which halves of
 * vectors are interleaved; `ordered` puts them right. */
#if COMEO_ISA == ISA_AVX2 || COMEO_ISA == ISA_AVX512
#if COMEO_ISA == ISA_AVX512
INLINE vi add_madd(vi sum, __m256i a, vi b) { return (vi)_mm256_dpwssd_epi32((__m256i)sum, a, (__m256i)b); }
#else
INLINE vi add_madd(vi sum, __m256i a, vi b) { return sum + (vi)_mm256_madd_epi16(a, (__m256i)b); }
#endif
INLINE void add_products(vi *parts, vw a, vw b, vi weight) {
    parts[0] = add_madd(parts[0], _mm256_unpacklo_epi16((__m256i)a, (__m256i)b), weight);
    parts[1] = add_madd(parts[1], _mm256_unpackhi_epi16((__m256i)a, (__m256i)b), weight);
}
INLINE vi ordered(const vi *parts, int half) {
    return half ? (vi)_mm256_permute2x128_si256((__m256i)parts[0], (__m256i)parts[1], 0x31)
                : (vi)_mm256_permute2x128_si256((__m256i)parts[0], (__m256i)parts[1], 0x20);
}
#else
#if COMEO_ISA == ISA_SSE41
INLINE void add_products(vi *parts, vw a, vw b, vi weight) {
    parts[0] += (vi)_mm_madd_epi16(_mm_unpacklo_epi16((__m128i)a, (__m128i)b), (__m128i)weight);
    parts[1] += (vi)_mm_madd_epi16(_mm_unpackhi_epi16((__m128i)a, (__m128i)b), (__m128i)weight);
}
#elif COMEO_ISA == ISA_WASM
INLINE void add_products(vi *parts, vw a, vw b, vi weight) {
    v128_t low = wasm_i16x8_shuffle((v128_t)a, (v128_t)b, 0, 8, 1, 9, 2, 10, 3, 11);
    v128_t high = wasm_i16x8_shuffle((v128_t)a, (v128_t)b, 4, 12, 5, 13, 6, 14, 7, 15);
    parts[0] += (vi)wasm_i32x4_dot_i16x8(low, (v128_t)weight);
    parts[1] += (vi)wasm_i32x4_dot_i16x8(high, (v128_t)weight);
}
#else
INLINE vi half_of(vw v, int half) {
    v_words words;
    memcpy(&words, (const char *)&v + half * sizeof words, sizeof words);
    return __builtin_convertvector(words, vi);
}
INLINE void add_products(vi *parts, vw a, vw b, vi weight) {
    vi low = (vi)((weight << 16) >> 16), high = weight >> 16;
    for (int half = 0; half < 2; half++) parts[half] += half_of(a, half) * low + half_of(b, half) * high;
}
#endif
INLINE vi ordered(const vi *parts, int half) { return parts[half]; }
#endif

INLINE int least(int a, int b) { return a < b ? a : b; }
INLINE int most(int a, int b) { return a > b ? a : b; }

/* Whole sixteenths, half to even, within ±TOP, and the outermost once more and again around them. */
static void fill(const struct samples *samples, const float *plane, size_t stride) {
    const float whole = 12582912.0f; /* 1.5 · 2²³: a float of this size has no bits behind the point */
    for (int y = 0; y < samples->height; y++) {
        const float *from = plane + (size_t)y * stride;
        int16_t *to = samples->first + (ptrdiff_t)y * (ptrdiff_t)samples->stride;
        for (int x = 0; x < samples->width; x += LANES) {
            vf value = vf_min(vf_max(vf_load(from + x), vf_all(-TOP)), vf_all(TOP));
            vi_words(to + x, vi_of((value + whole) - whole));
        }
        for (int x = 1; x <= AROUND; x++) to[-x] = to[0];
        for (size_t x = (size_t)samples->width; x < samples->stride - BEFORE; x++) to[x] = to[samples->width - 1];
    }
    int16_t *start = samples->first - BEFORE;
    size_t row = samples->stride;
    for (int y = 1; y <= AROUND; y++) {
        memcpy(start - y * row, start, row * sizeof *start);
        memcpy(start + (samples->height - 1 + y) * row, start + (samples->height - 1) * row, row * sizeof *start);
    }
}

static int class_of(const comeo_filter *filter, const struct samples *samples, int left, int right, int rows) {
    int32_t found[FILTER_DIRECTIONS] = {0};
    for (int i = 0; i < FILTER_DIRECTIONS; i++)
        for (int x = left; x < right; x++) found[i] += samples->sums[i * samples->stride + x];
    int32_t scaled = (found[0] + found[1]) * (WINDOW * WINDOW), count = rows * (right - left);
    int activity = 0, direction = 0;
    for (int i = 0; i < filter->threshold_count; i++) activity += scaled >= filter->thresholds[i] * count;
    for (int i = 0; i < FILTER_DIRECTIONS; i++) found[i] *= i < 2 ? STRAIGHT : DIAGONAL;
    for (int i = 1; i < FILTER_DIRECTIONS; i++)
        if (found[i] > found[direction]) direction = i;
    return FILTER_DIRECTIONS * activity + direction;
}

/* Of each column, sums over rows of the absolute differences between opposite neighbours. */
static void sum_columns(const struct samples *samples, int top, int bottom) {
    ptrdiff_t stride = (ptrdiff_t)samples->stride, away[FILTER_DIRECTIONS] = {1, stride, stride + 1, stride - 1};
    vi once = vi_all(0x10001);
    for (int x = 0; x < samples->width; x += AT_ONCE) {
        vi sums[FILTER_DIRECTIONS][2] = {0};
        const int16_t *own = samples->first + top * stride + x;
        for (int y = top; y < bottom; y += 2, own += 2 * stride)
            for (int i = 0; i < FILTER_DIRECTIONS; i++) {
                vw here = vw_abs(vw_load(own + away[i]) - vw_load(own - away[i])), below = {0};
                if (y + 1 < bottom) below = vw_abs(vw_load(own + stride + away[i]) - vw_load(own + stride - away[i]));
                add_products(sums[i], here, below, once);
            }
        for (int i = 0; i < 2 * FILTER_DIRECTIONS; i++)
            vi_store(samples->sums + i / 2 * stride + x + i % 2 * LANES, ordered(sums[i / 2], i % 2));
    }
}

static void classify(const comeo_filter *filter, const struct samples *samples, int row) {
    int top = most(row * CELL - WINDOW_MARGIN, 0), bottom = least((row + 1) * CELL + WINDOW_MARGIN, samples->height);
    int width = samples->width;
    sum_columns(samples, top, bottom);
    for (int cell = 0; cell * CELL < width; cell++) {
        int left = most(cell * CELL - WINDOW_MARGIN, 0), right = least((cell + 1) * CELL + WINDOW_MARGIN, width);
        samples->classes[cell] = (uint8_t)class_of(filter, samples, left, right, bottom - top);
    }
}

/* Weights of the cells that a vector of samples lies in; the last: of twice the sample itself. */
INLINE void take_weights(const comeo_filter *filter, const uint8_t *classes, vi *weights) {
    for (int pair = 0; pair <= FILTER_PAIRS; pair++)
        for (int cell = 0; cell < LANES / 4; cell++)
            memcpy((char *)&weights[pair] + cell * 16, filter->taps[classes[cell]][pair], 16);
}

INLINE void correct(const comeo_filter *filter, const int16_t *own, size_t stride, const vi *weights, float unit, float *to) {
    vw centre = vw_load(own), wide = vw_all(filter->limits[0]), narrow = vw_all(filter->limits[1]);
    vw wide_low = centre - wide, wide_high = centre + wide, narrow_low = centre - narrow, narrow_high = centre + narrow;
    vi parts[2] = {vi_all(0), vi_all(0)};
    add_products(parts, centre + centre, centre + centre, weights[FILTER_PAIRS]);
    for (int pair = 0; pair < FILTER_PAIRS; pair++) {
        ptrdiff_t away = offsets[pair][0] * (ptrdiff_t)stride + offsets[pair][1];
        vw one = vw_load(own + away), other = vw_load(own - away);
        vw far = vw_min(vw_max(one, wide_low), wide_high) + vw_min(vw_max(other, wide_low), wide_high);
        vw near = vw_min(vw_max(one, narrow_low), narrow_high) + vw_min(vw_max(other, narrow_low), narrow_high);
        add_products(parts, far, near, weights[pair]);
    }
    for (int half = 0; half < 2; half++)
        vf_store(to + half * LANES, (vf_load(to + half * LANES) + vf_of(ordered(parts, half)) * (1.0f / 256)) * unit);
}

/* Whether nothing is added in the cells that a vector of samples lies in: about half of them, at small rates. */
INLINE int is_idle(const comeo_filter *filter, const uint8_t *classes) {
    int idle = 1;
    for (int cell = 0; cell < LANES / 4; cell++) idle &= filter->idle[classes[cell]];
    return idle;
}

INLINE void scale(float unit, float *to) {
    for (int half = 0; half < 2; half++) vf_store(to + half * LANES, vf_load(to + half * LANES) * unit);
}

/* Filter a component in place, (height, stride) of which `width` columns count, in sixteenths; then times unit.
 *
 * Rows have whole vectors of AT_ONCE samples. `memory` has what comeo_filter_memory says. */
void LEVELLED(filter)(const comeo_filter *filter, float *plane, int height, int width, size_t stride, float unit, void *memory) {
    struct samples samples = {.height = height, .width = width, .stride = comeo_filter_stride(width)};
    samples.sums = memory;
    samples.first = (int16_t *)(samples.sums + FILTER_DIRECTIONS * samples.stride) + AROUND * samples.stride + BEFORE;
    samples.classes = (uint8_t *)(samples.first - BEFORE + (size_t)(height + AROUND) * samples.stride);
    fill(&samples, plane, stride);
    for (int row = 0; row * CELL < height; row++) {
        classify(filter, &samples, row);
        samples.classes[(width + CELL - 1) / CELL] = 0; /* of a vector's second cell, where there is none */
        int bottom = least((row + 1) * CELL, height);
        for (int x = 0; x < width; x += AT_ONCE) {
            vi weights[FILTER_PAIRS + 1];
            if (is_idle(filter, samples.classes + x / CELL)) {
                for (int y = row * CELL; y < bottom; y++) scale(unit, plane + (size_t)y * stride + x);
                continue;
            }
            take_weights(filter, samples.classes + x / CELL, weights);
            for (int y = row * CELL; y < bottom; y++)
                correct(filter, samples.first + (size_t)y * samples.stride + x, samples.stride, weights, unit,
                        plane + (size_t)y * stride + x);
        }
    }
}

/* The networks of a pass: predicted means and scale indexes. Exact, whatever the order of sums: all are whole numbers below 2²⁴.
 *
 * Most inputs are zero, so the words of two rows that are not are listed first, and only their weights are looked at. */
#include "internal.h"
#include "simd.h"

/* Sums of products of one word of inputs (4 × 0…127, or 2 × int16), the same for all outputs, with the weights of
 * some outputs. Pairs of products of bytes stay below 2¹⁵, so instructions that saturate there never do. */
#if COMEO_ISA == ISA_AVX512
typedef __m512i sums;
enum { OUTPUTS = 16 };
INLINE sums word_of(uint32_t word) { return _mm512_set1_epi32((int)word); }
INLINE sums sums_load(const int32_t *from) { return _mm512_loadu_si512(from); }
INLINE void sums_store(int32_t *to, sums v) { _mm512_storeu_si512(to, v); }
INLINE sums add_bytes(sums sum, sums x, const uint8_t *w) { return _mm512_dpbusd_epi32(sum, x, _mm512_loadu_si512(w)); }
INLINE sums add_words(sums sum, sums x, const uint8_t *w) { return _mm512_dpwssd_epi32(sum, x, _mm512_loadu_si512(w)); }
#elif COMEO_ISA == ISA_AVX2
typedef __m256i sums;
enum { OUTPUTS = 8 };
INLINE sums word_of(uint32_t word) { return _mm256_set1_epi32((int)word); }
INLINE sums sums_load(const int32_t *from) { return _mm256_loadu_si256((const __m256i *)from); }
INLINE void sums_store(int32_t *to, sums v) { _mm256_storeu_si256((__m256i *)to, v); }
INLINE sums add_bytes(sums sum, sums x, const uint8_t *w) {
    __m256i pairs = _mm256_maddubs_epi16(x, _mm256_loadu_si256((const __m256i *)w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
INLINE sums add_words(sums sum, sums x, const uint8_t *w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, _mm256_loadu_si256((const __m256i *)w)));
}
#elif COMEO_ISA == ISA_SSE41
typedef __m128i sums;
enum { OUTPUTS = 4 };
INLINE sums word_of(uint32_t word) { return _mm_set1_epi32((int)word); }
INLINE sums sums_load(const int32_t *from) { return _mm_loadu_si128((const __m128i *)from); }
INLINE void sums_store(int32_t *to, sums v) { _mm_storeu_si128((__m128i *)to, v); }
INLINE sums add_bytes(sums sum, sums x, const uint8_t *w) {
    __m128i pairs = _mm_maddubs_epi16(x, _mm_loadu_si128((const __m128i *)w));
    return _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
}
INLINE sums add_words(sums sum, sums x, const uint8_t *w) {
    return _mm_add_epi32(sum, _mm_madd_epi16(x, _mm_loadu_si128((const __m128i *)w)));
}
#elif COMEO_ISA == ISA_NEON
typedef int32x4_t sums;
enum { OUTPUTS = 4 };
INLINE sums word_of(uint32_t word) { return vreinterpretq_s32_u32(vdupq_n_u32(word)); }
INLINE sums sums_load(const int32_t *from) { return vld1q_s32(from); }
INLINE void sums_store(int32_t *to, sums v) { vst1q_s32(to, v); }
INLINE sums add_bytes(sums sum, sums x, const uint8_t *w) {
    int8x16_t inputs = vreinterpretq_s8_s32(x), weights = vld1q_s8((const int8_t *)w);
    int16x8_t low = vmull_s8(vget_low_s8(inputs), vget_low_s8(weights));
    return vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(inputs, weights)));
}
INLINE sums add_words(sums sum, sums x, const uint8_t *w) {
    int16x8_t inputs = vreinterpretq_s16_s32(x), weights = vld1q_s16((const int16_t *)(const void *)w);
    int32x4_t low = vmull_s16(vget_low_s16(inputs), vget_low_s16(weights));
    return vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(inputs, weights)));
}
#elif COMEO_ISA == ISA_WASM
typedef v128_t sums;
enum { OUTPUTS = 4 };
INLINE sums word_of(uint32_t word) { return wasm_i32x4_splat((int)word); }
INLINE sums sums_load(const int32_t *from) { return wasm_v128_load(from); }
INLINE void sums_store(int32_t *to, sums v) { wasm_v128_store(to, v); }
INLINE sums add_bytes(sums sum, sums x, const uint8_t *w) {
    v128_t weights = wasm_v128_load(w);
    v128_t low = wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(x), wasm_i16x8_extend_low_i8x16(weights));
    v128_t high = wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(x), wasm_i16x8_extend_high_i8x16(weights));
    v128_t even = wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), odd = wasm_i32x4_shuffle(low, high, 1, 3, 5, 7);
    return wasm_i32x4_add(sum, wasm_i32x4_add(even, odd));
}
INLINE sums add_words(sums sum, sums x, const uint8_t *w) {
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x, wasm_v128_load(w)));
}
#else
typedef vi sums;
enum { OUTPUTS = 4 };
INLINE sums word_of(uint32_t word) { return vi_all((int32_t)word); }
INLINE sums sums_load(const int32_t *from) { return vi_load(from); }
INLINE void sums_store(int32_t *to, sums v) { vi_store(to, v); }
INLINE sums add_bytes(sums sum, sums x, const uint8_t *w) {
    vi weights;
    memcpy(&weights, w, sizeof weights);
    for (int byte = 0; byte < 4; byte++) /* sign extended by shifts up and down */
        sum += (vi)((vi)(x << (24 - 8 * byte)) >> 24) * (vi)((vi)(weights << (24 - 8 * byte)) >> 24);
    return sum;
}
INLINE sums add_words(sums sum, sums x, const uint8_t *w) {
    vi weights;
    memcpy(&weights, w, sizeof weights);
    return sum + ((vi)(x << 16) >> 16) * ((vi)(weights << 16) >> 16) + (x >> 16) * (weights >> 16);
}
#endif

/* Two rows at a time, so that weights, which don't fit the first cache, are read once for both. */
enum {
    PAIR = 2,
    MOST = COMEO_ISA == ISA_AVX512 ? 10 : 6 /* vectors of sums that registers hold twice */
};

INLINE void multiply(const uint8_t *const x[PAIR], const uint16_t *places, int count, const uint8_t *weights, size_t stride,
                     int32_t *const out[PAIR], int vectors, bool bytes, bool more) {
    sums sum[PAIR][MOST];
    for (int j = 0; j < PAIR; j++)
        for (int r = 0; r < vectors; r++)
            if (more) sum[j][r] = sums_load(out[j] + OUTPUTS * r);
            else memset(&sum[j][r], 0, sizeof sum[j][r]);
    for (int i = 0; i < count; i++) {
        const uint8_t *row = weights + places[i] * stride;
        sums inputs[PAIR];
        for (int j = 0; j < PAIR; j++) {
            uint32_t word;
            memcpy(&word, x[j] + 4 * (size_t)places[i], 4);
            inputs[j] = word_of(word);
        }
        for (int r = 0; r < vectors; r++)
            for (int j = 0; j < PAIR; j++) {
                const uint8_t *w = row + 4 * OUTPUTS * r;
                sum[j][r] = bytes ? add_bytes(sum[j][r], inputs[j], w) : add_words(sum[j][r], inputs[j], w);
            }
    }
    for (int j = 0; j < PAIR; j++)
        for (int r = 0; r < vectors; r++) sums_store(out[j] + OUTPUTS * r, sum[j][r]);
}

/* Rows of inputs and of sums. */
struct rows {
    const uint8_t *x;
    size_t x_stride;
    const uint16_t *places; /* of each pair of rows */
    const int *place_counts;
    size_t most_places;
    int32_t *out; /* (count, padded outputs) */
    int count;
};

/* The second row of a pair; the last row may be a pair by itself. */
INLINE int beside(const struct rows *rows, int i) { return i + 1 < rows->count ? i + 1 : i; }

INLINE void some_outputs(const struct layer *layer, const struct rows *rows, int column, int vectors, bool bytes, bool more) {
    const uint8_t *weights = (const uint8_t *)layer->weights + 4 * (size_t)column;
    size_t padded = (size_t)layer->padded;
    for (int i = 0; i < rows->count; i += PAIR) {
        int j = beside(rows, i), pair = i / PAIR;
        const uint8_t *const x[PAIR] = {rows->x + i * rows->x_stride, rows->x + j * rows->x_stride};
        int32_t *const out[PAIR] = {rows->out + i * padded + column, rows->out + j * padded + column};
        multiply(x, rows->places + pair * rows->most_places, rows->place_counts[pair], weights, 4 * padded, out, vectors,
                 bytes, more);
    }
}

INLINE void all_outputs(const struct layer *layer, const struct rows *rows, bool bytes, bool more) {
    int left = layer->padded / OUTPUTS, column = 0;
    for (int parts = (left + MOST - 1) / MOST; parts; parts--) {
        int vectors = (left + parts - 1) / parts; /* about the same for all parts */
        switch (vectors) { /* so that sums stay in registers */
            case 1: some_outputs(layer, rows, column, 1, bytes, more); break;
            case 2: some_outputs(layer, rows, column, 2, bytes, more); break;
            case 3: some_outputs(layer, rows, column, 3, bytes, more); break;
            case 4: some_outputs(layer, rows, column, 4, bytes, more); break;
            case 5: some_outputs(layer, rows, column, 5, bytes, more); break;
            case 6: some_outputs(layer, rows, column, 6, bytes, more); break;
#if COMEO_ISA == ISA_AVX512
            case 7: some_outputs(layer, rows, column, 7, bytes, more); break;
            case 8: some_outputs(layer, rows, column, 8, bytes, more); break;
            case 9: some_outputs(layer, rows, column, 9, bytes, more); break;
            case 10: some_outputs(layer, rows, column, 10, bytes, more); break;
#endif
        }
        left -= vectors;
        column += vectors * OUTPUTS;
    }
}

static void bytes_layer(const struct layer *layer, const struct rows *rows) { all_outputs(layer, rows, true, false); }
static void more_bytes(const struct layer *layer, const struct rows *rows) { all_outputs(layer, rows, true, true); }
static void words_layer(const struct layer *layer, const struct rows *rows) { all_outputs(layer, rows, false, false); }

/* List the words from `first` to `last` that are not zero in one of two rows; up to 15 places behind are written, too. */
#if COMEO_ISA == ISA_AVX512
static int list_pair(const uint8_t *one, const uint8_t *other, int first, int last, uint16_t *places) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int found = 0;
    for (int place = first; place < last; place += 16) {
        __mmask16 own = last - place < 16 ? (__mmask16)((1 << (last - place)) - 1) : (__mmask16)0xffff;
        __m512i words = _mm512_or_si512(
            _mm512_maskz_loadu_epi32(own, one + 4 * (size_t)place), _mm512_maskz_loadu_epi32(own, other + 4 * (size_t)place));
        __mmask16 some = _mm512_test_epi32_mask(words, words);
        __m512i at = _mm512_maskz_compress_epi32(some, _mm512_add_epi32(lanes, _mm512_set1_epi32(place)));
        _mm256_storeu_si256((__m256i *)(places + found), _mm512_cvtepi32_epi16(at));
        found += __builtin_popcount(some);
    }
    return found;
}
#else
static int list_pair(const uint8_t *one, const uint8_t *other, int first, int last, uint16_t *places) {
    int found = 0;
    for (int place = first; place < last; place++) { /* without a branch: it would be guessed wrongly */
        uint32_t words[PAIR];
        memcpy(&words[0], one + 4 * (size_t)place, 4);
        memcpy(&words[1], other + 4 * (size_t)place, 4);
        places[found] = (uint16_t)place;
        found += (words[0] | words[1]) != 0;
    }
    return found;
}
#endif

/* List the words from `first` to `last` that are not zero, pair by pair. */
static void list_words(struct rows *rows, uint16_t *places, int *counts, int first, int last) {
    for (int i = 0; i < rows->count; i += PAIR)
        counts[i / PAIR] = list_pair(rows->x + i * rows->x_stride, rows->x + beside(rows, i) * rows->x_stride, first, last,
                                     places + i / PAIR * rows->most_places);
}

/* ⌊(sum + bias) · scale⌋ as 0…peak. */
INLINE void limit(const int32_t *sum, const float *bias, const float *scale, int count, int peak, uint8_t *to) {
    for (int c = 0; c < count; c += LANES) {
        vi found = vi_of((vf_of(vi_load(sum + c)) + vf_load(bias + c)) * vf_load(scale + c));
        vi_bytes(to + c, vi_min(vi_max(found, vi_all(0)), vi_all(peak)));
    }
}

/* ⌊(sum + bias) · scale⌋, of either sign. */
INLINE vi floored(const int32_t *sum, const struct layer *layer, int c) {
    vf value = (vf_of(vi_load(sum + c)) + vf_load(layer->bias + c)) * vf_load(layer->scale + c);
    vi found = vi_of(value);
    return found + (vf_of(found) > value);
}

/* The energy classes' part of a layer, added to its biases: the same for all tiles of an item. */
static void fold(const comeo_context *context, const int32_t *weights, const float *bias, int padded, float *to) {
    for (int item = 0; item < context->items; item++, to += padded)
        for (int c = 0; c < padded; c += LANES) {
            vi sum = vi_all(0);
            for (int k = 0; k < context->model->components; k++)
                sum += vi_load(weights + k * padded + c) * vi_all(context->energy[item][k]);
            vf_store(to + c, vf_load(bias + c) + vf_of(sum));
        }
}

static size_t hidden_stride(const struct layer *layer) { return padded_to((size_t)layer->padded, SPARE); }

/* A hidden layer of the rows: its sums to 0…127. Returns its rows, for the next layer. */
static struct rows hide(comeo_context *context, const struct layer *layer, struct rows rows, const float *bias, const int *items) {
    size_t stride = hidden_stride(layer);
    for (int i = 0; i < rows.count; i++)
        limit(rows.out + i * (size_t)layer->padded, bias + (items ? (size_t)items[i] * layer->padded : 0), layer->scale,
              layer->padded, PEAK, context->hidden + i * stride);
    struct rows next = rows;
    next.x = context->hidden;
    next.x_stride = stride;
    list_words(&next, context->places, context->place_counts, 0, (layer->outputs + 3) / 4);
    return next;
}

/* Each channel's own features weigh on it alone. */
static void add_own(const struct network *net, const uint8_t *features, int32_t *sums) {
    const uint8_t *own = features + net->features - net->kinds * net->channels;
    size_t padded = padded_to((size_t)net->channels, PADDING);
    for (int kind = 0; kind < net->kinds; kind++, own += net->channels) {
        const int16_t *weights = net->own + kind * padded;
        for (int c = 0; c < net->channels; c += LANES) /* beyond the channels weights are zero */
            vi_store(sums + c, vi_load(sums + c) + vi_of_words(weights + c) * vi_of_bytes(own + c));
    }
}

static void scales(comeo_context *context, const struct network *net, struct rows rows, const int *items) {
    size_t padded = (size_t)net->last.padded;
    int energies = COPIES * context->model->components / 4;
    struct rows inputs = rows;
    fold(context, net->energy_first, net->first.bias, net->first.padded, context->bias_first);
    fold(context, net->energy_last, net->last.bias, net->last.padded, context->bias_last);
    list_words(&inputs, context->places, context->place_counts, energies, net->first.words);
    bytes_layer(&net->first, &inputs);
    struct rows hidden = hide(context, &net->first, inputs, context->bias_first, items);
    bytes_layer(&net->second, &hidden);
    hidden = hide(context, &net->second, hidden, net->second.bias, NULL);
    bytes_layer(&net->last, &hidden);
    list_words(&inputs, context->places, context->place_counts, energies, net->again.words);
    more_bytes(&net->again, &inputs);
    for (int i = 0; i < rows.count; i++) {
        int32_t *sums = context->total + i * padded;
        add_own(net, rows.x + i * rows.x_stride, sums);
        limit(sums, context->bias_last + items[i] * padded, net->last.scale, (int)padded, SCALES - 1,
              context->index + i * padded);
    }
}

static void means(comeo_context *context, const struct network *net, struct rows rows) {
    size_t padded = (size_t)net->last.padded;
    if (net->linear.inputs) {
        rows.x = (const uint8_t *)context->bends;
        rows.x_stride = 4 * padded_to((size_t)net->bend.words, PADDING);
        rows.out = context->bent;
        list_words(&rows, context->places, context->place_counts, 0, net->bend.words);
        words_layer(&net->bend, &rows);
        struct rows hidden = hide(context, &net->bend, rows, net->bend.bias, NULL);
        bytes_layer(&net->bent, &hidden);
        rows.x = (const uint8_t *)context->neighbours;
        rows.x_stride = 4 * padded_to((size_t)net->linear.words, PADDING);
        rows.out = context->total;
        list_words(&rows, context->places, context->place_counts, 0, net->linear.words);
        words_layer(&net->linear, &rows);
    }
    for (int i = 0; i < rows.count; i++)
        for (size_t c = 0; c < padded; c += LANES) {
            size_t at = i * padded + c;
            vi mean = vi_all(0);
            if (net->linear.inputs)
                mean = floored(context->total + i * padded, &net->linear, (int)c) +
                       floored(context->bent + i * padded, &net->bent, (int)c);
            if (net->cross) mean += (vi_load(context->crossed + at) * vi_load(net->cross + c) + 32) >> 6;
            vi_store(context->mean + at, vi_limited(mean, MEAN_PEAK));
        }
}

void LEVELLED(networks)(comeo_context *context, int group, int pass, const int32_t *tiles, int count) {
    const struct network *net = &context->model->networks[group][pass];
    int items[TILES_AT_ONCE];
    for (int i = 0; i < count; i++) items[i] = tiles[i] / context->plan->tiles;
    struct rows rows = {
        context->features, (size_t)net->stride, context->places, context->place_counts,
        (size_t)context->model->most_words, context->total, count,
    };
    scales(context, net, rows, items);
    means(context, net, rows);
}

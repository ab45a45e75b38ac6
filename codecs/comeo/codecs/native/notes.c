/* What is remembered of values that a pass has decoded: sizes, how many are large, products of components. */
#include "internal.h"
#include "simd.h"

static int note_sizes(const int32_t *values, int count, uint8_t *sizes) {
    int large = 0;
    for (int c = 0; c < count; c += 4) { /* groups begin and end at multiples of four channels, or vectors end at a row's */
        int last = count - c < 4 ? count - c : 4;
        int32_t any = 0;
        for (int i = c; i < c + last; i++) any |= values[i];
        if (!any) {
            memset(sizes + c, 0, (size_t)last);
            continue;
        }
        int32_t four[LANES] = {0};
        uint8_t bytes[LANES];
        for (int i = 0; i < last; i++) four[i] = values[c + i];
        vi size = vi_abs(vi_load(four));
        vi_bytes(bytes, magnitude(size));
        memcpy(sizes + c, bytes, (size_t)last);
        vi_store(four, size >= UNIT / 2);
        for (int i = 0; i < last; i++) large -= four[i];
    }
    return large;
}

static int32_t limited(int32_t value) {
    return value > VALUE_PEAK ? VALUE_PEAK : value < -VALUE_PEAK ? -VALUE_PEAK : value;
}

static void add_products(const int32_t *values, const struct run *run, int64_t *sums) {
    const int32_t *partners = values + run->from, *own = values + run->to;
    for (int c = run->first_rank; c < run->count; c++) {
        if (!(partners[c] | own[c])) continue;
        int64_t one = limited(partners[c]), other = limited(own[c]);
        sums[0] += one * other;
        sums[1] += one * one;
        sums[2] += other * other;
    }
}

void LEVELLED(note)(comeo_context *context, int number, const int32_t *tiles, int count) {
    const struct group *group = &context->model->groups[number];
    size_t channels = (size_t)context->model->channels;
    int32_t *counts = context->counts + (size_t)number * (context->plan->count + 1);
    for (int i = 0; i < count; i++) {
        const int32_t *values = context->values + tiles[i] * channels;
        int64_t *sums = context->sums + (size_t)tiles[i] * 3 * MAX_COMPONENTS;
        counts[tiles[i]] += note_sizes(values + group->start, group->count,
                                       context->sizes + tiles[i] * channels + group->start);
        for (int run = 0; run < group->run_count; run++)
            add_products(values, &group->runs[run], sums + 3 * group->runs[run].pair);
    }
}

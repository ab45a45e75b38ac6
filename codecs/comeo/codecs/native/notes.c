/* What is remembered of values that a pass has decoded: sizes, how many are large, products of components. */
#include "internal.h"
#include "simd.h"

/* Whole vectors: channels beyond the group's end belong to it or are zero, or are the next tile's, whose sizes these are as well. */
static int note_sizes(const int32_t *values, int count, uint8_t *sizes) {
    vi large = vi_all(0);
    for (int c = 0; c < count; c += LANES) {
        vi value = vi_load(values + c);
        if (!vi_any(value)) {
            memset(sizes + c, 0, LANES);
            continue;
        }
        vi size = vi_abs(value), found = size >= UNIT / 2;
        vi_bytes(sizes + c, magnitude(size));
        if (count - c < LANES) found &= vi_first(count - c);
        large -= found;
    }
    int sum = 0;
    for (int i = 0; i < LANES; i++) sum += large[i];
    return sum;
}

static int32_t limited(int32_t value) {
    return value > VALUE_PEAK ? VALUE_PEAK : value < -VALUE_PEAK ? -VALUE_PEAK : value;
}

static void add_products(const int32_t *values, const struct run *run, int64_t *sums) {
    const int32_t *partners = values + run->from, *own = values + run->to;
    for (int start = 0; start < run->count; start += LANES) {
        if (!vi_any(vi_load(partners + start) | vi_load(own + start))) continue; /* most are zero */
        int end = start + LANES < run->count ? start + LANES : run->count;
        for (int c = start ? start : run->first_rank; c < end; c++) {
            int64_t one = limited(partners[c]), other = limited(own[c]);
            sums[0] += one * other;
            sums[1] += one * one;
            sums[2] += other * other;
        }
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

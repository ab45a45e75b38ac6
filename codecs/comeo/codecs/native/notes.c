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

typedef int64_t vl __attribute__((vector_size(8 * LANES)));

static void add_products(const int32_t *values, const struct run *run, int64_t *sums) {
    const int32_t *partners = values + run->from, *own = values + run->to;
    vl found[3] = {0};
    for (int c = 0; c < run->count; c += LANES) {
        vi one = vi_load(partners + c), other = vi_load(own + c);
        if (!vi_any(one | other)) continue; /* most are zero */
        one = vi_limited(one, VALUE_PEAK);
        other = vi_limited(other, VALUE_PEAK);
        if (run->count - c < LANES) {
            one &= vi_first(run->count - c);
            other &= vi_first(run->count - c);
        }
        if (!c && run->first_rank) one[0] = other[0] = 0;
        found[0] += __builtin_convertvector(one * other, vl);
        found[1] += __builtin_convertvector(one * one, vl);
        found[2] += __builtin_convertvector(other * other, vl);
    }
    for (int i = 0; i < 3; i++)
        for (int lane = 0; lane < LANES; lane++) sums[i] += found[i][lane];
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

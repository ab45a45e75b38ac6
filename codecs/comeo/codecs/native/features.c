/* Inputs of a pass's networks, from the values decoded so far: as comeo.codecs.learned.features has them.
 *
 * Rows are written from left to right by whole vectors: what one part writes beyond its end, the next part overwrites; behind
 * the last there are PADDING bytes to spare, whose weights are zero. */
#include "internal.h"
#include "simd.h"

/* Sizes of |one| + |other|, or of |one − other|. */
INLINE void pair_sizes(const int32_t *one, const int32_t *other, int count, uint8_t *to) {
    for (int c = 0; c < count; c += LANES) {
        vi a = vi_load(one + c), b = vi_load(other + c);
        if (vi_any(a | b)) vi_bytes(to + c, magnitude(vi_abs(a) + vi_abs(b)));
        else memset(to + c, 0, LANES);
    }
}

INLINE void apart_sizes(const int32_t *one, const int32_t *other, int count, uint8_t *to) {
    for (int c = 0; c < count; c += LANES) {
        vi apart = vi_load(one + c) - vi_load(other + c);
        if (vi_any(apart)) vi_bytes(to + c, magnitude(vi_abs(apart)));
        else memset(to + c, 0, LANES);
    }
}

/* About 4·log₂ of a sum of products, as 0…PEAK: without branches, which would be guessed wrongly. */
INLINE uint8_t quarter_octaves(int64_t value) {
    uint64_t size = (uint64_t)(value < 0 ? -value : value) >> 6;
    int octave = 63 - __builtin_clzll(size | 1), found = 4 * octave + (int)(size << 2 >> octave & 3) + 1;
    found = found < PEAK ? found : PEAK;
    return (uint8_t)(found & -(int)(size != 0));
}

/* Products of components, over the tile four times and each of the eight around once. All that there may be: a length that
 * the compiler knows. */
static void add_up(const comeo_context *context, int tile, int64_t *totals) {
    enum { SUMS = 3 * MAX_COMPONENTS };
    const int32_t *beside = context->plan->beside + 4 * tile, *corners = context->plan->corners + 4 * tile;
    const int64_t *all = context->sums;
    int64_t found[SUMS];
    for (int j = 0; j < SUMS; j++) found[j] = 4 * all[(size_t)tile * SUMS + j];
    for (int side = 0; side < 4; side++) {
        const int64_t *one = all + (size_t)beside[side] * SUMS, *other = all + (size_t)corners[side] * SUMS;
        for (int j = 0; j < SUMS; j++) found[j] += one[j] + other[j];
    }
    memcpy(totals, found, sizeof found);
}

/* The quotient of a crossed prediction, in 65 536ths: rounded down, and at most 256. */
static double ratio_of(const int64_t *totals) {
    const int64_t peak = 1 << 24;
    int64_t top = totals[0] * 65536, bottom = totals[1] + 32 * UNIT * UNIT, found = top / bottom;
    if (top % bottom < 0) found--;
    return (double)(found > peak ? peak : found < -peak ? -peak : found) / 65536.0;
}

/* Each channel's prediction from its partner, ⌊ratio · value + ½⌋; products have 39 bits, so doubles are exact. */
static void cross(const comeo_context *context, const struct group *group, int tile, const int64_t *totals,
                  int32_t *crossed, uint8_t *sizes) {
    const int32_t *values = context->values + (size_t)tile * context->model->channels;
    for (int number = 0; number < group->run_count; number++) {
        const struct run *run = &group->runs[number];
        const int32_t *partners = values + run->from;
        int32_t *to = crossed + (run->to - group->start);
        uint8_t *size = sizes + (run->to - group->start);
        double ratio = ratio_of(totals + 3 * run->pair);
        for (int c = 0; c < run->count; c += LANES) {
            vi partner = vi_load(partners + c);
            if (!vi_any(partner)) {
                vi_store(to + c, partner);
                memset(size + c, 0, LANES);
                continue;
            }
            int32_t limited[LANES], found[LANES];
            vi_store(limited, vi_limited(partner, VALUE_PEAK));
            /* Below 2²⁴, so that adding it makes what is rounded towards zero positive. */
            for (int i = 0; i < LANES; i++)
                found[i] = (int32_t)((double)limited[i] * ratio + 16777216.5) - 16777216;
            vi result = vi_limited(vi_load(found), CROSS_PEAK);
            vi_store(to + c, result);
            vi_bytes(size + c, magnitude(vi_abs(result)));
        }
    }
}

INLINE vi whole_of(vi value) { return (value + UNIT / 2) >> 4; }

INLINE void bend_of(int16_t *to, vi value) { vi_words(to, vi_signed(magnitude(vi_abs(value)), value)); }

/* Of the group's own four neighbours: values; the size of their mean, and of what they are off it. */
static void own_neighbours(const int32_t *const around[4], int count, int16_t *whole, int16_t *bends) {
    int32_t means[MAX_COMPONENTS * FREQUENCIES + PADDING];
    for (int c = 0; c < count; c += LANES) {
        vi mean = vi_all(2);
        for (int side = 0; side < 4; side++) mean += vi_limited(vi_load(around[side] + c), UNIT * NEIGHBOUR_PEAK);
        mean >>= 2;
        vi_store(means + c, mean);
        bend_of(bends + c, mean);
    }
    for (int side = 0; side < 4; side++, whole += count) {
        bends += count;
        for (int c = 0; c < count; c += LANES) {
            vi value = vi_limited(vi_load(around[side] + c), UNIT * NEIGHBOUR_PEAK);
            vi_words(whole + c, whole_of(value));
            bend_of(bends + c, value - vi_load(means + c));
        }
    }
}

/* Of channels before, in the tile and around it: values; their sizes in the tile, and of what is different around. */
static void channels_before(const int32_t *own, const int32_t *const around[4], int count, int16_t *whole,
                            int16_t *bends) {
    for (int side = -1; side < 4; side++) {
        const int32_t *from = side < 0 ? own : around[side];
        for (int c = 0; c < count; c += LANES) {
            vi value = vi_limited(vi_load(from + c), UNIT * NEIGHBOUR_PEAK);
            vi_words(whole + c, whole_of(value));
            if (side >= 0) value -= vi_limited(vi_load(own + c), UNIT * NEIGHBOUR_PEAK);
            bend_of(bends + c, value);
        }
        whole += count;
        bends += count;
    }
}

static void neighbours(const comeo_context *context, const struct group *group, int tile, const int32_t *known,
                       int16_t *whole, int16_t *bends) {
    size_t channels = (size_t)context->model->channels;
    const int32_t *values = context->values, *around = context->plan->around + 4 * tile, *sides[4];
    if (known) {
        for (int side = 0; side < 4; side++) sides[side] = values + known[side] * channels + group->start;
        own_neighbours(sides, group->count, whole, bends);
        whole += 4 * group->count;
        bends += 5 * group->count;
    }
    for (int side = 0; side < 4; side++) sides[side] = values + around[side] * channels;
    channels_before(values + tile * channels, sides, group->before, whole, bends);
}

/* Sizes of the group's own pairs: of their sums and, where means are predicted, of their differences. */
static uint8_t *own_pairs(const comeo_context *context, const struct group *group, const int32_t *known, uint8_t *to) {
    size_t channels = (size_t)context->model->channels;
    const int32_t *sides[4];
    for (int side = 0; side < 4; side++) sides[side] = context->values + known[side] * channels + group->start;
    for (int pair = 0; pair < 2; pair++, to += group->count)
        pair_sizes(sides[2 * pair], sides[2 * pair + 1], group->count, to);
    /* A pair that is one tile, mirrored, says nothing: the other stands for it. */
    for (int pair = 0; group->before >= 0 && pair < 2; pair++, to += group->count) {
        int chosen = known[2 * pair] == known[2 * pair + 1] ? 1 - pair : pair;
        apart_sizes(sides[2 * chosen], sides[2 * chosen + 1], group->count, to);
    }
    return to;
}

void LEVELLED(features)(comeo_context *context, int number, int pass, const int32_t *tiles, int count) {
    const comeo_model *model = context->model;
    const struct group *group = &model->groups[number];
    const struct network *net = &model->networks[number][pass];
    const int32_t *all_known = comeo_known(context->plan, group, pass);
    size_t channels = (size_t)model->channels, wide = padded_to((size_t)group->count, PADDING);
    int sums = 3 * (model->components - 1);
    for (int i = 0; i < count; i++) {
        int tile = tiles[i];
        const int32_t *known = all_known ? all_known + 4 * tile : NULL;
        int64_t totals[3 * MAX_COMPONENTS];
        uint8_t *to = context->features + (size_t)i * net->stride + COPIES * model->components;
        add_up(context, tile, totals);
        for (int j = 0; j < sums; j++) *to++ = quarter_octaves(totals[j]);
        for (int k = 0; k < group->sizes.count; k++) {
            const struct group *other = &model->groups[group->sizes.of[k]];
            memcpy(to, context->sizes + tile * channels + other->start, (size_t)other->count);
            to += other->count;
        }
        for (int k = 0; k < 2 * group->pairs.count; k++) {
            const struct group *other = &model->groups[group->pairs.of[k / 2]];
            memcpy(to, context->pairs + (2 * (size_t)tile + k % 2) * channels + other->start, (size_t)other->count);
            to += other->count;
        }
        if (known) to = own_pairs(context, group, known, to);
        if (group->crossed) {
            cross(context, group, tile, totals, context->crossed + i * wide, to);
            to += group->count;
        }
        memset(to, 0, PADDING);
        if (net->linear.inputs) {
            int16_t *whole = context->neighbours + 2 * (size_t)i * padded_to((size_t)net->linear.words, PADDING);
            int16_t *bends = context->bends + 2 * (size_t)i * padded_to((size_t)net->bend.words, PADDING);
            neighbours(context, group, tile, known, whole, bends);
        }
    }
}

void LEVELLED(magnitudes)(uint8_t *found, int count) {
    for (int i = 0; i < count; i += LANES) {
        int32_t numbers[LANES];
        uint8_t bytes[LANES];
        for (int j = 0; j < LANES; j++) numbers[j] = i + j;
        vi_bytes(bytes, magnitude(vi_load(numbers)));
        memcpy(found + i, bytes, (size_t)(count - i < LANES ? count - i : LANES));
    }
}

/* Sizes of the two pairs around every tile, of a group that later ones look at: once, since several do. */
void LEVELLED(pairs)(comeo_context *context, int number) {
    const struct group *group = &context->model->groups[number];
    size_t channels = (size_t)context->model->channels;
    const int32_t *values = context->values + group->start, *around = context->plan->around;
    uint8_t *to = context->pairs + group->start;
    for (int i = 0; i < 2 * context->plan->count; i++, to += channels)
        pair_sizes(values + around[2 * i] * channels, values + around[2 * i + 1] * channels, group->count, to);
}

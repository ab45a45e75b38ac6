/* Group by group and pass by pass: which tiles are coded, and the parts of the decoder called in turn for them. */
#include "internal.h"

/* Hand out a part of a buffer. */
static void *part(uint8_t **place, size_t size) {
    void *found = *place;
    *place += padded_to(size + SPARE, SPARE);
    return found;
}

static size_t lay_out(comeo_context *context, uint8_t *start) {
    size_t tiles = (size_t)context->plan->count, channels = (size_t)context->model->channels;
    uint8_t *place = start;
    context->sums = part(&place, (tiles + 1) * 3 * MAX_COMPONENTS * sizeof(int64_t));
    context->values = part(&place, (tiles + 1) * channels * sizeof(int32_t));
    context->counts = part(&place, (size_t)context->model->group_count * (tiles + 1) * sizeof(int32_t));
    context->sizes = part(&place, (tiles + 1) * channels);
    size_t cleared = (size_t)(place - start);
    context->pairs = part(&place, 2 * tiles * channels);
    context->chosen = part(&place, tiles * sizeof(int32_t));
    return start ? cleared : (size_t)(place - start);
}

static size_t lay_out_scratch(comeo_context *context, uint8_t *start) {
    const comeo_model *model = context->model;
    size_t tiles = TILES_AT_ONCE, sums = tiles * (size_t)model->most_sums;
    uint8_t *place = start;
    context->features = part(&place, tiles * (size_t)model->most_features);
    context->neighbours = part(&place, tiles * (size_t)model->most_neighbours * sizeof(int16_t));
    context->bends = part(&place, tiles * (size_t)model->most_bends * sizeof(int16_t));
    context->crossed = part(&place, sums * sizeof(int32_t));
    context->total = part(&place, sums * sizeof(int32_t));
    context->bent = part(&place, sums * sizeof(int32_t));
    context->mean = part(&place, sums * sizeof(int32_t));
    context->hidden = part(&place, sums);
    context->index = part(&place, sums);
    context->places = part(&place, tiles * (size_t)model->most_words * sizeof(uint16_t)); /* and SPARE behind them */
    context->place_counts = part(&place, tiles * sizeof(int));
    context->bias_first = part(&place, MAX_ITEMS * (size_t)model->most_sums * sizeof(float));
    context->bias_last = part(&place, MAX_ITEMS * (size_t)model->most_sums * sizeof(float));
    return (size_t)(place - start);
}

/* Start from nothing decoded, of the first groups: the rest stays as it is, since nothing looks at it. */
static int clear(comeo_context *context, int groups) {
    uint8_t *whole = comeo_grow(&context->whole, lay_out(context, NULL));
    uint8_t *scratch = comeo_grow(&context->scratch, lay_out_scratch(context, NULL));
    if (!whole || !scratch) return COMEO_NO_MEMORY;
    size_t cleared = lay_out(context, whole), channels = (size_t)context->model->channels, tiles = (size_t)context->plan->count + 1;
    lay_out_scratch(context, scratch);
    if (groups == context->model->group_count) {
        memset(whole, 0, cleared);
        return COMEO_OK;
    }
    size_t some = (size_t)context->model->groups[groups].start + PADDING; /* whole vectors are read */
    if (some > channels) some = channels;
    for (size_t tile = 0; tile < tiles; tile++) {
        memset(context->values + tile * channels, 0, some * sizeof(int32_t));
        memset(context->sizes + tile * channels, 0, some);
    }
    memset(context->sums, 0, tiles * 3 * MAX_COMPONENTS * sizeof(int64_t));
    memset(context->counts, 0, (size_t)context->model->group_count * tiles * sizeof(int32_t));
    return COMEO_OK;
}

/* Choose the tiles of a pass: those where the groups that this one depends on have enough in the tile or beside it. */
static int choose(comeo_context *context, const struct group *group, int pass) {
    const comeo_plan *plan = context->plan;
    int count;
    const int32_t *tiles = comeo_step(plan, group, pass, &count);
    context->chosen_count = 0;
    for (int i = 0; i < count; i++) {
        int tile = tiles[i];
        const int32_t *beside = plan->beside + 4 * tile;
        if (group->leading && tile >= plan->tiles) break; /* further items share the first one's */
        int64_t found = 0;
        for (int k = 0; k < group->parents.count; k++) {
            const int32_t *counts = context->counts + (size_t)group->parents.of[k] * (plan->count + 1);
            found += 2 * (int64_t)counts[tile];
            for (int side = 0; side < 4; side++) found += counts[beside[side]];
        }
        if (found >= group->evidence || context->thorough) context->chosen[context->chosen_count++] = tile;
    }
    return context->chosen_count;
}

/* Predict means and scale indexes of some tiles, into the context. */
static void predict(comeo_context *context, int group, int pass, const int32_t *tiles, int count) {
    const struct kernels *kernels = context->kernels;
    kernels->features(context, group, pass, tiles, count);
    kernels->networks(context, group, pass, tiles, count);
    if (!context->thorough) return;
    size_t size = (size_t)count * padded_to((size_t)context->model->groups[group].count, PADDING);
    for (size_t i = 0; i < size; i++)
        if (context->index[i] <= SKIPPED) context->index[i] = SKIPPED + 1;
}

static int smaller(int one, int other) { return one < other ? one : other; }

static int decode_pass(comeo_context *context, int number, int pass, int offset, struct stream *stream) {
    int count = choose(context, &context->model->groups[number], pass);
    for (int first = 0; first < count; first += TILES_AT_ONCE) {
        const int32_t *tiles = context->chosen + first;
        int some = smaller(count - first, TILES_AT_ONCE);
        predict(context, number, pass, tiles, some);
        int status = comeo_read_symbols(context, number, tiles, some, offset, stream);
        if (status != COMEO_OK) return status;
    }
    context->kernels->note(context, number, context->chosen, count);
    return COMEO_OK;
}

/* Let further items have what the first has decoded of a group, and later groups the sizes around. */
static void share(comeo_context *context, int number) {
    const comeo_plan *plan = context->plan;
    const struct group *group = &context->model->groups[number];
    size_t channels = (size_t)context->model->channels, start = (size_t)group->start, count = (size_t)group->count;
    int32_t *counts = context->counts + (size_t)number * (plan->count + 1);
    for (int tile = plan->tiles; group->leading && tile < plan->count; tile++) {
        size_t leader = (size_t)(tile % plan->tiles), from = leader * channels + start, to = tile * channels + start;
        memcpy(context->values + to, context->values + from, count * sizeof(int32_t));
        memcpy(context->sizes + to, context->sizes + from, count);
        counts[tile] = counts[leader];
        /* Products of components that all items share. */
        memcpy(context->sums + (size_t)tile * 3 * MAX_COMPONENTS, context->sums + leader * 3 * MAX_COMPONENTS,
               3 * sizeof(int64_t) * (size_t)(context->model->leading > 1 ? context->model->leading - 1 : 0));
    }
    if (group->looked_at) context->kernels->pairs(context, number);
}

/* Energy classes of each item's components; those that the block doesn't have are zero. */
static int take_classes(comeo_context *context, const uint8_t *classes, int bands) {
    const comeo_model *model = context->model;
    int own = model->components - model->leading;
    memset(context->energy, 0, sizeof context->energy);
    for (int item = 0; item < context->items; item++)
        for (int c = 0; c < model->components; c++) {
            int band = c < model->leading ? c : c + own * item;
            if (band >= bands) continue;
            int class = classes[band] & (band ? 255 : 127); /* the first one's high bit says that the block is thorough */
            if (class > PEAK) return COMEO_BAD_CLASSES;
            context->energy[item][c] = (uint8_t)class;
        }
    return COMEO_OK;
}

static int items_of(const comeo_model *model, int bands) {
    int own = model->components - model->leading;
    if (bands <= model->components) return 1;
    return own ? (bands - model->leading + own - 1) / own : 0;
}

int comeo_decode(
    comeo_context *context, const comeo_model *model, const comeo_plan *plan, const uint8_t *body, size_t length,
    int bands, int groups) {
    int offsets[MAX_GROUPS * MAX_PASSES];
    struct stream stream;
    if (!context || !model || !plan || bands < 1 || bands > MAX_BANDS || plan->items != items_of(model, bands) ||
        groups < 1 || groups > model->group_count)
        return COMEO_BAD_ARGUMENT;
    context->model = model;
    context->plan = plan;
    context->items = plan->items;
    context->groups = 0;
    if (length < (size_t)bands) return COMEO_CUT_SHORT;
    context->thorough = body[0] > PEAK;
    int status = take_classes(context, body, bands);
    if (status == COMEO_OK) status = comeo_open(&stream, body + bands, length - (size_t)bands);
    if (status == COMEO_OK) status = clear(context, groups);
    if (status != COMEO_OK) return status;
    comeo_read_offsets(&stream, offsets, model->passes);
    for (int number = 0; number < groups; number++) {
        const struct group *group = &model->groups[number];
        for (int pass = 0; pass < group->passes; pass++) {
            status = decode_pass(context, number, pass, offsets[group->first_pass + pass], &stream);
            if (status != COMEO_OK) return status;
        }
        share(context, number);
    }
    bool ended = groups == model->group_count ? comeo_finished(&stream) : stream.place <= stream.end;
    if (!ended) return COMEO_BAD_SYMBOLS;
    context->groups = groups;
    return COMEO_OK;
}

int32_t *comeo_values(comeo_context *context) { return context->values; }

int comeo_begin(
    comeo_context *context, const comeo_model *model, const comeo_plan *plan, const uint8_t *energy, int thorough) {
    if (!context || !model || !plan || !energy) return COMEO_BAD_ARGUMENT;
    context->model = model;
    context->plan = plan;
    context->items = plan->items;
    context->thorough = thorough != 0;
    memset(context->energy, 0, sizeof context->energy);
    for (int i = 0; i < plan->items * model->components; i++) {
        if (energy[i] > PEAK) return COMEO_BAD_CLASSES;
        context->energy[i / model->components][i % model->components] = energy[i];
    }
    return clear(context, model->group_count);
}

static bool is_pass(const comeo_context *context, int group, int pass) {
    return context && context->model && group >= 0 && group < context->model->group_count && pass >= 0 &&
           pass < context->model->groups[group].passes;
}

int comeo_predict(comeo_context *context, int number, int pass, int32_t *tiles, int32_t *mean, uint8_t *index) {
    if (!is_pass(context, number, pass)) return COMEO_BAD_ARGUMENT;
    size_t channels = (size_t)context->model->groups[number].count, padded = padded_to(channels, PADDING);
    int count = choose(context, &context->model->groups[number], pass);
    for (int first = 0; first < count; first += TILES_AT_ONCE) {
        int some = smaller(count - first, TILES_AT_ONCE);
        predict(context, number, pass, context->chosen + first, some);
        for (int i = 0; i < some; i++, mean += channels, index += channels) {
            memcpy(mean, context->mean + i * padded, channels * sizeof(int32_t));
            memcpy(index, context->index + i * padded, channels);
        }
    }
    memcpy(tiles, context->chosen, (size_t)count * sizeof(int32_t));
    return count;
}

int comeo_note(comeo_context *context, int number, int pass) {
    if (!is_pass(context, number, pass)) return COMEO_BAD_ARGUMENT;
    context->kernels->note(context, number, context->chosen, context->chosen_count);
    return COMEO_OK;
}

int comeo_share(comeo_context *context, int number) {
    if (!is_pass(context, number, 0)) return COMEO_BAD_ARGUMENT;
    share(context, number);
    return COMEO_OK;
}

int comeo_inverse(comeo_context *context, const comeo_picture *picture) {
    return context && context->model ? context->kernels->inverse(context, picture) : COMEO_BAD_ARGUMENT;
}

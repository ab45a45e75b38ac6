/* The model: one flat blob of integers, read once, its weights repacked as the kernels want them.
 *
 * The blob is made by training/flat.py, which documents its layout and checks that all sums stay exact. */
#include "internal.h"

enum { VERSION = 1, DIGEST = 32, MAX_WIDTH = 4096 };

struct reader {
    const uint8_t *place;
    size_t left;
    bool failed;
};

static const uint8_t *take(struct reader *reader, size_t size) {
    size_t whole = padded_to(size, 4); /* arrays end on words */
    if (reader->failed || whole > reader->left) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *found = reader->place;
    reader->place += whole;
    reader->left -= whole;
    return found;
}

static int take_word(struct reader *reader, int least, int most) {
    const uint8_t *bytes = take(reader, 4);
    int32_t value = 0;
    if (bytes) memcpy(&value, bytes, 4);
    if (value < least || value > most) reader->failed = true;
    return reader->failed ? least : value;
}

static void take_into(struct reader *reader, void *to, size_t size) {
    const uint8_t *bytes = take(reader, size);
    if (bytes) memcpy(to, bytes, size);
}

static void take_list(struct reader *reader, struct list *list, int most) {
    list->count = take_word(reader, 0, MAX_GROUPS);
    for (int i = 0; i < list->count; i++) list->of[i] = take_word(reader, 0, most - 1);
}

static void *zeros(struct reader *reader, size_t size) {
    void *found = NULL;
    if (!reader->failed) found = comeo_allocate(size);
    if (found) memset(found, 0, size + SPARE);
    else reader->failed = true;
    return found;
}

/* Repack weights (inputs, outputs): inputs by `at_once` side by side, so that one instruction takes them all. */
static void pack(struct reader *reader, struct layer *layer, const uint8_t *from, int bytes, int inputs, int outputs) {
    int at_once = 4 / bytes;
    layer->inputs = inputs;
    layer->outputs = outputs;
    layer->padded = (int)padded_to((size_t)outputs, PADDING);
    layer->words = (inputs + at_once - 1) / at_once;
    uint8_t *to = layer->weights = zeros(reader, (size_t)layer->words * layer->padded * 4);
    if (!to || !from) return;
    for (int i = 0; i < inputs; i++)
        for (int j = 0; j < outputs; j++)
            memcpy(to + ((size_t)(i / at_once) * layer->padded + j) * 4 + i % at_once * bytes,
                   from + ((size_t)i * outputs + j) * bytes, (size_t)bytes);
}

static void take_scales(struct reader *reader, struct layer *layer) {
    size_t padded = (size_t)layer->padded * sizeof(float), size = (size_t)layer->outputs * sizeof(float);
    layer->bias = zeros(reader, padded);
    layer->scale = zeros(reader, padded);
    if (reader->failed) return;
    take_into(reader, layer->bias, size);
    take_into(reader, layer->scale, size);
}

static void take_layer(struct reader *reader, struct layer *layer, int bytes, int inputs, int outputs) {
    pack(reader, layer, take(reader, (size_t)inputs * outputs * bytes), bytes, inputs, outputs);
    take_scales(reader, layer);
}

/* The energy classes are the first features, COPIES times over: one weight for each is their sum. */
static int32_t *energy_weights(struct reader *reader, const int8_t *weights, int outputs, int padded, int components) {
    int32_t *sums = zeros(reader, (size_t)components * padded * sizeof(int32_t));
    if (!sums || !weights) return sums;
    for (int i = 0; i < COPIES * components; i++)
        for (int j = 0; j < outputs; j++) sums[i % components * padded + j] += weights[(size_t)i * outputs + j];
    return sums;
}

static void take_own(struct reader *reader, struct network *net) {
    size_t padded = padded_to((size_t)net->channels, PADDING), row = (size_t)net->channels * sizeof(int16_t);
    net->own = zeros(reader, (size_t)net->kinds * padded * sizeof(int16_t));
    if (reader->failed) return;
    const uint8_t *from = take(reader, (size_t)net->kinds * row);
    for (int kind = 0; from && kind < net->kinds; kind++)
        memcpy(net->own + (size_t)kind * padded, from + (size_t)kind * row, row);
}

static void at_least(int *most, int own) {
    if (own > *most) *most = own;
}

static void measure(comeo_model *model, const struct network *net) {
    const struct layer *layers[] = {&net->first, &net->second, &net->last, &net->again, &net->linear, &net->bend, &net->bent};
    for (int i = 0; i < 7; i++) {
        at_least(&model->most_words, layers[i]->words);
        at_least(&model->most_sums, (int)padded_to((size_t)layers[i]->padded, SPARE));
    }
    at_least(&model->most_features, net->stride);
    at_least(&model->most_neighbours, 2 * (int)padded_to((size_t)net->linear.words, PADDING));
    at_least(&model->most_bends, 2 * (int)padded_to((size_t)net->bend.words, PADDING));
}

static void take_network(struct reader *reader, comeo_model *model, const struct group *group, struct network *net) {
    int energies = COPIES * model->components;
    net->features = take_word(reader, energies, MAX_WIDTH);
    int first = take_word(reader, 1, MAX_WIDTH), second = take_word(reader, 1, MAX_WIDTH);
    net->direct = take_word(reader, energies, net->features);
    net->kinds = take_word(reader, 0, 5);
    int neighbours = take_word(reader, 0, MAX_WIDTH), bends = take_word(reader, 0, MAX_WIDTH);
    int bent = take_word(reader, bends > 0, bends ? MAX_WIDTH : 0), crossed = take_word(reader, 0, 1);
    net->channels = group->count;
    if (net->kinds * group->count > net->features || crossed != group->crossed) reader->failed = true;
    net->stride = (int)padded_to((size_t)net->features + PADDING, SPARE);
    const int8_t *weights = (const int8_t *)take(reader, (size_t)net->features * first);
    pack(reader, &net->first, (const uint8_t *)weights, 1, net->features, first);
    net->energy_first = energy_weights(reader, weights, first, net->first.padded, model->components);
    take_scales(reader, &net->first);
    take_layer(reader, &net->second, 1, first, second);
    weights = (const int8_t *)take(reader, (size_t)(second + net->direct) * group->count);
    pack(reader, &net->last, (const uint8_t *)weights, 1, second, group->count);
    if (weights) weights += (size_t)second * group->count;
    pack(reader, &net->again, (const uint8_t *)weights, 1, net->direct, group->count);
    net->energy_last = energy_weights(reader, weights, group->count, net->again.padded, model->components);
    take_scales(reader, &net->last);
    take_own(reader, net);
    if (neighbours) take_layer(reader, &net->linear, 2, neighbours, group->count);
    if (bends) {
        take_layer(reader, &net->bend, 2, bends, bent);
        take_layer(reader, &net->bent, 1, bent, group->count);
    }
    measure(model, net);
    if (crossed) {
        net->cross = zeros(reader, padded_to((size_t)group->count, PADDING) * sizeof(int32_t));
        if (net->cross) take_into(reader, net->cross, (size_t)group->count * sizeof(int32_t));
    }
}

/* Inputs that features.c makes of the layout, against those that the network was made for. */
static bool fits(const comeo_model *model, const struct group *group, int pass, const struct network *net) {
    bool later = pass > 0;
    int width = COPIES * model->components + 3 * (model->components - 1);
    for (int i = 0; i < group->sizes.count; i++) width += model->groups[group->sizes.of[i]].count;
    for (int i = 0; i < group->pairs.count; i++) width += 2 * model->groups[group->pairs.of[i]].count;
    int kinds = (later ? (group->before < 0 ? 2 : 4) : 0) + group->crossed;
    int neighbours = group->before < 0 ? 0 : 5 * group->before + (later ? 4 * group->count : 0);
    int bends = group->before < 0 ? 0 : 5 * (group->before + (later ? group->count : 0));
    return net->kinds == kinds && net->features == width + kinds * group->count &&
           net->linear.inputs == neighbours && net->bend.inputs == bends;
}

static void take_group(struct reader *reader, comeo_model *model, int number) {
    struct group *group = &model->groups[number];
    group->first = take_word(reader, 0, FREQUENCIES - 1);
    group->last = take_word(reader, group->first + 1, FREQUENCIES);
    group->passes = take_word(reader, 1, MAX_PASSES);
    group->evidence = take_word(reader, 0, 1 << 20);
    group->before = take_word(reader, -1, model->channels);
    take_list(reader, &group->components, model->components);
    take_list(reader, &group->sizes, number);
    take_list(reader, &group->pairs, number);
    take_list(reader, &group->parents, number);
    if (group->passes == 4 || group->components.count < 1 || group->components.count > MAX_COMPONENTS)
        reader->failed = true;
    if (reader->failed) return;
    group->start = model->channels;
    group->count = group->components.count * (group->last - group->first);
    group->first_pass = model->passes;
    group->leading = group->components.of[0] < model->leading;
    group->crossed = group->components.of[0] > 0;
    if (group->before > group->start) reader->failed = true;
    for (int i = 0; i < group->pairs.count; i++) model->groups[group->pairs.of[i]].looked_at = true;
    model->channels += group->count;
    model->passes += group->passes;
    if (model->channels > model->components * FREQUENCIES) reader->failed = true;
}

static void number_channels(struct reader *reader, comeo_model *model) {
    static const int16_t nowhere = -1;
    int16_t channel_of[MAX_COMPONENTS][FREQUENCIES];
    for (int i = 0; i < MAX_COMPONENTS * FREQUENCIES; i++) channel_of[i / FREQUENCIES][i % FREQUENCIES] = nowhere;
    if (model->channels != model->components * FREQUENCIES) reader->failed = true;
    for (int number = 0; !reader->failed && number < model->group_count; number++) {
        struct group *group = &model->groups[number];
        int channel = group->start;
        for (int i = 0; i < group->components.count; i++)
            for (int rank = group->first; rank < group->last; rank++, channel++) {
                int component = group->components.of[i], from = channel_of[model->predecessor[component]][rank];
                if (channel_of[component][rank] != nowhere) reader->failed = true;
                channel_of[component][rank] = (int16_t)channel;
                model->component_of[channel] = (uint8_t)component;
                model->place_of[channel] = model->order[rank];
                if (component == 0) continue;
                if (from < 0) reader->failed = true; /* a partner that is not decoded by then */
                struct run *run = group->run_count ? &group->runs[group->run_count - 1] : NULL;
                if (run && from == run->from + run->count && run->pair == component - 1) {
                    run->count++;
                } else if (group->run_count < MAX_GROUPS) {
                    group->runs[group->run_count++] = (struct run){from, channel, 1, component - 1, rank == 0};
                } else {
                    reader->failed = true;
                }
            }
    }
}

static void take_tables(struct reader *reader, struct tables *tables) {
    take_into(reader, tables->cumulative, sizeof tables->cumulative);
    take_into(reader, tables->points, sizeof tables->points);
    for (int row = 0; row < ROWS && !reader->failed; row++) {
        const int32_t *cumulative = tables->cumulative[row];
        if (cumulative[0] != 0 || cumulative[SYMBOLS] != 1 << 16) reader->failed = true;
        for (int i = 0; i < SYMBOLS; i++) reader->failed |= cumulative[i] >= cumulative[i + 1];
        for (int i = 0; i < POINTS; i++) reader->failed |= abs(tables->points[row][i]) >= UNIT;
        for (int part = 0, symbol = 0; part < 256 && !reader->failed; part++) {
            while (cumulative[symbol + 1] <= part << 8) symbol++;
            tables->lookup[row][part] = (uint8_t)symbol;
        }
    }
}

static void repeat(int32_t *words, int low, int high) {
    for (int i = 0; i < 4; i++) words[i] = (int32_t)((uint32_t)high << 16 | (uint16_t)low);
}

/* Pack the taps of the classified filter: its sums fit into 32 bits, as taps are 8 bits wide. */
static void take_filter(struct reader *reader, comeo_filter *filter) {
    int8_t taps[FILTER_DIRECTIONS * (MAX_THRESHOLDS + 1)][2][FILTER_PAIRS];
    filter->threshold_count = take_word(reader, 0, MAX_THRESHOLDS);
    if (!filter->threshold_count) return;
    for (int i = 0; i < 2; i++) filter->limits[i] = take_word(reader, 1, 8191);
    for (int i = 0; i < filter->threshold_count; i++) filter->thresholds[i] = take_word(reader, 1, 1 << 23);
    int classes = FILTER_DIRECTIONS * (filter->threshold_count + 1);
    take_into(reader, taps, (size_t)classes * sizeof *taps);
    for (int own = 0; own < classes && !reader->failed; own++) {
        int sums[2] = {0, 0};
        filter->idle[own] = 1;
        for (int pair = 0; pair < FILTER_PAIRS; pair++) {
            for (int kind = 0; kind < 2; kind++) {
                sums[kind] -= taps[own][kind][pair];
                if (taps[own][kind][pair]) filter->idle[own] = 0;
            }
            repeat(filter->taps[own][pair], taps[own][0][pair], taps[own][1][pair]);
        }
        repeat(filter->taps[own][FILTER_PAIRS], sums[0], sums[1]);
    }
}

static void take_model(struct reader *reader, comeo_model *model, size_t length) {
    const uint8_t *magic = take(reader, 8);
    if (!magic || memcmp(magic, "COMEOBIN", 8) != 0) reader->failed = true;
    take_word(reader, VERSION, VERSION);
    if (length > INT32_MAX) reader->failed = true;
    else take_word(reader, (int)length, (int)length);
    take(reader, DIGEST);
    model->components = take_word(reader, 1, MAX_COMPONENTS);
    model->leading = take_word(reader, 0, model->components);
    model->dependent = take_word(reader, 0, 1);
    model->grid = take_word(reader, 1, 64);
    for (int i = 0; i < model->components; i++) model->predecessor[i] = take_word(reader, 0, i ? i - 1 : 0);
    model->group_count = take_word(reader, 1, MAX_GROUPS);
    for (int i = 0; i < model->group_count && !reader->failed; i++) take_group(reader, model, i);
    model->rule_count = take_word(reader, 0, MAX_RULES);
    for (int i = 0; i < model->rule_count; i++) {
        model->rules[i].limit = take_word(reader, 0, INT32_MAX);
        for (int j = 0; j < REDUCTIONS; j++) model->rules[i].groups[j] = take_word(reader, 1, model->group_count);
    }
    take_filter(reader, &model->filter);
    take_into(reader, model->order, FREQUENCIES);
    for (int i = 0; i <= model->dependent; i++) take_tables(reader, &model->tables[i]);
    take_into(reader, model->rotations, sizeof model->rotations);
    for (int reduce = 0; reduce < REDUCTIONS; reduce++)
        for (int i = 0; i < VARIANTS * TILE; i++)
            take_into(reader, model->basis[reduce][i / TILE][i % TILE], (REACH >> reduce) * sizeof(float));
    number_channels(reader, model);
    for (int i = 0; i < model->group_count; i++)
        for (int pass = 0; pass < model->groups[i].passes && !reader->failed; pass++) {
            take_network(reader, model, &model->groups[i], &model->networks[i][pass]);
            reader->failed |= !fits(model, &model->groups[i], pass, &model->networks[i][pass]);
        }
    if (reader->left) reader->failed = true;
}

comeo_model *comeo_model_new(const uint8_t *blob, size_t length) {
    comeo_model *model = calloc(1, sizeof *model);
    if (!model || !blob) {
        free(model);
        return NULL;
    }
    struct reader reader = {blob, length, false};
    take_model(&reader, model, length);
    if (reader.failed) {
        comeo_model_free(model);
        return NULL;
    }
    return model;
}

static void free_layer(struct layer *layer) {
    comeo_release(layer->weights);
    comeo_release(layer->bias);
    comeo_release(layer->scale);
}

void comeo_model_free(comeo_model *model) {
    if (!model) return;
    for (int i = 0; i < MAX_GROUPS * MAX_PASSES; i++) {
        struct network *net = &model->networks[i / MAX_PASSES][i % MAX_PASSES];
        struct layer *layers[] = {&net->first, &net->second, &net->last, &net->again, &net->linear, &net->bend, &net->bent};
        for (int j = 0; j < 7; j++) free_layer(layers[j]);
        comeo_release(net->energy_first);
        comeo_release(net->energy_last);
        comeo_release(net->own);
        comeo_release(net->cross);
    }
    free(model);
}

int comeo_model_groups(const comeo_model *model) { return model->group_count; }

/* As Model.groups_read of comeo.codecs.learned.model has it, and why. */
int comeo_model_read(const comeo_model *model, int reduce, int bands, int tiles, const uint8_t *body, size_t length) {
    if (reduce < 0 || reduce >= REDUCTIONS || bands < 1 || tiles < 1 || length > INT32_MAX) return model->group_count;
    int64_t bytes = (int64_t)length, area = (int64_t)tiles * tiles * bands;
    for (int i = 0; i < model->rule_count && bytes && body[0] <= PEAK; i++)
        if (bytes * bytes <= model->rules[i].limit * area) return model->rules[i].groups[reduce];
    return model->group_count;
}

int comeo_model_channels(const comeo_model *model) { return model->channels; }

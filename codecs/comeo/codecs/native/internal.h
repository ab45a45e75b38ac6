/* What the decoder's parts share: the model, the plan of passes, the state of a decoding, the kernels. */
#ifndef COMEO_INTERNAL_H
#define COMEO_INTERNAL_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "comeo_native.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the compiled decoder is for little-endian machines; others use onnxruntime"
#endif

enum {
    /* Of the format: as comeo.codecs.learned.layout, features and tables have them. */
    FREQUENCIES = 256,
    TILE = 16,              /* side of a tile */
    UNIT = 16,              /* values are sixteenths of a step */
    COPIES = 8,             /* of the energy classes among the features */
    LARGEST_VALUE = 3840,   /* values beyond count as this */
    NEIGHBOUR_PEAK = 2047,  /* of whole values that means are predicted from */
    VALUE_PEAK = 32767,     /* of values whose products are summed */
    CROSS_PEAK = 2047,
    MEAN_PEAK = 32767 * UNIT,
    PEAK = 127,             /* largest feature */
    ROWS = 25,              /* of the frequency tables */
    SYMBOLS = 42,
    POINTS = 3,
    SKIPPED = 4,            /* scale indexes up to this are not coded */
    SCALES = 61,
    MAX_GROUPS = 32,
    MAX_PASSES = 5,
    MAX_RULES = 8,
    MAX_COMPONENTS = 4,
    MAX_BANDS = 64,
    MAX_ITEMS = MAX_BANDS,
    MAX_SIDE = 1024,
    REDUCTIONS = 4,
    VARIANTS = 4,           /* of a tile's basis: with or without a neighbour before and after it */
    REACH = 2 * TILE,       /* samples that a tile's basis reaches */
    FILTER_CELL = 8,        /* side of what has one class */
    FILTER_DIRECTIONS = 4,
    FILTER_PAIRS = 12,      /* of opposite neighbours */
    MAX_THRESHOLDS = 15,
    /* Of this implementation. */
    PADDING = 16,           /* outputs of layers are padded to a multiple of this */
    TILES_AT_ONCE = 64,     /* so that what they need stays in the second cache */
    SPARE = 64              /* bytes beyond each array that vectors may touch */
};

/* Channels of a group whose partners (same rank, component before) lie side by side as they do. */
struct run {
    int from, to, count;    /* partner's first channel, own first channel */
    int pair;               /* own component − 1 */
    bool first_rank;        /* whether the first channel is of rank 0, whose products are not summed */
};

struct list {
    int count;
    int of[MAX_GROUPS];
};

struct group {
    struct list components, sizes, pairs, parents;
    int first, last, passes, evidence;
    int before;             /* −1: means are not predicted from neighbours */
    int start, count;       /* channels */
    int first_pass;         /* of all passes */
    int run_count;
    struct run runs[MAX_GROUPS];
    bool leading, crossed;
    bool looked_at;         /* another group looks at its pairs around */
};

/* A linear layer: 8 bit weights of unsigned inputs by fours, or 16 bit weights of signed inputs by twos. */
struct layer {
    int inputs, outputs;
    int padded;             /* outputs, to a multiple of PADDING */
    int words;              /* of four bytes that inputs take */
    void *weights;          /* (words, padded, 4 × int8 or 2 × int16) */
    float *bias, *scale;    /* (padded,); none where a layer's sum is added to another's */
};

struct network {
    int features, direct, channels, kinds, stride;
    struct layer first, second, last, again, linear, bend, bent;
    int32_t *energy_first, *energy_last; /* (components, padded): weights of the energy classes, copies summed */
    int16_t *own;           /* (kinds, channels padded): of each channel's own features */
    int32_t *cross;         /* (channels padded,): sixty-fourths, or NULL */
};

struct tables {
    int32_t cumulative[ROWS][SYMBOLS + 1];
    int32_t points[ROWS][POINTS];
    uint8_t lookup[ROWS][256];
};

/* The classified filter of components at full size, where a model has one. */
typedef struct comeo_filter {
    int threshold_count;    /* 0: there is no filter */
    int32_t thresholds[MAX_THRESHOLDS];
    int32_t limits[2];
    /* Of each class and pair, four times over: taps under the first limit in the low half, under the second in the high one;
     * the last undoes that sums of pairs hold twice the sample itself. */
    int32_t taps[FILTER_DIRECTIONS * (MAX_THRESHOLDS + 1)][FILTER_PAIRS + 1][4];
    uint8_t idle[FILTER_DIRECTIONS * (MAX_THRESHOLDS + 1)]; /* classes whose taps are all zero */
} comeo_filter;

/* How many groups a read takes at each reduction, where bytes² ≤ limit · bands · tiles². */
struct rule {
    int limit, groups[REDUCTIONS];
};

struct comeo_model {
    int components, leading, group_count, channels, passes;
    int dependent;          /* 1: two sets of points and eight states */
    int grid;               /* sixteenths of the step between points of both sets */
    int predecessor[MAX_COMPONENTS];
    int rule_count;
    struct rule rules[MAX_RULES];
    struct group groups[MAX_GROUPS];
    struct network networks[MAX_GROUPS][MAX_PASSES];
    struct tables tables[2];
    uint8_t order[FREQUENCIES];       /* row · 16 + column of each rank */
    uint8_t component_of[MAX_COMPONENTS * FREQUENCIES];
    uint8_t place_of[MAX_COMPONENTS * FREQUENCIES]; /* row · 16 + column of each channel */
    comeo_filter filter;
    double rotations[256][2];         /* cosine and sine of each angle */
    float basis[REDUCTIONS][VARIANTS][TILE][REACH];
    /* Most that any network needs for a tile. */
    int most_features, most_words, most_sums, most_neighbours, most_bends;
};

struct comeo_plan {
    int rows, columns, items, tiles, count; /* count = items · tiles */
    int32_t *around;        /* (count, 4): beside each, two opposite pairs; mirrored at edges */
    int32_t *beside;        /* (count, 4): the same; `count` where there is none */
    int32_t *corners;       /* (count, 4): at the corners; `count` where there is none */
    int32_t *known[MAX_PASSES];            /* (count, 4) of each of five kinds of tiles but the first */
    int32_t *lists[MAX_PASSES];            /* tiles of each kind, rising */
    int32_t *steps[4][MAX_PASSES];         /* tiles of each pass of the four ways to pass over tiles */
    int step_counts[4][MAX_PASSES];
    void *memory;
};

/* A block's symbols: see rans.py. */
struct stream {
    uint64_t state;
    const uint8_t *data;
    size_t place, end;
    int quantiser_state;
};

struct buffer {
    void *start;
    size_t size;
};

struct kernels;

struct comeo_context {
    const struct kernels *kernels;
    const comeo_model *model;
    const comeo_plan *plan;
    bool thorough;
    int groups;             /* that comeo_decode has decoded */
    int items;
    uint8_t energy[MAX_ITEMS][MAX_COMPONENTS];
    /* of all tiles */
    int32_t *values;        /* (count + 1, channels), the last row zero */
    uint8_t *sizes;         /* (count + 1, channels): magnitudes */
    uint8_t *pairs;         /* (count, 2, channels): magnitudes of the two pairs around, of groups looked at */
    int64_t *sums;          /* (count + 1, 3 · MAX_COMPONENTS): products of components, over a tile */
    int32_t *counts;        /* (groups, count + 1): values of half a step or more */
    int32_t *chosen;        /* tiles of the pass */
    int chosen_count;
    /* of TILES_AT_ONCE tiles */
    uint8_t *features;
    int16_t *neighbours, *bends;
    int32_t *crossed, *total, *bent, *mean;
    uint8_t *hidden, *index;
    uint16_t *places;       /* of words that are not zero */
    int *place_counts;
    float *bias_first, *bias_last; /* (items, padded): with the energy classes' part */
    struct buffer whole, scratch, floats;
};

/* Functions compiled once for each instruction set. */
struct kernels {
    const char *name;
    void (*features)(comeo_context *, int group, int pass, const int32_t *tiles, int count);
    void (*networks)(comeo_context *, int group, int pass, const int32_t *tiles, int count);
    void (*note)(comeo_context *, int group, const int32_t *tiles, int count);
    void (*pairs)(comeo_context *, int group);
    int (*inverse)(comeo_context *, const comeo_picture *);
    void (*filter)(
        const comeo_filter *, float *plane, int height, int width, size_t stride, float unit, void *memory);
    void (*magnitudes)(uint8_t *found, int count);
};

static inline size_t padded_to(size_t size, size_t multiple) {
    return (size + multiple - 1) / multiple * multiple;
}

/* Samples from row to row, and bytes of memory, that the filter needs for a component. */
static inline size_t comeo_filter_stride(int width) { return padded_to((size_t)width + 4 * FILTER_CELL, 4 * FILTER_CELL); }

static inline size_t comeo_filter_memory(int height, int width) {
    size_t stride = comeo_filter_stride(width);
    return stride * (FILTER_DIRECTIONS * sizeof(int32_t) + ((size_t)height + 5) * sizeof(int16_t)) + SPARE;
}

const struct kernels *comeo_kernels(int level);
const int32_t *comeo_known(const comeo_plan *plan, const struct group *group, int pass);
const int32_t *comeo_step(const comeo_plan *plan, const struct group *group, int pass, int *count);
int comeo_open(struct stream *stream, const uint8_t *data, size_t length);
void comeo_read_offsets(struct stream *stream, int *offsets, int count);
int comeo_read_symbols(
    comeo_context *context, int group, const int32_t *tiles, int count, int offset, struct stream *stream);
bool comeo_finished(const struct stream *stream);
void *comeo_allocate(size_t size);
void comeo_release(void *memory);
void *comeo_grow(struct buffer *buffer, size_t size);

#endif

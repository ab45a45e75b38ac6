/* Values to pixels: the lapped transform's inverse, that of the spectral transform, rounding.
 *
 * The order of operations defines the result, in float32 without fused multiply-adds (docs/format/learned.md): first along x,
 * value times basis function added to a row, tiles from left to right and channels in order; then along y, rows in order of
 * frequency, those of the tile above first; then times step/16; then components times the spectral transform's matrix,
 * the first component first, and the mean last. Vectors lie along x, so every level adds in the same order. */
#include "internal.h"
#include "simd.h"

enum { MARGIN = TILE / 2, ROWS_AT_ONCE = 2, VECTORS = 4 };

/* Sizes, and memory. */
struct canvas {
    const comeo_context *context;
    const comeo_picture *picture;
    int side, half;         /* of a tile, reduced */
    size_t stride;          /* of a row of samples: MARGIN before them, and whole vectors */
    float *rows;            /* (bands, 2 rows of tiles by turns, TILE, stride): along y coefficients, along x samples */
    uint16_t *filled;       /* (bands, 2): which of the TILE rows are not zero */
    const comeo_filter *filter; /* what components are filtered with, or NULL */
    size_t held;            /* rows of samples that are kept: ROWS_AT_ONCE, or all for the filter */
    float *samples;         /* (bands, held, stride): of components */
    float *matrix;          /* (bands, bands): a component's row */
    void *filtering;        /* memory for the filter */
};

static const float *basis_of(const struct canvas *canvas, int tile, int tiles, int frequency) {
    int variant = (tile > 0) + 2 * (tile < tiles - 1);
    return canvas->context->model->basis[canvas->picture->reduce][variant][frequency];
}

/* The matrix of the spectral transform, from its rotations: in doubles, as comeo.codecs.spectral makes it. */
static void rotate(const comeo_model *model, const comeo_picture *picture, double *turned, float *matrix) {
    int bands = picture->bands, angle = bands * (bands - 1) / 2;
    for (int i = 0; i < bands * bands; i++) turned[i] = i % (bands + 1) == 0;
    for (int i = bands - 2; i >= 0; i--)
        for (int j = bands - 1; j > i; j--) {
            const double *turn = model->rotations[picture->angles[--angle]];
            for (int row = 0; row < bands; row++) {
                double one = turned[row * bands + i], other = turned[row * bands + j];
                turned[row * bands + i] = turn[0] * one - turn[1] * other;
                turned[row * bands + j] = turn[1] * one + turn[0] * other;
            }
        }
    for (int i = 0; i < bands * bands; i++) matrix[i] = (float)turned[i];
}

/* The component that each of an item's is decoded to; −1: none. */
static int plane_of(const comeo_model *model, int item, int component, int bands) {
    if (component < model->leading) return item == 0 && component < bands ? component : -1;
    int plane = component + item * (model->components - model->leading);
    return plane < bands ? plane : -1;
}

INLINE void add_basis(float *restrict row, const float *restrict basis, float value, int reach) {
    for (int x = 0; x < reach; x++) row[x] += value * basis[x];
}

static void add_value(const struct canvas *canvas, float *row, const float *basis, float value) {
    switch (canvas->picture->reduce) { /* so that each loop has a length that is known */
        case 0: add_basis(row, basis, value, REACH); break;
        case 1: add_basis(row, basis, value, REACH / 2); break;
        case 2: add_basis(row, basis, value, REACH / 4); break;
        default: add_basis(row, basis, value, REACH / 8); break;
    }
}

/* A channel's value, along x. */
static void add_channel(struct canvas *canvas, int channel, int32_t value, int item, int row, int column) {
    const comeo_model *model = canvas->context->model;
    int plane = plane_of(model, item, model->component_of[channel], canvas->picture->bands), slot = row & 1;
    if (plane < 0) return;
    int y = model->place_of[channel] / TILE, k = model->place_of[channel] % TILE;
    float *line = canvas->rows + ((size_t)(2 * plane + slot) * TILE + y) * canvas->stride;
    if (!(canvas->filled[2 * plane + slot] >> y & 1)) {
        memset(line, 0, canvas->stride * sizeof(float));
        canvas->filled[2 * plane + slot] |= (uint16_t)(1 << y);
    }
    add_value(canvas, line + MARGIN + column * canvas->side - canvas->half,
              basis_of(canvas, column, canvas->context->plan->columns, k), (float)value);
}

/* One tile's values, along x: those whose size, up to 127, is not zero. */
static void add_tile(struct canvas *canvas, size_t tile, int item, int row, int column, int channels) {
    const comeo_context *context = canvas->context;
    const int32_t *values = context->values + tile * context->model->channels;
    const uint8_t *sizes = context->sizes + tile * context->model->channels;
    for (int start = 0; start < channels; start += 8) {
        uint64_t eight;
        memcpy(&eight, sizes + start, 8);
        eight = (eight + 0x7f7f7f7f7f7f7f7fu) & 0x8080808080808080u;
        if (channels - start < 8) eight &= ((uint64_t)1 << 8 * (channels - start)) - 1;
        for (; eight; eight &= eight - 1) {
            int channel = start + (__builtin_ctzll(eight) >> 3);
            add_channel(canvas, channel, values[channel], item, row, column);
        }
    }
}

static void add_row_of_tiles(struct canvas *canvas, int row) {
    const comeo_context *context = canvas->context;
    const comeo_plan *plan = context->plan;
    const comeo_model *model = context->model;
    int groups = canvas->picture->groups, channels = groups < model->group_count ? model->groups[groups].start : model->channels;
    for (int plane = 0; plane < canvas->picture->bands; plane++) canvas->filled[2 * plane + (row & 1)] = 0;
    if (row == plan->rows) return;
    for (int item = 0; item < plan->items; item++)
        for (int column = 0; column < plan->columns; column++) {
            size_t tile = (size_t)item * plan->tiles + (size_t)row * plan->columns + column;
            add_tile(canvas, tile, item, row, column, channels);
        }
}

/* Rows of coefficients that reach an output row, and their weights in it and the rows below. */
struct terms {
    int count;
    const float *rows[2 * TILE], *weights[2 * TILE];
};

static void list_terms(const struct canvas *canvas, int plane, int row, int y, struct terms *terms) {
    terms->count = 0;
    for (int tile = row - 1; tile <= row; tile++) {
        if (tile < 0 || tile >= canvas->context->plan->rows) continue;
        int slot = 2 * plane + (tile & 1), within = y - (tile * canvas->side - canvas->half);
        for (int frequency = 0; frequency < TILE; frequency++) {
            if (!(canvas->filled[slot] >> frequency & 1)) continue;
            terms->rows[terms->count] = canvas->rows + ((size_t)slot * TILE + frequency) * canvas->stride;
            terms->weights[terms->count++] = basis_of(canvas, tile, canvas->context->plan->rows, frequency) + within;
        }
    }
}

INLINE void sum_terms(const struct terms *terms, float unit, size_t x, size_t stride, int rows, float *to) {
    vf sums[ROWS_AT_ONCE][VECTORS];
    for (int i = 0; i < rows * VECTORS; i++) sums[i / VECTORS][i % VECTORS] = vf_all(0);
    for (int k = 0; k < terms->count; k++)
        for (int i = 0; i < VECTORS; i++) {
            vf line = vf_load(terms->rows[k] + x + (size_t)i * LANES);
            for (int row = 0; row < rows; row++) sums[row][i] += vf_all(terms->weights[k][row]) * line;
        }
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < VECTORS; i++) vf_store(to + row * stride + x + (size_t)i * LANES, sums[row][i] * unit);
}

static void sum_rows(const struct canvas *canvas, int row, int y, int rows) {
    float unit = canvas->filter ? 1 : canvas->picture->step / UNIT;
    size_t first = canvas->filter ? (size_t)y : 0;
    struct terms terms;
    for (int plane = 0; plane < canvas->picture->bands; plane++) {
        float *to = canvas->samples + (plane * canvas->held + first) * canvas->stride;
        list_terms(canvas, plane, row, y, &terms);
        for (size_t x = MARGIN; x < canvas->stride - MARGIN; x += VECTORS * LANES)
            if (rows == 2) sum_terms(&terms, unit, x, canvas->stride, 2, to);
            else sum_terms(&terms, unit, x, canvas->stride, 1, to);
    }
}

/* Rounded half to even, of numbers from 0 to 65 534: a float of 2²³ has no bits behind the point. */
INLINE vi rounded(vf value) { return vi_of((value + 8388608.0f) - 8388608.0f); }

static void paint_row(const struct canvas *canvas, int y, size_t within) {
    const comeo_picture *picture = canvas->picture;
    int bands = picture->bands, reduce = picture->reduce;
    size_t width = (size_t)((picture->width + (1 << reduce) - 1) >> reduce);
    size_t height = (size_t)((picture->height + (1 << reduce) - 1) >> reduce);
    for (int band = 0; band < bands; band++) {
        size_t first = ((size_t)band * height + (size_t)y) * width;
        for (size_t x = 0; x < width; x += LANES) {
            const float *from = canvas->samples + within * canvas->stride + MARGIN + x;
            vf sum = vf_load(from) * canvas->matrix[band];
            for (int plane = 1; plane < bands; plane++) {
                from += canvas->held * canvas->stride;
                sum += vf_load(from) * canvas->matrix[plane * bands + band];
            }
            sum += picture->mean[band];
            size_t some = width - x < LANES ? width - x : LANES;
            if (picture->whole) {
                uint16_t pixels[LANES], *to = (uint16_t *)picture->pixels + first + x;
                vi_unsigned_words(pixels, rounded(vf_min(vf_max(sum, vf_all((float)picture->lowest)), vf_all(65534))));
                if (some == LANES) memcpy(to, pixels, sizeof pixels); /* of a size that the compiler knows */
                else memcpy(to, pixels, some * sizeof *pixels);
            } else {
                memcpy((float *)picture->pixels + first + x, &sum, some * sizeof(float));
            }
        }
    }
}

static void paint_filtered(const struct canvas *canvas) {
    const comeo_picture *picture = canvas->picture;
    for (int plane = 0; plane < picture->bands; plane++)
        canvas->context->kernels->filter(
            canvas->filter, canvas->samples + plane * canvas->held * canvas->stride + MARGIN, picture->height, picture->width,
            canvas->stride, picture->step / UNIT, canvas->filtering);
    for (int y = 0; y < picture->height; y++) paint_row(canvas, y, (size_t)y);
}

static int check(const comeo_context *context, const comeo_picture *picture) {
    bool fine = picture && picture->bands >= 1 && picture->bands <= MAX_BANDS && picture->reduce >= 0 &&
                picture->reduce < REDUCTIONS && picture->mean && picture->angles && picture->pixels &&
                picture->groups >= 1 && picture->groups <= context->groups;
    return fine && (picture->height + TILE - 1) / TILE == context->plan->rows &&
                   (picture->width + TILE - 1) / TILE == context->plan->columns
               ? COMEO_OK
               : COMEO_BAD_ARGUMENT;
}

static int prepare(comeo_context *context, const comeo_picture *picture, struct canvas *canvas) {
    size_t bands = (size_t)picture->bands;
    canvas->context = context;
    canvas->picture = picture;
    canvas->side = TILE >> picture->reduce;
    canvas->half = canvas->side / 2;
    canvas->stride = padded_to((size_t)canvas->side * context->plan->columns, VECTORS * LANES) + 2 * MARGIN;
    canvas->filter = picture->reduce == 0 && context->model->filter.threshold_count ? &context->model->filter : NULL;
    canvas->held = canvas->filter ? (size_t)picture->height : ROWS_AT_ONCE;
    size_t rows = bands * 2 * TILE * canvas->stride, samples = bands * canvas->held * canvas->stride;
    size_t filtering = canvas->filter ? comeo_filter_memory(picture->height, picture->width) : 0;
    float *memory = comeo_grow(&context->floats, sizeof(double) * bands * bands + sizeof(uint16_t) * 2 * bands +
                                                     sizeof(float) * (rows + samples + bands * bands) + filtering + 2 * SPARE);
    if (!memory) return COMEO_NO_MEMORY;
    double *turned = (double *)(void *)memory;
    canvas->rows = (float *)(void *)(turned + bands * bands);
    canvas->samples = canvas->rows + rows;
    canvas->matrix = canvas->samples + samples;
    canvas->filled = (uint16_t *)(void *)(canvas->matrix + bands * bands);
    canvas->filtering = canvas->filled + padded_to(2 * bands, SPARE / sizeof(uint16_t));
    rotate(context->model, picture, turned, canvas->matrix);
    return COMEO_OK;
}

int LEVELLED(inverse)(comeo_context *context, const comeo_picture *picture) {
    struct canvas canvas;
    int status = check(context, picture);
    if (status == COMEO_OK) status = prepare(context, picture, &canvas);
    if (status != COMEO_OK) return status;
    int rows = context->plan->rows, height = (picture->height + (1 << picture->reduce) - 1) >> picture->reduce;
    for (int row = 0; row <= rows; row++) {
        add_row_of_tiles(&canvas, row);
        /* Between the middles of two rows of tiles nothing else reaches. */
        int first = row * canvas.side - canvas.half, last = first + canvas.side;
        if (first < 0) first = 0;
        if (row == rows) last = rows * canvas.side;
        if (last > height) last = height;
        for (int y = first; y < last; y += ROWS_AT_ONCE) {
            int some = last - y < ROWS_AT_ONCE ? 1 : 2;
            sum_rows(&canvas, row, y, some);
            for (int i = 0; i < some && !canvas.filter; i++) paint_row(&canvas, y + i, (size_t)i);
        }
    }
    if (canvas.filter) paint_filtered(&canvas);
    return COMEO_OK;
}

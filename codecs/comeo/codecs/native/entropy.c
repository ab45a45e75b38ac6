/* The entropy decoder: range asymmetric numeral systems, as comeo.codecs.learned.rans and tables have it.
 *
 * Whatever a payload holds, each symbol ends after a bounded number of steps, and beyond the data's end zeros follow. */
#include "internal.h"

enum { PRECISION = 16, MASK = (1 << PRECISION) - 1, BIT = 1 << (PRECISION - 1), LONGEST = 25, FAR = 20, OFFSETS = 3 };

static const uint64_t lowest = (uint64_t)1 << 26;
static const int32_t largest = 1 << 23;

int comeo_open(struct stream *stream, const uint8_t *data, size_t length) {
    enum { STATE_BYTES = 5 };
    *stream = (struct stream){0, data, STATE_BYTES, length, 0};
    if (length < STATE_BYTES) return COMEO_BAD_START;
    for (int i = 0; i < STATE_BYTES; i++) stream->state = stream->state << 8 | data[i];
    return stream->state < lowest || stream->state >= lowest << 8 ? COMEO_BAD_START : COMEO_OK;
}

bool comeo_finished(const struct stream *stream) {
    return stream->state == lowest && stream->place == stream->end;
}

static inline void advance(struct stream *stream, uint32_t start, uint32_t frequency) {
    uint64_t state = frequency * (stream->state >> PRECISION) + (stream->state & MASK) - start;
    while (state < lowest) {
        state = state << 8 | (stream->place < stream->end ? stream->data[stream->place] : 0);
        stream->place++;
    }
    stream->state = state;
}

static inline int next_bit(struct stream *stream) {
    int bit = (int)((stream->state & MASK) >> (PRECISION - 1));
    advance(stream, bit ? BIT : 0, BIT);
    return bit;
}

void comeo_read_offsets(struct stream *stream, int *offsets, int count) {
    static const uint32_t cumulative[2 * OFFSETS + 2] = {0, 1 << 11, 3 << 11, 7 << 11, 25 << 11, 29 << 11, 31 << 11, 1 << 16};
    for (int i = 0; i < count; i++) {
        int column = 0;
        while (cumulative[column + 1] <= (stream->state & MASK)) column++;
        advance(stream, cumulative[column], cumulative[column + 1] - cumulative[column]);
        offsets[i] = column - OFFSETS;
    }
}

/* An Exp-Golomb number, and its sign. */
static int read_far(struct stream *stream, int32_t *distance) {
    int length = 1;
    int64_t excess = 1;
    while (!((stream->state & MASK) >> (PRECISION - 1))) {
        advance(stream, 0, BIT);
        if (++length > LONGEST) return COMEO_BAD_SYMBOLS;
    }
    advance(stream, BIT, BIT);
    for (int i = 0; i < length; i++) excess = excess << 1 | next_bit(stream);
    int32_t found = (int32_t)(FAR + (excess >> 1));
    *distance = excess & 1 ? -found : found;
    return COMEO_OK;
}

static inline int read_symbol(struct stream *stream, const struct tables *tables, int scale, int32_t *symbol) {
    int shift = scale >= ROWS ? (scale - ROWS + 4) / 4 : 0;
    const int32_t *cumulative = tables->cumulative[scale - 4 * shift];
    int32_t slot = (int32_t)(stream->state & MASK);
    int column = FAR; /* mostly it is zero */
    if (slot < cumulative[FAR] || slot >= cumulative[FAR + 1]) {
        column = tables->lookup[scale - 4 * shift][slot >> 8];
        while (cumulative[column + 1] <= slot) column++;
    }
    advance(stream, (uint32_t)cumulative[column], (uint32_t)(cumulative[column + 1] - cumulative[column]));
    int32_t distance = column - FAR;
    if (column != SYMBOLS - 1 && !shift) { /* as nearly all are */
        *symbol = distance;
        return COMEO_OK;
    }
    if (column == SYMBOLS - 1 && read_far(stream, &distance) != COMEO_OK) return COMEO_BAD_SYMBOLS;
    int64_t found = (int64_t)distance * ((int64_t)1 << shift);
    if (shift) {
        uint32_t size = (uint32_t)1 << (PRECISION - shift), low = (uint32_t)(stream->state & MASK) / size;
        advance(stream, low * size, size);
        found += low;
    }
    if (found > largest || found < -largest) return COMEO_BAD_SYMBOLS;
    *symbol = (int32_t)found;
    return COMEO_OK;
}

/* Where the state goes after an even and an odd symbol; its lowest bit says which set of points a symbol counts in.
 * With one set there is one state. */
static const uint8_t next_state[8][2] = {{0, 2}, {5, 7}, {1, 3}, {6, 4}, {2, 0}, {4, 6}, {3, 1}, {7, 5}};

/* What a symbol other than zero stands for, in sixteenths from the mean (see quantiser.py). Its point is of the scale as
 * predicted, and is nought where low bits were sent. */
static inline int32_t value_of(const struct tables *tables, int index, int32_t symbol, int set, int grid) {
    int32_t size = symbol < 0 ? -symbol : symbol, value = (2 * size - set) * grid;
    if (index < ROWS) value -= tables->points[index][(size < POINTS ? size : POINTS) - 1];
    return symbol < 0 ? -value : value;
}

static inline int read_value(
    const comeo_model *model, struct stream *stream, int index, int scale, bool dependent, int32_t *value) {
    int set = dependent ? stream->quantiser_state & 1 : 0;
    const struct tables *tables = &model->tables[set];
    int32_t symbol;
    if (read_symbol(stream, tables, scale, &symbol) != COMEO_OK) return COMEO_BAD_SYMBOLS;
    if (dependent) stream->quantiser_state = next_state[stream->quantiser_state][symbol & 1];
    if (symbol) *value += value_of(tables, index, symbol, set, model->grid);
    return COMEO_OK;
}

/* A bit for each of up to 64 scale indexes that is above SKIPPED; none is above 127. */
static inline uint64_t coded_of(const uint8_t *index, int count) {
    const uint64_t not_skipped = 0x0101010101010101u * (127 - SKIPPED), high = 0x8080808080808080u;
    uint64_t coded = 0;
    for (int start = 0; start < count; start += 8) {
        uint64_t eight;
        memcpy(&eight, index + start, 8);
        /* The product brings the highest bits of all bytes together in the highest byte. */
        coded |= ((eight + not_skipped) & high) * 0x0002040810204081u >> 56 << start;
    }
    return count < 64 ? coded & (((uint64_t)1 << count) - 1) : coded;
}

static inline __attribute__((always_inline)) int read_all(
    comeo_context *context, int number, const int32_t *tiles, int count, int offset, struct stream *stream, bool dependent) {
    const comeo_model *model = context->model;
    const struct group *group = &model->groups[number];
    const bool have_means = group->before >= 0 || group->crossed; /* others are zero, as values are */
    size_t padded = padded_to((size_t)group->count, PADDING);
    struct stream own = *stream; /* so that it stays in registers */
    for (int i = 0; i < count; i++) {
        int32_t *values = context->values + (size_t)tiles[i] * model->channels + group->start;
        const uint8_t *index = context->index + i * padded;
        if (have_means) memcpy(values, context->mean + i * padded, (size_t)group->count * sizeof *values);
        for (int start = 0; start < group->count; start += 64) {
            uint64_t coded = coded_of(index + start, group->count - start < 64 ? group->count - start : 64);
            for (; coded; coded &= coded - 1) {
                int c = start + __builtin_ctzll(coded), scale = index[c] + offset;
                scale = scale <= SKIPPED ? SKIPPED + 1 : scale >= SCALES ? SCALES - 1 : scale;
                if (read_value(model, &own, index[c], scale, dependent, &values[c]) != COMEO_OK) return COMEO_BAD_SYMBOLS;
            }
        }
    }
    *stream = own;
    return COMEO_OK;
}

int comeo_read_symbols(
    comeo_context *context, int group, const int32_t *tiles, int count, int offset, struct stream *stream) {
    return context->model->dependent ? read_all(context, group, tiles, count, offset, stream, true)
                                     : read_all(context, group, tiles, count, offset, stream, false);
}

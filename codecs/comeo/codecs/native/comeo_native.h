/* The compiled decoder of the `learned` codec: entry points.
 *
 * Nothing here is static and mutable. A model and a plan never change once they are made and may be shared by
 * threads; a context belongs to one call at a time. Payload bytes are never trusted; a model's blob is (its
 * reader is bounds-checked all the same).
 */
#ifndef COMEO_NATIVE_H
#define COMEO_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define COMEO_API __declspec(dllexport)
#else
#define COMEO_API __attribute__((visibility("default")))
#endif

typedef struct comeo_model comeo_model;
typedef struct comeo_plan comeo_plan;
typedef struct comeo_context comeo_context;

enum {
    COMEO_OK = 0,
    COMEO_CUT_SHORT = -1,       /* fewer bytes than energy classes */
    COMEO_BAD_CLASSES = -2,     /* an energy class is above 127 */
    COMEO_BAD_START = -3,       /* no state of the entropy coder at the start of the symbols */
    COMEO_BAD_SYMBOLS = -4,     /* a symbol that cannot be, or an end that is not where it should be */
    COMEO_NO_MEMORY = -5,
    COMEO_BAD_ARGUMENT = -6
};

/* How the values of a context become pixels. */
typedef struct comeo_picture {
    int32_t bands, height, width; /* of the block at full size */
    int32_t reduce;               /* 0 to 3: 1/2^reduce of the size */
    int32_t lowest;               /* least whole pixel, 0 or 1 */
    int32_t whole;                /* 1: uint16 in 0…65534, rounded half to even; 0: float32 */
    float step;                   /* quantisation step */
    int32_t groups;               /* channels of groups from here on are zero */
    const float *mean;            /* (bands,) */
    const uint8_t *angles;        /* (bands·(bands−1)/2,): the rotations of the spectral transform */
    void *pixels;                 /* (bands, ⌈height/2^reduce⌉, ⌈width/2^reduce⌉), filled in */
} comeo_picture;

/* Digest of the sources that this library was compiled from, in hex: see build.py. */
COMEO_API const char *comeo_sources(void);

/* Instruction sets that this library was compiled for, best last; usable: whether this processor has it. */
COMEO_API int comeo_level_count(void);
COMEO_API const char *comeo_level_name(int level);
COMEO_API int comeo_level_usable(int level);

/* Logarithmic magnitudes of 0…count−1 as a level computes them: for the check against the model's own table. */
COMEO_API int comeo_magnitudes(int level, uint8_t *found, int count);

/* NULL: not a blob of this version, damaged, or no memory. */
COMEO_API comeo_model *comeo_model_new(const uint8_t *blob, size_t length);
COMEO_API void comeo_model_free(comeo_model *model);
COMEO_API int comeo_model_groups(const comeo_model *model);
/* How many groups a read at 1/2^reduce of the size takes, of a block of so many tiles a band and such a body. */
COMEO_API int comeo_model_read(
    const comeo_model *model, int reduce, int bands, int tiles, const uint8_t *body, size_t length);
COMEO_API int comeo_model_channels(const comeo_model *model);

COMEO_API comeo_plan *comeo_plan_new(int rows, int columns, int items);
COMEO_API void comeo_plan_free(comeo_plan *plan);

COMEO_API comeo_context *comeo_context_new(int level);
COMEO_API void comeo_context_free(comeo_context *context);

/* Decode the first `groups` groups of a body: energy classes of `bands` components, then entropy coded symbols.
 * Fewer groups than the model has: what follows them is neither read nor checked. */
COMEO_API int comeo_decode(
    comeo_context *context, const comeo_model *model, const comeo_plan *plan, const uint8_t *body,
    size_t length, int bands, int groups);

/* Values (tiles + 1, channels) of the last comeo_decode or comeo_begin, in sixteenths of the step; only the channels of the
 * groups that were decoded mean anything. */
COMEO_API int32_t *comeo_values(comeo_context *context);

/* Bring the values of the last comeo_decode to pixels. */
COMEO_API int comeo_inverse(comeo_context *context, const comeo_picture *picture);

/* The decoder pass by pass, for an encoder: begin; for each group and pass predict, put values in, note; share
 * after each group. `energy` is (items, components). comeo_predict returns the number of tiles and fills in
 * `tiles` (n), `mean` and `index` (n, channels of the group), which hold as many tiles as the plan has. */
COMEO_API int comeo_begin(
    comeo_context *context, const comeo_model *model, const comeo_plan *plan, const uint8_t *energy,
    int thorough);
COMEO_API int comeo_predict(
    comeo_context *context, int group, int pass, int32_t *tiles, int32_t *mean, uint8_t *index);
COMEO_API int comeo_note(comeo_context *context, int group, int pass);
COMEO_API int comeo_share(comeo_context *context, int group);

#endif

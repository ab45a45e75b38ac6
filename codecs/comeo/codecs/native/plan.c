/* In which order tiles are decoded, and which lie around each: as comeo.codecs.learned.layout has it. */
#include "internal.h"

enum { KINDS = 5, NONE = -1 };

static const int axial[4][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};
static const int diagonal[4][2] = {{-1, -1}, {1, 1}, {-1, 1}, {1, -1}};

/* Which of five passes decodes a tile. */
static int kind_of(int row, int column) {
    if ((row + column) % 2) return 4;
    if (row % 2) return 3;
    if ((row + column) % 4) return 2;
    return row % 4 ? 1 : 0;
}

/* The tiles at some offsets from each, two opposite pairs. Outside is `count`; mirrored: or what lies opposite. */
static void find(const comeo_plan *plan, const int offsets[4][2], int distance, bool mirrored, int32_t *found) {
    for (int tile = 0; tile < plan->count; tile++, found += 4) {
        int item = tile / plan->tiles, within = tile % plan->tiles;
        int row = within / plan->columns, column = within % plan->columns, at[4];
        for (int side = 0; side < 4; side++) {
            int y = row + offsets[side][0] * distance, x = column + offsets[side][1] * distance;
            bool inside = y >= 0 && y < plan->rows && x >= 0 && x < plan->columns;
            at[side] = inside ? item * plan->tiles + y * plan->columns + x : NONE;
        }
        for (int side = 0; side < 4; side++) {
            int chosen = at[side] == NONE && mirrored ? at[side ^ 1] : at[side];
            found[side] = chosen == NONE ? plan->count : chosen;
        }
    }
}

/* Ways to pass over tiles: 1, 2, 3 and 5 passes. */
static int way_of(int passes) { return passes == 5 ? 3 : passes - 1; }

static void list_tiles(comeo_plan *plan) {
    static const int first_kinds[4] = {5, 4, 3, 1}; /* how many kinds the first pass of a way takes together */
    for (int tile = 0; tile < plan->count; tile++) {
        int within = tile % plan->tiles, kind = kind_of(within / plan->columns, within % plan->columns);
        for (int way = 0; way < 4; way++) {
            int pass = kind < first_kinds[way] ? 0 : kind - first_kinds[way] + 1;
            plan->steps[way][pass][plan->step_counts[way][pass]++] = tile;
        }
    }
}

comeo_plan *comeo_plan_new(int rows, int columns, int items) {
    if (rows < 1 || columns < 1 || items < 1 || items > MAX_ITEMS || rows > MAX_SIDE / TILE || columns > MAX_SIDE / TILE)
        return NULL;
    comeo_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->rows = rows;
    plan->columns = columns;
    plan->items = items;
    plan->tiles = rows * columns;
    plan->count = plan->tiles * items;
    size_t four = 4 * (size_t)plan->count, lists = 4 * MAX_PASSES * (size_t)plan->count;
    int32_t *memory = plan->memory = malloc(((3 + KINDS) * four + lists) * sizeof(int32_t) + SPARE);
    if (!memory) {
        free(plan);
        return NULL;
    }
    plan->around = memory;
    plan->beside = memory + four;
    plan->corners = memory + 2 * four;
    for (int kind = 0; kind < KINDS; kind++) plan->known[kind] = memory + (3 + (size_t)kind) * four;
    for (int i = 0; i < 4 * MAX_PASSES; i++)
        plan->steps[i / MAX_PASSES][i % MAX_PASSES] = memory + (3 + KINDS) * four + (size_t)i * plan->count;
    find(plan, axial, 1, true, plan->around);
    find(plan, axial, 1, false, plan->beside);
    find(plan, diagonal, 1, false, plan->corners);
    find(plan, diagonal, 2, true, plan->known[1]);
    find(plan, axial, 2, true, plan->known[2]);
    find(plan, diagonal, 1, true, plan->known[3]);
    find(plan, axial, 1, true, plan->known[4]);
    list_tiles(plan);
    return plan;
}

void comeo_plan_free(comeo_plan *plan) {
    if (!plan) return;
    free(plan->memory);
    free(plan);
}

const int32_t *comeo_step(const comeo_plan *plan, const struct group *group, int pass, int *count) {
    int way = way_of(group->passes);
    *count = plan->step_counts[way][pass];
    return plan->steps[way][pass];
}

/* Tiles of the same group that passes before have decoded around each: (tiles, 4), or NULL in a first pass. */
const int32_t *comeo_known(const comeo_plan *plan, const struct group *group, int pass) {
    return pass ? plan->known[KINDS - group->passes + pass] : NULL;
}

/* What is done along a row of voxels, or to the table that its levels are counted in. */

#ifndef RADZOO_ROWS_H
#define RADZOO_ROWS_H

#include "flows/imaging/intensities/clones.h"

/* Tables of so many cells are kept four times: where few cells are counted in, a count waits for the one before it
   in the same cell, and neighbours in a row go to different tables. */
enum { TABLES = 4, FEW_CELLS = 1024 };

static inline void count_pairs(
    int32_t *restrict table, const uint16_t *first, const uint16_t *second, Py_ssize_t side, Py_ssize_t n)
{
    for (Py_ssize_t x = 0; x < n; x++)
        table[first[x] * side + second[x]]++;
}

static inline void count_few_pairs(
    int32_t *restrict table, const uint16_t *first, const uint16_t *second, Py_ssize_t side, Py_ssize_t n)
{
    Py_ssize_t x = 0;
    for (; x + TABLES <= n; x += TABLES) {
        table[TABLES * (first[x] * side + second[x])]++;
        table[TABLES * (first[x + 1] * side + second[x + 1]) + 1]++;
        table[TABLES * (first[x + 2] * side + second[x + 2]) + 2]++;
        table[TABLES * (first[x + 3] * side + second[x + 3]) + 3]++;
    }
    for (; x < n; x++)
        table[TABLES * (first[x] * side + second[x])]++;
}

/* The sums of the four tables, in the first places. */
static inline void join_tables(int32_t *table, Py_ssize_t cells)
{
    for (Py_ssize_t cell = 0; cell < cells; cell++) {
        const int32_t *four = table + TABLES * cell;
        table[cell] = four[0] + four[1] + four[2] + four[3];
    }
}

/* Each voxel's place in its run: one more than that of the voxel before, where that has the same level. */
static inline void place_in_runs(
    uint16_t *restrict place, const uint16_t *restrict before, const uint16_t *restrict own,
    const uint16_t *restrict other, Py_ssize_t n)
{
    for (Py_ssize_t x = 0; x < n; x++)
        place[x] = (before[x] * (own[x] == other[x]) + 1) * (own[x] != 0);
}

static inline void place_along_row(uint16_t *place, const uint16_t *own, Py_ssize_t n)
{
    uint16_t before = 0;
    for (Py_ssize_t x = 0; x < n; x++) {
        before = own[x] ? (own[x] == own[x - 1] ? before : 0) + 1 : 0;
        place[x] = before;
    }
}

/* Rows are gone through in steps of so many voxels, to behind their ends: there is room, and nobody reads it. */
enum { STEP = 16 };

IN_CLONES static void mark_alike(
    uint16_t *restrict alike, const uint16_t *restrict own, const uint16_t *restrict other, int bit, Py_ssize_t n)
{
    const uint16_t mark = (uint16_t)(1u << bit);
    for (Py_ssize_t begin = 0; begin < n; begin += STEP)
        for (int x = 0; x < STEP; x++)
            alike[begin + x] |= own[begin + x] == other[begin + x] ? mark : 0;
}

IN_CLONES static void count_beside(
    uint16_t *restrict count, uint16_t *restrict dependent, const uint16_t *restrict own,
    const uint16_t *restrict other, uint16_t reach, uint16_t span, Py_ssize_t n)
{
    for (Py_ssize_t begin = 0; begin < n; begin += STEP)
        for (int x = 0; x < STEP; x++) {
            const uint16_t level = other[begin + x];
            count[begin + x] += level != 0;
            /* From -alpha to alpha, in one comparison: below 0 is far above. */
            dependent[begin + x] += (level != 0) & ((uint16_t)(own[begin + x] - level + reach) <= span);
        }
}

IN_CLONES static void add_small(uint16_t *restrict total, const uint16_t *restrict other, Py_ssize_t n)
{
    for (Py_ssize_t begin = 0; begin < n; begin += STEP)
        for (int x = 0; x < STEP; x++)
            total[begin + x] += other[begin + x];
}

/* The place of the lowest bit that is set. */
static inline int lowest_bit(unsigned bits)
{
#if defined(__GNUC__)
    return __builtin_ctz(bits);
#else
    int at = 0;
    while (!(bits >> at & 1))
        at++;
    return at;
#endif
}

#endif

// What all levels of the exponent planes share. Each level's file has its primitives and takes in the drivers,
// planes_decode.h and planes_encode.h; planes_dispatch.c chooses.
//
// A group is 64 values: a word of a plane, a vector of bytes. An item is a value of rank >= Q, and only items have
// bits in levels. So the levels are worked on as masks of the items alone, which are far fewer than the values: mask j
// has a bit for every item of rank >= Q + j. What comes out, the ranks of the items, is put among the others by the
// masks of the groups. A level's bits begin where those of the one before end, so that it goes level by level, for as
// many groups as fit into local memory: a chunk.
#ifndef PLANES_H
#define PLANES_H

#include "CDRKernels.h"
#include <stdatomic.h>
#include <string.h>

#define PLANES_GROUP ((size_t)64)
/// Groups of a chunk; a multiple of 8.
#define PLANES_CHUNK ((size_t)64)
#define PLANES_MOST_LEVELS 12

/// For functions of a level that are parts of one loop, or made for the width of a value.
#define PLANES_INLINE PLANES_TARGET static inline __attribute__((always_inline))

/// Before the loops over groups of a few instructions each: a tenth faster.
#if defined(__clang__)
#define PLANES_UNROLL _Pragma("clang loop unroll_count(4)")
#else
#define PLANES_UNROLL
#endif

typedef struct {
    int (*decode)(const cdr_planes_table *table, const uint8_t *stored, size_t stored_count, uint8_t *target,
                  size_t count);
    int (*decode_f32)(const cdr_planes_table *table, const uint8_t *stored, size_t stored_count, uint8_t *target,
                      size_t count);
    size_t (*encode)(const cdr_planes_table *table, const uint8_t *values, size_t count, uint8_t *target);
} planes_kernels;

extern const planes_kernels cdr_planes_plain;
#if defined(__x86_64__)
extern const planes_kernels cdr_planes_avx2, cdr_planes_avx512;
/// Whether PDEP and PEXT are microcode here, slower than a loop: Zen 1 and 2. Read by the AVX2 level alone.
extern _Atomic int cdr_planes_deposit_is_slow;
#elif defined(__aarch64__)
extern const planes_kernels cdr_planes_neon;
#endif

/// A unit that is being decoded.
typedef struct {
    const cdr_planes_table *table;
    const uint8_t *fractions, *planes, *bits, *exceptions;
    size_t count, group_count;
    size_t tail_count;  // bytes of levels and exceptions together
    /// Where the next chunk's bits of each level begin, and where the level ends; behind the levels the same of the
    /// exceptions.
    size_t at[PLANES_MOST_LEVELS + 1], limit[PLANES_MOST_LEVELS + 1];
    size_t base_index;  // of the next chunk's first value
} planes_unit;

/// A chunk of it. Arrays of items have a word or 64 bytes more, for loads that reach behind.
typedef struct {
    uint64_t groups[PLANES_CHUNK];     // which values are items
    size_t first_items[PLANES_CHUNK];  // the number of each group's first one
    size_t item_count, exception_count;
    uint64_t masks[PLANES_MOST_LEVELS + 1][PLANES_CHUNK];  // of items, from 1 on
    size_t starts[PLANES_CHUNK];  // where the bits of each word of items begin in the level at hand
    uint64_t rank_planes[4][PLANES_CHUNK + 1];  // of items
    uint8_t ranks[PLANES_GROUP * PLANES_CHUNK + 64];
    const uint8_t *exceptions;
} planes_work;

/// A chunk of a unit that is being encoded.
typedef struct {
    uint64_t planes[3][PLANES_CHUNK], masks[PLANES_MOST_LEVELS + 1][PLANES_CHUNK];
    size_t exception_count;
    uint8_t exceptions[PLANES_GROUP * PLANES_CHUNK + CDR_PLANES_SLACK];
} planes_chunk;

/// Finds the parts of a unit and checks all that doesn't depend on its levels. Returns 0, or 1 if it is corrupt.
int cdr_planes_open(planes_unit *unit, const cdr_planes_table *table, const uint8_t *stored, size_t stored_count,
                    size_t count);
/// Finds where the levels of a unit of more than one chunk begin and end: how many bits a level has is how many the one
/// before has set. Returns 0, or 1 if the unit is corrupt.
int cdr_planes_scan(planes_unit *unit);

/// Takes the exceptions to begin behind `bit_count` bits of levels; checks that the unit ends behind `exception_count`
/// of them, and the padding of the levels.
static inline int planes_close(planes_unit *unit, size_t bit_count, size_t exception_count) {
    size_t byte_count = (bit_count + 7) / 8;
    if (byte_count > unit->tail_count || unit->tail_count - byte_count != exception_count) return 1;
    if (bit_count % 8 && unit->bits[byte_count - 1] >> bit_count % 8) return 1;
    unit->exceptions = unit->bits + byte_count;
    return 0;
}

static inline uint64_t planes_load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

static inline void planes_store(uint8_t *bytes, uint64_t word) { memcpy(bytes, &word, 8); }

/// PDEP and PEXT for machines that lack them, a step for each bit of the mask.
static inline uint64_t planes_deposit(uint64_t bits, uint64_t mask) {
    uint64_t result = 0;
    for (; mask; mask &= mask - 1, bits >>= 1) result |= mask & -mask & -(bits & 1);
    return result;
}

static inline uint64_t planes_extract(uint64_t bits, uint64_t mask) {
    uint64_t result = 0;
    for (uint64_t bit = 1; mask; mask &= mask - 1, bit <<= 1) result |= bit & -(uint64_t)((bits & mask & -mask) != 0);
    return result;
}

/// Of a value: exponent, and fraction with the sign behind it.
static inline uint8_t planes_exponent(uint16_t value) { return (uint8_t)(value >> 7); }
static inline uint8_t planes_fraction(uint16_t value) { return (uint8_t)(value << 1 | value >> 15); }
static inline uint16_t planes_value(uint8_t exponent, uint8_t fraction) {
    return (uint16_t)(exponent << 7 | fraction >> 1 | (fraction & 1) << 15);
}

/// Gives the items of a group their exponents; returns which are exceptions.
static inline uint64_t planes_place_items(const planes_work *work, size_t group, const cdr_planes_table *table,
                                          const uint8_t *bases, uint8_t *exponents) {
    uint64_t mask = work->groups[group], exceptions = 0;
    if (!table->level_count) return mask;
    const uint8_t *ranks = work->ranks + work->first_items[group];
    uint8_t most = (uint8_t)(3 + table->level_count);
    for (; mask; mask &= mask - 1) {
        size_t i = (size_t)__builtin_ctzll(mask);
        uint8_t rank = *ranks++;
        exponents[i] = (uint8_t)(bases[i] + table->offsets[rank]);
        exceptions |= (uint64_t)(rank == most) << i;
    }
    return exceptions;
}

#endif

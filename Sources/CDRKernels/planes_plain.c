// Exponent planes in C alone: the reference of the other levels. Eight values at a time are the bytes of a word.
#include "planes.h"

#define PLANES_TARGET

#define ONES 0x0101010101010101u
#define deposit planes_deposit
#define extract planes_extract

/// Byte t of the result is bit t of a byte.
static inline uint64_t spread_byte(uint64_t byte) {
    uint64_t bits = byte * ONES & 0x8040201008040201u;
    return (bits + 0x7F * ONES) >> 7 & ONES;
}

/// Bit t of the result is the high bit of byte t.
static inline uint64_t gather_bits(uint64_t bytes) {
    return ((bytes >> 7 & ONES) * 0x0102040810204080u) >> 56;
}

PLANES_INLINE void rank_items(planes_work *work) {
    for (size_t item = 0; item < work->item_count; item += 8) {
        uint64_t ranks = 0;
        for (size_t k = 0; k < 4; k++)
            ranks |= spread_byte(work->rank_planes[k][item / 64] >> item % 64 & 0xFF) << k;
        planes_store(work->ranks + item, ranks);
    }
}

PLANES_INLINE uint64_t find_exponents(const planes_work *work, size_t group, const uint64_t planes[3],
                                      const cdr_planes_table *table, const uint8_t *bases, uint8_t *exponents) {
    for (size_t at = 0; at < PLANES_GROUP; at += 8) {
        uint64_t ranks = spread_byte(planes[0] >> at & 0xFF) | spread_byte(planes[1] >> at & 0xFF) << 1;
        if (table->plane_count == 3) ranks |= spread_byte(planes[2] >> at & 0xFF) << 2;
        for (size_t i = at; i < at + 8; i++, ranks >>= 8)
            exponents[i] = (uint8_t)(bases[i] + table->offsets[ranks & 15]);
    }
    return planes_place_items(work, group, table, bases, exponents);
}

PLANES_INLINE void store_group(const uint8_t *exponents, const uint8_t *fractions, uint8_t *target, size_t width) {
    for (size_t i = 0; i < PLANES_GROUP; i++) {
        uint32_t value = planes_value(exponents[i], fractions[i]);
        if (width == 4) value <<= 16;
        memcpy(target + width * i, &value, width);
    }
}

static inline void rank_group(const cdr_planes_table *table, const uint8_t *values, const uint8_t *bases,
                              uint64_t valid, planes_chunk *chunk, size_t group, uint8_t *fractions) {
    uint8_t exponents[PLANES_GROUP], ranks[PLANES_GROUP];
    for (size_t i = 0; i < PLANES_GROUP; i++) {
        uint16_t value;
        memcpy(&value, values + 2 * i, 2);
        fractions[i] = planes_fraction(value);
        exponents[i] = planes_exponent(value);
        ranks[i] = table->ranks[(uint8_t)(exponents[i] - bases[i])];
    }
    size_t plane_count = table->plane_count, level_count = table->level_count;
    unsigned most = (1u << plane_count) - 1;
    for (size_t j = 0; j <= level_count; j++) {
        uint64_t mask = 0;
        // A rank is at most 15, so that the sum stays in its byte and reaches the high bit from most + j on.
        for (size_t at = 0; at < PLANES_GROUP; at += 8)
            mask |= gather_bits(planes_load(ranks + at) + (0x80 - most - j) * ONES) << at;
        chunk->masks[j][group] = mask & valid;
    }
    for (size_t k = 0; k < plane_count; k++) {
        uint64_t plane = 0;
        for (size_t at = 0; at < PLANES_GROUP; at += 8)
            plane |= gather_bits(planes_load(ranks + at) << (7 - k)) << at;
        chunk->planes[k][group] = (plane & valid) | chunk->masks[0][group];
    }
    for (uint64_t mask = chunk->masks[level_count][group]; mask; mask &= mask - 1)
        chunk->exceptions[chunk->exception_count++] = exponents[__builtin_ctzll(mask)];
}

#include "planes_emit.h"
#include "planes_decode.h"
#include "planes_encode.h"

const planes_kernels cdr_planes_plain = {decode_bf16, decode_f32, encode};

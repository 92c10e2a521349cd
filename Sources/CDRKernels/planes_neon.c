// Exponent planes with NEON: a group is four registers of bytes. There is no bit deposit, so levels go by loops.
#include "planes.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define PLANES_TARGET
#define deposit planes_deposit
#define extract planes_extract

static inline uint8x16_t bits_of_bytes(void) { return vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u)); }

/// 16 ranks, each from its bits of `plane_count` planes.
static inline uint8x16_t ranks_of(const uint64_t *planes, size_t plane_count, size_t quarter) {
    uint8x16_t negated = vdupq_n_u8(0);
    for (size_t k = plane_count; k-- > 0;) {
        uint64_t two = planes[k] >> 16 * quarter;
        uint8x16_t word = vcombine_u8(vdup_n_u8((uint8_t)two), vdup_n_u8((uint8_t)(two >> 8)));
        // A set bit is 255, which counts as minus one.
        negated = vaddq_u8(vaddq_u8(negated, negated), vtstq_u8(word, bits_of_bytes()));
    }
    return vsubq_u8(vdupq_n_u8(0), negated);
}

/// Writes eight values of bytes that lie side by side, fraction first; moves the sign from the lowest bit to the
/// highest.
PLANES_INLINE void store_values(uint8x16_t pairs, uint8_t *target, size_t width) {
    uint16x8_t values = vreinterpretq_u16_u8(pairs);
    values = vsliq_n_u16(vshrq_n_u16(values, 1), values, 15);
    if (width == 2) {
        vst1q_u8(target, vreinterpretq_u8_u16(values));
    } else {
        vst1q_u8(target, vreinterpretq_u8_u32(vshll_n_u16(vget_low_u16(values), 16)));
        vst1q_u8(target + 16, vreinterpretq_u8_u32(vshll_high_n_u16(values, 16)));
    }
}

PLANES_INLINE void rank_items(planes_work *work) {
    for (size_t i = 0; 64 * i < work->item_count; i++) {
        uint64_t planes[4];
        for (size_t k = 0; k < 4; k++) planes[k] = work->rank_planes[k][i];
        for (size_t quarter = 0; quarter < 4; quarter++)
            vst1q_u8(work->ranks + 64 * i + 16 * quarter, ranks_of(planes, 4, quarter));
    }
}

PLANES_INLINE uint64_t find_exponents(const planes_work *work, size_t group, const uint64_t planes[3],
                                      const cdr_planes_table *table, const uint8_t *bases, uint8_t *exponents) {
    uint8x16_t offsets = vld1q_u8(table->offsets);
    for (size_t quarter = 0; quarter < 4; quarter++) {
        uint8x16_t found = vqtbl1q_u8(offsets, ranks_of(planes, 3, quarter));
        vst1q_u8(exponents + 16 * quarter, vaddq_u8(found, vld1q_u8(bases + 16 * quarter)));
    }
    return planes_place_items(work, group, table, bases, exponents);
}

PLANES_INLINE void store_group(const uint8_t *exponents, const uint8_t *fractions, uint8_t *target, size_t width) {
    for (size_t at = 0; at < PLANES_GROUP; at += 16) {
        uint8x16_t e = vld1q_u8(exponents + at), f = vld1q_u8(fractions + at);
        store_values(vzip1q_u8(f, e), target + width * at, width);
        store_values(vzip2q_u8(f, e), target + width * (at + 8), width);
    }
}

/// The ranks of 16 differences to the base: of the 256 numbers, 64 are one lookup, and others leave what was found.
static inline uint8x16_t look_up_ranks(const uint8_t *ranks, uint8x16_t differences) {
    uint8x16_t found = vdupq_n_u8(0);
    for (size_t at = 0; at < 256; at += 64) {
        uint8x16x4_t table = {{vld1q_u8(ranks + at), vld1q_u8(ranks + at + 16), vld1q_u8(ranks + at + 32),
                               vld1q_u8(ranks + at + 48)}};
        found = vqtbx4q_u8(found, table, vsubq_u8(differences, vdupq_n_u8((uint8_t)at)));
    }
    return found;
}

/// The mask of the bytes that aren't zero; those are 255.
static inline uint64_t mask_of(const uint8x16_t is_set[4]) {
    uint8x16_t bits = bits_of_bytes();
    uint8x16_t low = vpaddq_u8(vandq_u8(is_set[0], bits), vandq_u8(is_set[1], bits));
    uint8x16_t high = vpaddq_u8(vandq_u8(is_set[2], bits), vandq_u8(is_set[3], bits));
    low = vpaddq_u8(low, high);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(low, low)), 0);
}

/// The fractions (with signs) and exponents of 16 values.
static inline void split(const uint8_t *values, uint8_t *fractions, uint8_t *exponents) {
    uint16x8_t a = vreinterpretq_u16_u8(vld1q_u8(values)), b = vreinterpretq_u16_u8(vld1q_u8(values + 16));
    uint8x16_t low = vuzp1q_u8(vreinterpretq_u8_u16(vsliq_n_u16(vshrq_n_u16(a, 15), a, 1)),
                               vreinterpretq_u8_u16(vsliq_n_u16(vshrq_n_u16(b, 15), b, 1)));
    vst1q_u8(fractions, low);
    vst1q_u8(exponents, vcombine_u8(vshrn_n_u16(a, 7), vshrn_n_u16(b, 7)));
}

static inline void rank_group(const cdr_planes_table *table, const uint8_t *values, const uint8_t *bases,
                              uint64_t valid, planes_chunk *chunk, size_t group, uint8_t *fractions) {
    uint8_t exponents[PLANES_GROUP];
    uint8x16_t ranks[4], is_set[4];
    for (size_t q = 0; q < 4; q++) {
        split(values + 32 * q, fractions + 16 * q, exponents + 16 * q);
        ranks[q] = look_up_ranks(table->ranks, vsubq_u8(vld1q_u8(exponents + 16 * q), vld1q_u8(bases + 16 * q)));
    }
    size_t plane_count = table->plane_count, level_count = table->level_count;
    uint8_t most = (uint8_t)((1u << plane_count) - 1);
    for (size_t j = 0; j <= level_count; j++) {
        for (size_t q = 0; q < 4; q++) is_set[q] = vcgeq_u8(ranks[q], vdupq_n_u8((uint8_t)(most + j)));
        chunk->masks[j][group] = mask_of(is_set) & valid;
    }
    for (size_t k = 0; k < plane_count; k++) {
        for (size_t q = 0; q < 4; q++) is_set[q] = vtstq_u8(ranks[q], vdupq_n_u8((uint8_t)(1 << k)));
        chunk->planes[k][group] = (mask_of(is_set) & valid) | chunk->masks[0][group];
    }
    for (uint64_t mask = chunk->masks[level_count][group]; mask; mask &= mask - 1)
        chunk->exceptions[chunk->exception_count++] = exponents[__builtin_ctzll(mask)];
}

#include "planes_emit.h"
#include "planes_decode.h"
#include "planes_encode.h"

const planes_kernels cdr_planes_neon = {decode_bf16, decode_f32, encode};

#endif

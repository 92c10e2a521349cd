// Exponent planes with AVX2 and BMI2: a group is two registers of bytes.
#include "planes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define PLANES_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))

static inline int is_slow(void) {
    return __builtin_expect(atomic_load_explicit(&cdr_planes_deposit_is_slow, memory_order_relaxed), 0);
}

PLANES_TARGET static inline uint64_t deposit(uint64_t bits, uint64_t mask) {
    if (is_slow()) return planes_deposit(bits, mask);
    return _pdep_u64(bits, mask);
}

PLANES_TARGET static inline uint64_t extract(uint64_t bits, uint64_t mask) {
    if (is_slow()) return planes_extract(bits, mask);
    return _pext_u64(bits, mask);
}

PLANES_TARGET static inline __m256i load(const void *from) { return _mm256_loadu_si256((const __m256i *)from); }
PLANES_TARGET static inline void store(void *to, __m256i value) { _mm256_storeu_si256((__m256i *)to, value); }

/// The ranks of 32 values, each from its bits of four planes.
PLANES_TARGET static inline __m256i ranks_of(const uint64_t planes[4], size_t half) {
    const __m256i places = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201u);
    __m256i negated = _mm256_setzero_si256();
    for (size_t k = 4; k-- > 0;) {
        __m256i word = _mm256_shuffle_epi8(_mm256_set1_epi32((int)(planes[k] >> 32 * half)), places);
        __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(word, bits), bits);
        negated = _mm256_add_epi8(_mm256_add_epi8(negated, negated), is_set);
    }
    return _mm256_abs_epi8(negated);
}

/// Writes 16 values of bytes that lie side by side, fraction first; moves the sign from the lowest bit to the highest.
PLANES_INLINE void store_values(__m256i pairs, uint8_t *target, size_t width) {
    __m256i values = _mm256_or_si256(_mm256_srli_epi16(pairs, 1), _mm256_slli_epi16(pairs, 15));
    if (width == 2) {
        store(target, values);
        return;
    }
    for (int i = 0; i < 2; i++) {
        __m128i half = i ? _mm256_extracti128_si256(values, 1) : _mm256_castsi256_si128(values);
        store(target + 32 * i, _mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
    }
}

/// Ranks are put in place as bit planes.
PLANES_INLINE void rank_items(planes_work *work) { (void)work; }

/// The bits of a plane of items from number `item` on.
static inline uint64_t item_bits(const uint64_t *plane, size_t item) {
    const uint64_t *word = plane + item / 64;
    return word[0] >> item % 64 | word[1] << 1 << (63 - item % 64);
}

PLANES_INLINE uint64_t find_exponents(const planes_work *work, size_t group, const uint64_t planes[3],
                                      const cdr_planes_table *table, const uint8_t *bases, uint8_t *exponents) {
    uint64_t items = work->groups[group], exceptions = items;
    uint64_t ranks[4] = {planes[0], planes[1], planes[2], 0};
    if (table->level_count) {
        for (size_t k = 0; k < 4; k++) {
            uint64_t bits = deposit(item_bits(work->rank_planes[k], work->first_items[group]), items);
            ranks[k] = (ranks[k] & ~items) | bits;
            exceptions &= (3 + table->level_count) >> k & 1 ? bits : ~bits;
        }
    }
    __m256i offsets = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table->offsets));
    for (size_t half = 0; half < 2; half++) {
        __m256i found = _mm256_shuffle_epi8(offsets, ranks_of(ranks, half));
        store(exponents + 32 * half, _mm256_add_epi8(found, load(bases + 32 * half)));
    }
    return exceptions;
}

PLANES_INLINE void store_group(const uint8_t *exponents, const uint8_t *fractions, uint8_t *target, size_t width) {
    for (size_t half = 0; half < 2; half++) {
        __m256i e = load(exponents + 32 * half), f = load(fractions + 32 * half);
        // Unpacking works in halves of a register.
        __m256i low = _mm256_unpacklo_epi8(f, e), high = _mm256_unpackhi_epi8(f, e);
        store_values(_mm256_permute2x128_si256(low, high, 0x20), target + width * 32 * half, width);
        store_values(_mm256_permute2x128_si256(low, high, 0x31), target + width * (32 * half + 16), width);
    }
}

/// The ranks of 32 differences to the base: the largest of 16 - rank among the offsets that are equal, so that the
/// least rank counts.
PLANES_TARGET static inline __m256i look_up_ranks(const cdr_planes_table *table, __m256i differences,
                                                  unsigned rank_count) {
    __m256i found = _mm256_set1_epi8((char)(16 - rank_count));
    for (unsigned r = 0; r < rank_count; r++) {
        __m256i is_equal = _mm256_cmpeq_epi8(differences, _mm256_set1_epi8((char)table->offsets[r]));
        found = _mm256_max_epu8(found, _mm256_and_si256(is_equal, _mm256_set1_epi8((char)(16 - r))));
    }
    return _mm256_sub_epi8(_mm256_set1_epi8(16), found);
}

/// The mask of the bytes of which bit 7 is set.
PLANES_TARGET static inline uint64_t mask_of(__m256i low, __m256i high) {
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

/// The fractions (with signs) and exponents of 32 values, and the exponents' ranks.
PLANES_TARGET static inline __m256i split(const cdr_planes_table *table, const uint8_t *values, const uint8_t *bases,
                                          unsigned rank_count, uint8_t *fractions, uint8_t *exponents) {
    const __m256i bytes = _mm256_set1_epi16(0xFF);
    __m256i a = load(values), b = load(values + 32);
    __m256i f = _mm256_packus_epi16(
        _mm256_and_si256(_mm256_or_si256(_mm256_slli_epi16(a, 1), _mm256_srli_epi16(a, 15)), bytes),
        _mm256_and_si256(_mm256_or_si256(_mm256_slli_epi16(b, 1), _mm256_srli_epi16(b, 15)), bytes));
    __m256i e = _mm256_packus_epi16(_mm256_and_si256(_mm256_srli_epi16(a, 7), bytes),
                                    _mm256_and_si256(_mm256_srli_epi16(b, 7), bytes));
    e = _mm256_permute4x64_epi64(e, 0xD8);
    store(fractions, _mm256_permute4x64_epi64(f, 0xD8));
    store(exponents, e);
    return look_up_ranks(table, _mm256_sub_epi8(e, load(bases)), rank_count);
}

PLANES_TARGET static inline void rank_group(const cdr_planes_table *table, const uint8_t *values,
                                            const uint8_t *bases, uint64_t valid, planes_chunk *chunk, size_t group,
                                            uint8_t *fractions) {
    uint8_t exponents[PLANES_GROUP];
    size_t plane_count = table->plane_count, level_count = table->level_count;
    unsigned most = (1u << plane_count) - 1, rank_count = most + (unsigned)level_count;
    __m256i low = split(table, values, bases, rank_count, fractions, exponents);
    __m256i high = split(table, values + 64, bases + 32, rank_count, fractions + 32, exponents + 32);
    // A rank is at most 15, so that the sum reaches bit 7 from most + j on.
    for (size_t j = 0; j <= level_count; j++) {
        __m256i missing = _mm256_set1_epi8((char)(0x80 - most - j));
        chunk->masks[j][group] =
            mask_of(_mm256_add_epi8(low, missing), _mm256_add_epi8(high, missing)) & valid;
    }
    for (size_t k = 0; k < plane_count; k++) {
        __m128i shift = _mm_cvtsi32_si128((int)(7 - k));
        uint64_t plane = mask_of(_mm256_sll_epi16(low, shift), _mm256_sll_epi16(high, shift));
        chunk->planes[k][group] = (plane & valid) | chunk->masks[0][group];
    }
    for (uint64_t mask = chunk->masks[level_count][group]; mask; mask &= mask - 1)
        chunk->exceptions[chunk->exception_count++] = exponents[__builtin_ctzll(mask)];
}

#include "planes_emit.h"
#include "planes_decode.h"
#include "planes_encode.h"

const planes_kernels cdr_planes_avx2 = {decode_bf16, decode_f32, encode};

#endif

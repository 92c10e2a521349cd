// Exponent planes with AVX-512: a group is a register of bytes, and a mask one of masks.
#include "planes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define PLANES_TARGET                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,gfni,bmi,bmi2,popcnt")))
#define deposit _pdep_u64
#define extract _pext_u64

PLANES_TARGET static inline __m512i load(const void *from) { return _mm512_loadu_si512(from); }

/// 64 values of exponents and fractions. Their bytes go side by side, and the sign from the lowest bit to the highest.
PLANES_INLINE void store_values(__m512i exponents, __m512i fractions, uint8_t *target, size_t width) {
    // Unpacking works in quarters of a register.
    const __m512i quarters = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    __m512i e = _mm512_permutexvar_epi64(quarters, exponents), f = _mm512_permutexvar_epi64(quarters, fractions);
    __m512i low = _mm512_unpacklo_epi8(f, e), high = _mm512_unpackhi_epi8(f, e);
    low = _mm512_shrdi_epi16(low, low, 1);
    high = _mm512_shrdi_epi16(high, high, 1);
    if (width == 2) {
        _mm512_storeu_si512(target, low);
        _mm512_storeu_si512(target + 64, high);
        return;
    }
    __m512i words[2] = {low, high};
    for (size_t i = 0; i < 4; i++) {
        __m256i half = i % 2 ? _mm512_extracti64x4_epi64(words[i / 2], 1) : _mm512_castsi512_si256(words[i / 2]);
        _mm512_storeu_si512(target + 64 * i, _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    }
}

/// - rest: how many of the values the target has room for, if fewer than all.
PLANES_INLINE void store_group(__m512i exponents, __m512i fractions, uint8_t *target, size_t width, size_t rest) {
    if (rest >= PLANES_GROUP) {
        store_values(exponents, fractions, target, width);
        return;
    }
    uint8_t spill[PLANES_GROUP * 4];
    store_values(exponents, fractions, spill, width);
    memcpy(target, spill, width * rest);
}

/// Ranks of eight words of 64, from their bit planes, to be taken one after the other.
typedef struct {
    __m512i lower[2], upper[2], picked;
} rank_words;

/// For part k of a word: where bytes k of its planes 3, 2, 1, 0 are in the registers of rank_words.
#define PICK(k) (0x0008404800000000 + (k) * 0x0101010100000000)

PLANES_TARGET static inline rank_words begin_ranks(__m512i plane0, __m512i plane1, __m512i plane2, __m512i plane3) {
    // Planes 0 and 1 of a word side by side, and 2 and 3: of words 0, 2, 4, 6 and of words 1, 3, 5, 7.
    return (rank_words){
        {_mm512_unpacklo_epi64(plane0, plane1), _mm512_unpackhi_epi64(plane0, plane1)},
        {_mm512_unpacklo_epi64(plane2, plane3), _mm512_unpackhi_epi64(plane2, plane3)},
        _mm512_setr_epi64(PICK(0), PICK(1), PICK(2), PICK(3), PICK(4), PICK(5), PICK(6), PICK(7))};
}

/// The ranks of the next word; `is_odd` of words 1, 3, 5, 7.
PLANES_TARGET static inline __m512i next_ranks(rank_words *words, size_t is_odd) {
    const __m512i bits = _mm512_set1_epi64((long long)0x8040201008040201u);
    __m512i parts = _mm512_maskz_permutex2var_epi8(0xF0F0F0F0F0F0F0F0, words->lower[is_odd], words->picked,
                                                   words->upper[is_odd]);
    if (is_odd) words->picked = _mm512_add_epi8(words->picked, _mm512_set1_epi64(0x1010101000000000));
    // A transposition of bits: byte t of a part becomes the bits t of its bytes 7, 6, 5 and 4.
    return _mm512_gf2p8affine_epi64_epi8(bits, parts, 0);
}

/// The ranks of a chunk's items. See join_ranks of planes_emit.h: here eight words at once.
PLANES_INLINE void rank_items(planes_work *work, size_t level_count) {
    for (size_t i = 0; 64 * i < work->item_count; i += 8) {
        size_t words = (work->item_count + 63) / 64 - i;
        __mmask8 present = words < 8 ? (__mmask8)((1u << words) - 1) : 0xFF;
        __m512i rank0 = _mm512_set1_epi64(-1), rank1 = rank0, rank2 = _mm512_setzero_si512(), rank3 = rank2;
        for (size_t j = 1; j <= level_count; j++) {
            __m512i mask = _mm512_maskz_loadu_epi64(present, &work->masks[j][i]);
            rank0 = _mm512_xor_si512(rank0, mask);
            if (j % 2 == 1) rank1 = _mm512_xor_si512(rank1, mask);
            if (j % 4 == 1) rank2 = _mm512_xor_si512(rank2, mask);
            if (j == 5) rank3 = mask;
        }
        rank_words ranks = begin_ranks(rank0, rank1, rank2, rank3);
        for (size_t k = 0; k < 8 && k < words; k++)
            _mm512_storeu_si512(work->ranks + 64 * (i + k), next_ranks(&ranks, k % 2));
    }
}

/// - has_levels: a constant, so that the loop is made for either.
PLANES_INLINE void emit_groups(const planes_unit *unit, planes_work *work, size_t first, size_t count,
                               uint8_t *target, size_t width, int has_levels) {
    const cdr_planes_table *table = unit->table;
    const uint8_t *fractions = unit->fractions + PLANES_GROUP * first, *exceptions = work->exceptions;
    const __m512i offsets = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table->offsets));
    const __m512i most = _mm512_set1_epi8((char)(3 + table->level_count)), zero = _mm512_setzero_si512();
    size_t base = unit->base_index, step = PLANES_GROUP % table->base_count, stride = 8 * unit->group_count;
    if (has_levels) rank_items(work, table->level_count);
    for (size_t i = 0; PLANES_GROUP * i < count; i += 8) {
        // Loads of planes may reach behind the chunk, into other parts of the unit and what is readable behind it.
        const uint8_t *planes = unit->planes + 8 * (first + i);
        rank_words words = begin_ranks(load(planes), load(planes + stride),
                                       table->plane_count == 3 ? load(planes + 2 * stride) : zero, zero);
        for (size_t g = i; g < i + 8 && PLANES_GROUP * g < count; g++) {
            __m512i ranks = next_ranks(&words, g % 2);
            uint64_t mask = work->groups[g];
            if (has_levels) {
                ranks = _mm512_mask_expand_epi8(ranks, mask, load(work->ranks + work->first_items[g]));
                mask = _mm512_mask_cmpeq_epi8_mask(mask, ranks, most);
            }
            __m512i exponents = _mm512_add_epi8(_mm512_shuffle_epi8(offsets, ranks), load(table->bases + base));
            exponents = _mm512_mask_expand_epi8(exponents, mask, load(exceptions));
            exceptions += __builtin_popcountll(mask);
            base += step;
            if (base >= table->base_count) base -= table->base_count;
            size_t at = PLANES_GROUP * g;
            store_group(exponents, load(fractions + at), target + width * at, width, count - at);
        }
    }
}

PLANES_INLINE void emit(const planes_unit *unit, planes_work *work, size_t first, size_t count, uint8_t *target,
                        size_t width) {
    if (unit->table->level_count)
        emit_groups(unit, work, first, count, target, width, 1);
    else
        emit_groups(unit, work, first, count, target, width, 0);
}

/// The exponents' ranks: of 256 numbers, each half of the table is a lookup in two registers.
PLANES_TARGET static inline __m512i look_up_ranks(const cdr_planes_table *table, __m512i differences) {
    const uint8_t *ranks = table->ranks;
    __m512i low = _mm512_permutex2var_epi8(load(ranks), differences, load(ranks + 64));
    __m512i high = _mm512_permutex2var_epi8(load(ranks + 128), differences, load(ranks + 192));
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(differences), high);
}

/// The places of even bytes from 16 * k on.
#define EVENS(k) (0x0E0C0A0806040200 + (k) * 0x1010101010101010)

PLANES_TARGET static inline void rank_group(const cdr_planes_table *table, const uint8_t *values,
                                            const uint8_t *bases, uint64_t valid, planes_chunk *chunk, size_t group,
                                            uint8_t *fractions) {
    // Even and odd bytes of the values, rotated: fractions with signs, and exponents.
    const __m512i evens = _mm512_setr_epi64(EVENS(0), EVENS(1), EVENS(2), EVENS(3), EVENS(4), EVENS(5), EVENS(6),
                                            EVENS(7));
    __m512i low = load(values), high = load(values + 64);
    low = _mm512_shldi_epi16(low, low, 1);
    high = _mm512_shldi_epi16(high, high, 1);
    _mm512_storeu_si512(fractions, _mm512_permutex2var_epi8(low, evens, high));
    __m512i exponents = _mm512_permutex2var_epi8(low, _mm512_add_epi8(evens, _mm512_set1_epi8(1)), high);
    __m512i ranks = look_up_ranks(table, _mm512_sub_epi8(exponents, load(bases)));

    size_t plane_count = table->plane_count, level_count = table->level_count;
    __m512i bound = _mm512_set1_epi8((char)((1 << plane_count) - 1));
    __m512i least = _mm512_min_epu8(ranks, bound);
    for (size_t k = 0; k < plane_count; k++)
        chunk->planes[k][group] = _mm512_mask_test_epi8_mask(valid, least, _mm512_set1_epi8((char)(1 << k)));
    for (size_t j = 0; j <= level_count; j++) {
        chunk->masks[j][group] = _mm512_mask_cmpge_epu8_mask(valid, ranks, bound);
        bound = _mm512_add_epi8(bound, _mm512_set1_epi8(1));
    }
    uint64_t mask = chunk->masks[level_count][group];
    _mm512_storeu_si512(chunk->exceptions + chunk->exception_count, _mm512_maskz_compress_epi8(mask, exponents));
    chunk->exception_count += (size_t)__builtin_popcountll(mask);
}

#include "planes_decode.h"
#include "planes_encode.h"

const planes_kernels cdr_planes_avx512 = {decode_bf16, decode_f32, encode};

#endif

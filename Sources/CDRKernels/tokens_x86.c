// Tokens as classes and digits, 16 at a time. Bits of levels are spread over the tokens that they are about by a bit
// deposit, and so are digits, as nibbles of a word; ranks are looked up by a gather.
#include "tokens_unit.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define CDR_TOKENS_AVX2 __attribute__((target("avx2,bmi2,popcnt")))
#define CDR_TOKENS_AVX512 __attribute__((target("avx512f,avx512bw,bmi2,popcnt")))

/// 16 tokens: which have a class above 0, 1, 2 and 3, and their numbers.
typedef struct {
    unsigned above[4];
    __m256i numbers;  // u16
} cdr_token_sixteen;

/// A nibble of ones for every bit of 16.
CDR_TOKENS_AVX2 CDR_INLINE uint64_t nibbles(unsigned bits) { return _pdep_u64(bits, 0x1111111111111111) * 15; }

CDR_TOKENS_AVX2 CDR_INLINE __m128i bytes(uint64_t low, uint64_t high) {
    // Nibble i of both becomes byte i: the even ones in one word, the odd ones in another, then one behind the other.
    const uint64_t even = 0x0F0F0F0F0F0F0F0F;
    uint64_t evens = (low & even) | (high & even) << 4;
    uint64_t odds = (low >> 4 & even) | (high & ~even);
    return _mm_unpacklo_epi8(_mm_cvtsi64_si128((long long)evens), _mm_cvtsi64_si128((long long)odds));
}

CDR_TOKENS_AVX2 CDR_INLINE cdr_token_sixteen take(const cdr_token_unit *unit, cdr_token_cursor *at, unsigned n) {
    const uint8_t *bits = unit->bits;
    cdr_token_sixteen sixteen;
    unsigned *above = sixteen.above;
    above[0] = (unsigned)cdr_bits57(bits, at->level[0]) & ((1u << n) - 1);
    above[1] = _pdep_u32((unsigned)cdr_bits57(bits, at->level[1]), above[0]);
    above[2] = _pdep_u32((unsigned)cdr_bits57(bits, at->level[2]), above[1]);
    above[3] = unit->element == 2 ? 0 : _pdep_u32((unsigned)cdr_bits57(bits, at->level[3]), above[2]);
    uint64_t digits[4] = {cdr_bits64(bits, at->digit[0])};
    for (int k = 1; k < 4; k++) digits[k] = _pdep_u64(cdr_bits64(bits, at->digit[k]), nibbles(above[k - 1]));
    __m128i low = bytes(digits[0], digits[1]), high = bytes(digits[2], digits[3]);
    sixteen.numbers = _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
    at->level[0] += n;
    at->digit[0] += 4 * n;
    for (int k = 1; k < 4; k++) {
        unsigned ones = (unsigned)_mm_popcnt_u32(above[k - 1]);
        at->level[k] += ones;
        at->digit[k] += 4 * ones;
    }
    return sixteen;
}

/// The upper halves of the few tokens that have one.
CDR_TOKENS_AVX2 CDR_INLINE unsigned put_high(const cdr_token_unit *unit, cdr_token_cursor *at, unsigned which,
                                             uint32_t last, uint32_t *ids) {
    unsigned wrong = 0;
    for (; which; which &= which - 1, at->high += 16) {
        uint32_t *id = ids + __builtin_ctz(which);
        *id |= (uint32_t)(cdr_bits57(unit->bits, at->high) & 0xFFFF) << 16;
        if (*id > last) wrong = CDR_STEP_OUTSIDE;
    }
    return wrong;
}

CDR_TOKENS_AVX512 CDR_INLINE unsigned step_avx512(const cdr_token_table *table, const cdr_token_unit *unit,
                                                  cdr_token_cursor *at, unsigned n, uint32_t last, uint32_t *ids) {
    cdr_token_sixteen sixteen = take(unit, at, n);
    const unsigned *above = sixteen.above, all = (1u << n) - 1;
    __mmask16 ranked = (__mmask16)(all & ~above[2]);
    __m512i numbers = _mm512_maskz_cvtepu16_epi32((__mmask16)all, sixteen.numbers);
    __m512i ranks = _mm512_mask_add_epi32(numbers, (__mmask16)above[0], numbers, _mm512_set1_epi32(16));
    ranks = _mm512_mask_add_epi32(ranks, (__mmask16)above[1], ranks, _mm512_set1_epi32(256));
    __mmask16 beyond = _mm512_mask_cmpge_epu32_mask(ranked, ranks, _mm512_set1_epi32((int)table->count));
    __m512i found = _mm512_mask_i32gather_epi32(numbers, ranked & ~beyond, ranks, table->ids, 2);
    found = _mm512_and_si512(found, _mm512_set1_epi32(0xFFFF));
    __mmask16 outside = _mm512_cmpgt_epu32_mask(found, _mm512_set1_epi32((int)last));
    _mm512_storeu_si512(ids, found);
    unsigned wrong = (beyond ? CDR_STEP_RANK : 0) | (outside ? CDR_STEP_OUTSIDE : 0);
    if (__builtin_expect(above[3] != 0, 0)) wrong |= put_high(unit, at, above[3], last, ids);
    return wrong;
}

/// Ones in the lanes whose bit of `bits` is set.
CDR_TOKENS_AVX2 CDR_INLINE __m256i lanes(unsigned bits) {
    const __m256i which = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), which), which);
}

CDR_TOKENS_AVX2 CDR_INLINE unsigned eight_avx2(const cdr_token_table *table, __m128i numbers, unsigned all,
                                               const unsigned above[4], unsigned shift, uint32_t last, uint32_t *ids) {
    __m256i rest = _mm256_and_si256(_mm256_cvtepu16_epi32(numbers), lanes(all >> shift));
    __m256i ranked = lanes((all & ~above[2]) >> shift);
    __m256i ranks = _mm256_add_epi32(rest, _mm256_and_si256(lanes(above[0] >> shift), _mm256_set1_epi32(16)));
    ranks = _mm256_add_epi32(ranks, _mm256_and_si256(lanes(above[1] >> shift), _mm256_set1_epi32(256)));
    __m256i within = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)table->count), ranks);
    __m256i asked = _mm256_and_si256(ranked, within);
    __m256i found = _mm256_mask_i32gather_epi32(rest, (const int *)(const void *)table->ids, ranks, asked, 2);
    found = _mm256_and_si256(found, _mm256_set1_epi32(0xFFFF));
    _mm256_storeu_si256((__m256i *)(void *)ids, found);
    // Ids are below 65,536, and so are signed numbers.
    int limit = last < 65536 ? (int)last : 65535;
    __m256i outside = _mm256_cmpgt_epi32(found, _mm256_set1_epi32(limit));
    unsigned beyond = !_mm256_testz_si256(_mm256_andnot_si256(within, ranked), ranked);
    return (beyond ? CDR_STEP_RANK : 0) | (_mm256_testz_si256(outside, outside) ? 0 : CDR_STEP_OUTSIDE);
}

CDR_TOKENS_AVX2 CDR_INLINE unsigned step_avx2(const cdr_token_table *table, const cdr_token_unit *unit,
                                              cdr_token_cursor *at, unsigned n, uint32_t last, uint32_t *ids) {
    cdr_token_sixteen sixteen = take(unit, at, n);
    const unsigned *above = sixteen.above, all = (1u << n) - 1;
    __m128i low = _mm256_castsi256_si128(sixteen.numbers), high = _mm256_extracti128_si256(sixteen.numbers, 1);
    unsigned wrong = eight_avx2(table, low, all, above, 0, last, ids);
    wrong |= eight_avx2(table, high, all, above, 8, last, ids + 8);
    if (__builtin_expect(above[3] != 0, 0)) wrong |= put_high(unit, at, above[3], last, ids);
    return wrong;
}

CDR_TOKEN_LOOPS(avx2, CDR_TOKENS_AVX2);
CDR_TOKEN_LOOPS(avx512, CDR_TOKENS_AVX512);
#endif

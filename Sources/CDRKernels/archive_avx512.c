// The kernels of the encoding "archive" for AVX-512: a group of lanes is a register.
#include "archive_arithmetic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LEVEL __attribute__((target("avx512f,avx512bw")))
#define INLINE LEVEL static inline __attribute__((always_inline))

LEVEL void archive_measure_avx512(const archive_cell *cell, const uint8_t *values, archive_moments *moments) {
    archive_measure(cell, values, moments);
}

LEVEL void archive_classify_avx512(const archive_cell *cell, const uint8_t *values, uint16_t *symbols) {
    archive_classify(cell, values, symbols);
}

/// What a cell has for every group.
typedef struct {
    const float *units;
    const int16_t *means, *scales;
    int32_t *sums;
    const uint32_t *decoding;
    __m512i factor, shift;
} constants;

/// What is known of a group before its symbols are decoded.
typedef struct {
    __m512 unit;
    __m512i mean, sum, prediction, base, context;
} forecast;

INLINE __m512i widened(const int16_t *numbers) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)numbers));
}

/// `base` is where the exponent of a float is, `context` an index of the first slot.
INLINE forecast forecast_of(const constants *cell, size_t i) {
    forecast f;
    f.unit = _mm512_loadu_ps(cell->units + i);
    f.mean = widened(cell->means + i);
    f.sum = _mm512_loadu_si512(cell->sums + i);
    __m512i weighed = _mm512_srai_epi32(_mm512_mullo_epi32(f.sum, cell->factor), 16);
    f.prediction = _mm512_add_epi32(f.mean, weighed);
    __m512i scale = _mm512_add_epi32(widened(cell->scales + i), cell->shift);
    scale = _mm512_max_epi32(scale, _mm512_setzero_si512());
    __m512i octave = _mm512_srli_epi32(scale, 1);
    __m512i size = _mm512_srlv_epi32(_mm512_slli_epi32(_mm512_abs_epi32(f.prediction), 6), octave);
    __m512i bits = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_add_epi32(size, _mm512_set1_epi32(64))));
    __m512i bin = _mm512_sub_epi32(_mm512_srli_epi32(bits, 21), _mm512_set1_epi32(0x42800000 >> 21));
    bin = _mm512_min_epi32(bin, _mm512_set1_epi32(BIN_COUNT - 1));
    // Bit 0 of the scale, above the bins.
    __m512i odd = _mm512_and_si512(_mm512_slli_epi32(scale, 4), _mm512_set1_epi32(BIN_COUNT));
    f.context = _mm512_slli_epi32(_mm512_or_si512(bin, odd), FREQUENCY_BITS);
    __m512i base = _mm512_add_epi32(_mm512_slli_epi32(octave, 23), _mm512_set1_epi32((int)(243u << 23)));
    f.base = _mm512_sub_epi32(base, _mm512_castps_si512(f.unit));
    return f;
}

/// The raw bits of 16 values, at the lower end of a float's upper half.
INLINE __m512i raw_of(const uint8_t *raw) {
    const __m512i bytes = _mm512_set_epi32(
        0x0a09ffff, 0x0908ffff, 0x0908ffff, 0x0807ffff, 0x0706ffff, 0x0706ffff, 0x0605ffff, 0x0605ffff,
        0x0504ffff, 0x0403ffff, 0x0403ffff, 0x0302ffff, 0x0201ffff, 0x0201ffff, 0x0100ffff, 0x0100ffff);
    const __m512i shifts = _mm512_set_epi32(3, 6, 1, 4, 7, 2, 5, 0, 3, 6, 1, 4, 7, 2, 5, 0);
    __m512i block = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)raw));
    __m512i pairs = _mm512_srlv_epi32(_mm512_shuffle_epi8(block, bytes), shifts);
    return _mm512_and_si512(pairs, _mm512_set1_epi32(31 << 16));
}

INLINE __m512i words_of(const uint8_t *words) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)words));
}

/// The entries of a group, whose lanes go on to the next.
INLINE __m512i next_entries(__m512i *state, __m512i context, const uint32_t *decoding, __mmask16 active,
                            const uint8_t **words) {
    const __m512i low = _mm512_set1_epi32(FREQUENCY_SUM - 1);
    __m512i slot = _mm512_ternarylogic_epi32(context, *state, low, 0xf8);  // context | (state & low)
    __m512i entry = _mm512_i32gather_epi32(slot, decoding, 4);
    __m512i frequency = _mm512_and_si512(_mm512_srli_epi32(entry, ENTRY_FREQUENCY), low);
    __m512i next = _mm512_mullo_epi32(frequency, _mm512_srli_epi32(*state, FREQUENCY_BITS));
    next = _mm512_add_epi32(next, _mm512_and_si512(entry, low));
    __mmask16 is_short = _mm512_mask_cmplt_epu32_mask(active, next, _mm512_set1_epi32(STATE_MINIMUM));
    __m512i refill = _mm512_maskz_expand_epi32(is_short, words_of(*words));
    *words += 2 * (unsigned)__builtin_popcount(is_short);
    next = _mm512_mask_or_epi32(next, is_short, _mm512_slli_epi32(next, 16), refill);
    *state = _mm512_mask_mov_epi32(*state, active, next);
    return entry;
}

/// The upper halves of the floats that the entries mean, without the raw bits.
INLINE __m512i upper_halves(__m512i entry, const forecast *f) {
    __m512i small = _mm512_and_si512(_mm512_srli_epi32(entry, 1), _mm512_set1_epi32(0x07e00000));
    __m512i magnitude = _mm512_add_epi32(f->base, small);
    __m512i sign = _mm512_xor_si512(entry, f->prediction);
    // The sign's bit from `sign`, the others from `magnitude`.
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32((int)0x80000000), sign, magnitude, 0xca);
}

/// Replaces escapes. Returns 0 if one isn't in the words or has bits that no value has.
INLINE int take_escapes(__m512i *upper, __mmask16 escapes, const uint8_t **words, const uint8_t *end) {
    if (*words > end) return 0;  // else the load could lie outside
    __m512i taken = _mm512_maskz_expand_epi32(escapes, words_of(*words));
    *words += 2 * (unsigned)__builtin_popcount(escapes);
    *upper = _mm512_mask_slli_epi32(*upper, escapes, taken, 16 + RAW_BITS);
    return !_mm512_test_epi32_mask(taken, _mm512_set1_epi32(0xf800));
}

/// Decodes a group. Returns 0 if it is corrupt. `words` may not be behind the end.
INLINE int decode_group(const constants *cell, size_t i, __mmask16 active, __m512i *state, const uint8_t *raw,
                        const uint8_t **words, const uint8_t *end, uint8_t *values) {
    forecast f = forecast_of(cell, i);
    __m512i entry = next_entries(state, f.context, cell->decoding, active, words);
    __m512i upper = upper_halves(entry, &f);
    __mmask16 escapes = _mm512_mask_testn_epi32_mask(active, entry, _mm512_set1_epi32(ENTRY_EXPONENT));
    if (__builtin_expect(escapes != 0, 0) && !take_escapes(&upper, escapes, words, end)) return 0;
    __m512i value = _mm512_or_si512(upper, raw_of(raw));
    __m512 number = _mm512_mul_ps(_mm512_castsi512_ps(value), f.unit);
    __mmask16 is_small = _mm512_cmp_ps_mask(_mm512_abs_ps(number), _mm512_set1_ps(32768.0f), _CMP_LT_OQ);
    __m512i fixed = _mm512_maskz_cvttps_epi32(is_small, number);
    __m512i difference = _mm512_sub_epi32(fixed, f.mean);
    __m512i sum = _mm512_mask_add_epi32(f.sum, is_small, f.sum, difference);
    _mm512_storeu_si512(cell->sums + i, sum);
    value = _mm512_srli_epi32(value, 16);
    if (active == 0xffff)
        _mm256_storeu_si256((__m256i *)values, _mm512_cvtepi32_epi16(value));
    else
        _mm512_mask_cvtepi32_storeu_epi16(values, active, value);
    return *words <= end;
}

/// Decodes a cell with a number of groups of lanes that the compiler knows.
INLINE const uint8_t *decode_cell(const archive_cell *cell, uint32_t *states, const uint8_t *raw, const uint8_t *words,
                                  const uint8_t *end, uint8_t *values, size_t lanes) {
    const cdr_archive_model *model = cell->model;
    constants c = {model->units, model->means, cell->scales, cell->sums, model->decoding,
                   _mm512_set1_epi32((int)cell->factor), _mm512_set1_epi32(cell->shift)};
    __m512i state[MOST_LANES / GROUP];
    size_t dims = model->dims, i = 0;
#pragma clang loop unroll(full)
    for (size_t z = 0; z < lanes / GROUP; z++) state[z] = _mm512_loadu_si512(states + GROUP * z);
    for (; dims - i >= lanes; i += lanes) {
#pragma clang loop unroll(full)
        for (size_t z = 0; z < lanes / GROUP; z++) {
            size_t at = i + GROUP * z;
            const uint8_t *bits = raw + at / 8 * RAW_BITS;
            if (!decode_group(&c, at, 0xffff, &state[z], bits, &words, end, values + 2 * at)) return NULL;
        }
    }
#pragma clang loop unroll(full)
    for (size_t z = 0; z < lanes / GROUP; z++) {
        size_t at = i + GROUP * z;
        if (at < dims) {
            __mmask16 active = dims - at >= GROUP ? 0xffff : (__mmask16)((1u << (dims - at)) - 1);
            const uint8_t *bits = raw + at / 8 * RAW_BITS;
            if (!decode_group(&c, at, active, &state[z], bits, &words, end, values + 2 * at)) return NULL;
        }
        _mm512_storeu_si512(states + GROUP * z, state[z]);
    }
    return words;
}

LEVEL const uint8_t *archive_decode_avx512(const archive_cell *cell, uint32_t *states, const uint8_t *raw,
                                           const uint8_t *words, const uint8_t *end, uint8_t *values) {
    switch (cell->model->lane_count) {
    case 16: return decode_cell(cell, states, raw, words, end, values, 16);
    case 32: return decode_cell(cell, states, raw, words, end, values, 32);
    default: return decode_cell(cell, states, raw, words, end, values, 64);
    }
}

/// state / frequency: the quotient of floats in 64 bits is exact enough to be cut, since one that isn't whole is at
/// least 2^-11 away from a whole number.
INLINE __m512i quotients(__m512i state, __m512i frequency) {
    __m512d low = _mm512_div_pd(_mm512_cvtepu32_pd(_mm512_castsi512_si256(state)),
                                _mm512_cvtepu32_pd(_mm512_castsi512_si256(frequency)));
    __m512d high = _mm512_div_pd(_mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(state, 1)),
                                 _mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(frequency, 1)));
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epu32(low)), _mm512_cvttpd_epu32(high), 1);
}

/// Puts the low halves of some lanes in front of `words`.
INLINE uint8_t *put_words(uint8_t *words, __mmask16 chosen, __m512i lanes) {
    unsigned count = (unsigned)__builtin_popcount(chosen);
    words -= 2 * count;
    __mmask16 taken = (__mmask16)((1u << count) - 1);
    _mm512_mask_cvtepi32_storeu_epi16(words, taken, _mm512_maskz_compress_epi32(chosen, lanes));
    return words;
}

INLINE uint8_t *encode_group(const uint32_t *encoding, __mmask16 active, __m512i *state, const uint16_t *symbols,
                             const uint8_t *values, uint8_t *words) {
    __m512i index = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)symbols));
    __m512i entry = _mm512_i32gather_epi32(index, encoding, 4);
    __mmask16 escapes = _mm512_mask_test_epi32_mask(active, entry, _mm512_set1_epi32(ENTRY_ESCAPE));
    if (__builtin_expect(escapes != 0, 0)) {
        __m512i value = _mm512_maskz_loadu_epi16(active, values);
        value = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(value));
        words = put_words(words, escapes, _mm512_srli_epi32(value, RAW_BITS));
    }
    __m512i frequency = _mm512_and_si512(entry, _mm512_set1_epi32(FREQUENCY_SUM - 1));
    __m512i limit = _mm512_slli_epi32(frequency, 32 - FREQUENCY_BITS);
    __mmask16 is_large = _mm512_mask_cmpge_epu32_mask(active, *state, limit);
    words = put_words(words, is_large, *state);
    __m512i small = _mm512_mask_srli_epi32(*state, is_large, *state, 16);
    __m512i quotient = quotients(small, frequency);
    __m512i rest = _mm512_sub_epi32(small, _mm512_mullo_epi32(quotient, frequency));
    __m512i slot = _mm512_add_epi32(rest, _mm512_srli_epi32(entry, 16));
    __m512i next = _mm512_add_epi32(_mm512_slli_epi32(quotient, FREQUENCY_BITS), slot);
    *state = _mm512_mask_mov_epi32(*state, active, next);
    return words;
}

LEVEL uint8_t *archive_encode_avx512(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols,
                                     const uint8_t *values, uint8_t *words) {
    for (size_t i = model->padded; i > 0;) {
        i -= GROUP;
        __mmask16 active = model->dims - i >= GROUP ? 0xffff : (__mmask16)((1u << (model->dims - i)) - 1);
        uint32_t *lanes = states + i % model->lane_count;
        __m512i state = _mm512_loadu_si512(lanes);
        words = encode_group(model->encoding, active, &state, symbols + i, values + 2 * i, words);
        _mm512_storeu_si512(lanes, state);
    }
    return words;
}

#endif

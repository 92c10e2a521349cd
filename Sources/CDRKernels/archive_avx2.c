// The kernels of the encoding "archive" for AVX2: a group of lanes is two registers.
#include "archive_arithmetic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LEVEL __attribute__((target("avx2")))
#define INLINE LEVEL static inline __attribute__((always_inline))
enum { HALF = GROUP / 2 };

LEVEL void archive_measure_avx2(const archive_cell *cell, const uint8_t *values, archive_moments *moments) {
    archive_measure(cell, values, moments);
}

LEVEL void archive_classify_avx2(const archive_cell *cell, const uint8_t *values, uint16_t *symbols) {
    archive_classify(cell, values, symbols);
}

INLINE __m256i all(int number) { return _mm256_set1_epi32(number); }

/// What is known of half a group before its symbols are decoded, and then of its values.
typedef struct {
    __m256 unit;
    __m256i mean, sum, prediction, base, context, entry, upper;
    unsigned active;  // lanes that have a value: the lower ones
} half_group;

INLINE __m256i widened(const void *numbers) { return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)numbers)); }
INLINE __m256i words_of(const uint8_t *words) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)words)); }

INLINE unsigned bits_of(__m256i mask) { return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(mask)); }

INLINE __m256i lanes_of(unsigned bits) {
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(all((int)bits), each), each);
}

/// `base` is where the exponent of a float is, `context` an index of the first slot.
INLINE void forecast(half_group *h, const archive_cell *cell, size_t i) {
    const cdr_archive_model *model = cell->model;
    h->unit = _mm256_loadu_ps(model->units + i);
    h->mean = widened(model->means + i);
    h->sum = _mm256_loadu_si256((const __m256i *)(cell->sums + i));
    __m256i weighed = _mm256_srai_epi32(_mm256_mullo_epi32(h->sum, all((int)cell->factor)), 16);
    h->prediction = _mm256_add_epi32(h->mean, weighed);
    __m256i scale = _mm256_add_epi32(widened(cell->scales + i), all(cell->shift));
    scale = _mm256_max_epi32(scale, _mm256_setzero_si256());
    __m256i octave = _mm256_srli_epi32(scale, 1);
    __m256i size = _mm256_srlv_epi32(_mm256_slli_epi32(_mm256_abs_epi32(h->prediction), 6), octave);
    __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_add_epi32(size, all(64))));
    __m256i bin = _mm256_sub_epi32(_mm256_srli_epi32(bits, 21), all(0x42800000 >> 21));
    bin = _mm256_min_epi32(bin, all(BIN_COUNT - 1));
    // Bit 0 of the scale, above the bins.
    __m256i odd = _mm256_and_si256(_mm256_slli_epi32(scale, 4), all(BIN_COUNT));
    h->context = _mm256_slli_epi32(_mm256_or_si256(bin, odd), FREQUENCY_BITS);
    __m256i base = _mm256_add_epi32(_mm256_slli_epi32(octave, 23), all((int)(243u << 23)));
    h->base = _mm256_sub_epi32(base, _mm256_castps_si256(h->unit));
}

/// Gives the lanes of `bits` the next words, one each.
INLINE __m256i spread(const cdr_archive_model *model, unsigned bits, const uint8_t **words) {
    __m256i ranks = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)&model->ranks[bits]));
    __m256i taken = _mm256_permutevar8x32_epi32(words_of(*words), ranks);
    *words += 2 * (unsigned)__builtin_popcount(bits);
    return taken;
}

/// The lanes of half a group go on to their next entries.
INLINE void next_entries(half_group *h, const cdr_archive_model *model, __m256i *state, const uint8_t **words) {
    const __m256i low = all(FREQUENCY_SUM - 1);
    __m256i slot = _mm256_or_si256(h->context, _mm256_and_si256(*state, low));
    h->entry = _mm256_i32gather_epi32((const int *)model->decoding, slot, 4);
    __m256i frequency = _mm256_and_si256(_mm256_srli_epi32(h->entry, ENTRY_FREQUENCY), low);
    __m256i next = _mm256_mullo_epi32(frequency, _mm256_srli_epi32(*state, FREQUENCY_BITS));
    next = _mm256_add_epi32(next, _mm256_and_si256(h->entry, low));
    __m256i is_short = _mm256_cmpeq_epi32(_mm256_srli_epi32(next, 16), _mm256_setzero_si256());
    unsigned bits = bits_of(is_short) & h->active;
    __m256i refilled = _mm256_or_si256(_mm256_slli_epi32(next, 16), spread(model, bits, words));
    next = _mm256_blendv_epi8(next, refilled, is_short);
    *state = h->active == 255 ? next : _mm256_blendv_epi8(*state, next, lanes_of(h->active));
}

/// The upper halves of the floats that the entries mean, without the raw bits. Returns which lanes have escapes.
INLINE unsigned find_upper(half_group *h) {
    __m256i small = _mm256_and_si256(_mm256_srli_epi32(h->entry, 1), all(0x07e00000));
    __m256i magnitude = _mm256_and_si256(_mm256_add_epi32(h->base, small), all(0x7fffffff));
    __m256i sign = _mm256_and_si256(_mm256_xor_si256(h->entry, h->prediction), all((int)0x80000000));
    h->upper = _mm256_or_si256(magnitude, sign);
    __m256i exponent = _mm256_and_si256(h->entry, all(ENTRY_EXPONENT));
    return bits_of(_mm256_cmpeq_epi32(exponent, _mm256_setzero_si256())) & h->active;
}

/// Replaces escapes. Returns 0 if one isn't in the words or has bits that no value has.
INLINE int take_escapes(half_group *h, const cdr_archive_model *model, unsigned escapes, const uint8_t **words,
                        const uint8_t *end) {
    if (*words > end) return 0;  // else the load could lie outside
    __m256i chosen = lanes_of(escapes);
    __m256i taken = _mm256_and_si256(spread(model, escapes, words), chosen);
    h->upper = _mm256_blendv_epi8(h->upper, _mm256_slli_epi32(taken, 16 + RAW_BITS), chosen);
    return _mm256_testz_si256(taken, all(0xf800));
}

/// The raw bits of 8 values, at the lower end of a float's upper half.
INLINE __m256i raw_of(const uint8_t *raw) {
    const __m256i shifts = _mm256_setr_epi32(0, 5, 10, 15, 4, 9, 14, 19);
    int low, high;
    memcpy(&low, raw, 4);
    memcpy(&high, raw + 2, 4);
    __m256i both = _mm256_inserti128_si256(all(low), _mm_set1_epi32(high), 1);
    return _mm256_slli_epi32(_mm256_and_si256(_mm256_srlv_epi32(both, shifts), all(31)), 16);
}

/// The values, in the low halves. Adds them to the sums.
INLINE __m256i finish(const half_group *h, const uint8_t *raw, int32_t *sums) {
    __m256i value = _mm256_or_si256(h->upper, raw_of(raw));
    __m256 number = _mm256_mul_ps(_mm256_castsi256_ps(value), h->unit);
    __m256 magnitude = _mm256_and_ps(number, _mm256_castsi256_ps(all(0x7fffffff)));
    __m256 is_small = _mm256_cmp_ps(magnitude, _mm256_set1_ps(32768.0f), _CMP_LT_OQ);
    __m256i fixed = _mm256_cvttps_epi32(_mm256_and_ps(number, is_small));
    __m256i difference = _mm256_and_si256(_mm256_sub_epi32(fixed, h->mean), _mm256_castps_si256(is_small));
    _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(h->sum, difference));
    return _mm256_srli_epi32(value, 16);
}

/// Decodes a group. Returns 0 if it is corrupt. `words` may not be behind the end.
INLINE int decode_group(const archive_cell *cell, size_t i, size_t count, __m256i *states, const uint8_t *raw,
                        const uint8_t **words, const uint8_t *end, uint8_t *values) {
    half_group h[2];
    h[0].active = count >= HALF ? 255 : (1u << count) - 1;
    h[1].active = count >= GROUP ? 255 : count > HALF ? (1u << (count - HALF)) - 1 : 0;
    unsigned escapes[2];
#pragma clang loop unroll(full)
    for (size_t k = 0; k < 2; k++) {
        forecast(&h[k], cell, i + HALF * k);
        next_entries(&h[k], cell->model, &states[k], words);
        escapes[k] = find_upper(&h[k]);
    }
    if (__builtin_expect(escapes[0] | escapes[1], 0)) {
        if (!take_escapes(&h[0], cell->model, escapes[0], words, end)) return 0;
        if (!take_escapes(&h[1], cell->model, escapes[1], words, end)) return 0;
    }
    __m256i low = finish(&h[0], raw, cell->sums + i);
    __m256i high = finish(&h[1], raw + RAW_BITS, cell->sums + i + HALF);
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8);
    if (count >= GROUP) {
        _mm256_storeu_si256((__m256i *)values, packed);
    } else {
        uint16_t tail[GROUP];
        _mm256_storeu_si256((__m256i *)tail, packed);
        memcpy(values, tail, 2 * count);
    }
    return *words <= end;
}

LEVEL const uint8_t *archive_decode_avx2(const archive_cell *cell, uint32_t *states, const uint8_t *raw,
                                         const uint8_t *words, const uint8_t *end, uint8_t *values) {
    const cdr_archive_model *model = cell->model;
    size_t lanes = model->lane_count, dims = model->dims;
    __m256i *groups = (__m256i *)states;
    for (size_t i = 0; i < dims; i += GROUP) {
        __m256i state[2], *stored = groups + i % lanes / HALF;
        for (size_t k = 0; k < 2; k++) state[k] = _mm256_loadu_si256(stored + k);
        const uint8_t *bits = raw + i / 8 * RAW_BITS;
        int is_whole = dims - i >= GROUP;
        if (is_whole ? !decode_group(cell, i, GROUP, state, bits, &words, end, values + 2 * i)
                     : !decode_group(cell, i, dims - i, state, bits, &words, end, values + 2 * i)) return NULL;
        for (size_t k = 0; k < 2; k++) _mm256_storeu_si256(stored + k, state[k]);
    }
    return words;
}

/// Four lanes of 32 bits without sign as floats in 64 bits.
INLINE __m256d unsigned_doubles(__m128i lanes) {
    __m128i shifted = _mm_xor_si128(lanes, _mm_set1_epi32((int)0x80000000));
    return _mm256_add_pd(_mm256_cvtepi32_pd(shifted), _mm256_set1_pd(2147483648.0));
}

/// state / frequency, which is below 2^21: the quotient of floats in 64 bits is exact enough to be cut, since one that
/// isn't whole is at least 2^-11 away from a whole number.
INLINE __m256i quotients(__m256i state, __m256i frequency) {
    __m256d low = _mm256_div_pd(unsigned_doubles(_mm256_castsi256_si128(state)),
                                _mm256_cvtepi32_pd(_mm256_castsi256_si128(frequency)));
    __m256d high = _mm256_div_pd(unsigned_doubles(_mm256_extracti128_si256(state, 1)),
                                 _mm256_cvtepi32_pd(_mm256_extracti128_si256(frequency, 1)));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm256_cvttpd_epi32(low)), _mm256_cvttpd_epi32(high), 1);
}

/// Puts the low halves of some lanes in front of `words`. Writes one word more, in front of those.
INLINE uint8_t *put_words(uint8_t *words, unsigned bits, __m256i lanes) {
    uint32_t numbers[HALF];
    _mm256_storeu_si256((__m256i *)numbers, lanes);
#pragma clang loop unroll(full)
    for (int lane = HALF - 1; lane >= 0; lane--) {
        memcpy(words - 2, &numbers[lane], 2);
        words -= 2 * (bits >> lane & 1);
    }
    return words;
}

/// The state after a value: `small` is the state with room for it.
INLINE __m256i coded(__m256i small, __m256i entry, __m256i frequency) {
    __m256i quotient = quotients(small, frequency);
    __m256i rest = _mm256_sub_epi32(small, _mm256_mullo_epi32(quotient, frequency));
    __m256i slot = _mm256_add_epi32(rest, _mm256_srli_epi32(entry, 16));
    return _mm256_add_epi32(_mm256_slli_epi32(quotient, FREQUENCY_BITS), slot);
}

INLINE uint8_t *encode_group(const uint32_t *encoding, const uint16_t *symbols, size_t count, uint32_t *lanes,
                             const uint8_t *values, uint8_t *words) {
    __m256i entry[2], state[2];
    unsigned active[2] = {count >= HALF ? 255 : (1u << count) - 1,
                          count >= GROUP ? 255 : count > HALF ? (1u << (count - HALF)) - 1 : 0};
    for (size_t k = 0; k < 2; k++) {
        entry[k] = _mm256_i32gather_epi32((const int *)encoding, words_of((const uint8_t *)(symbols + HALF * k)), 4);
        state[k] = _mm256_loadu_si256((const __m256i *)(lanes + HALF * k));
    }
    for (size_t k = 2; k-- > 0;) {
        unsigned escapes = bits_of(_mm256_slli_epi32(entry[k], 16)) & active[k];
        for (; escapes; escapes &= ~(1u << (31 - __builtin_clz(escapes)))) {
            size_t i = HALF * k + 31 - (size_t)__builtin_clz(escapes);
            uint16_t word = (uint16_t)(archive_value(values, i) >> RAW_BITS);
            memcpy(words -= 2, &word, 2);
        }
    }
    for (size_t k = 2; k-- > 0;) {
        __m256i frequency = _mm256_and_si256(entry[k], all(FREQUENCY_SUM - 1));
        __m256i limit = _mm256_slli_epi32(frequency, 32 - FREQUENCY_BITS);
        __m256i is_large = _mm256_cmpeq_epi32(_mm256_max_epu32(state[k], limit), state[k]);
        words = put_words(words, bits_of(is_large) & active[k], state[k]);
        __m256i small = _mm256_blendv_epi8(state[k], _mm256_srli_epi32(state[k], 16), is_large);
        __m256i next = _mm256_blendv_epi8(state[k], coded(small, entry[k], frequency), lanes_of(active[k]));
        _mm256_storeu_si256((__m256i *)(lanes + HALF * k), next);
    }
    return words;
}

LEVEL uint8_t *archive_encode_avx2(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols,
                                   const uint8_t *values, uint8_t *words) {
    for (size_t i = model->padded; i > 0;) {
        i -= GROUP;
        uint32_t *lanes = states + i % model->lane_count;
        words = encode_group(model->encoding, symbols + i, model->dims - i, lanes, values + 2 * i, words);
    }
    return words;
}

#endif

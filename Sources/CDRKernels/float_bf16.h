// Rounding float32 to bfloat16, in registers: for float32 and float16 sources.
#ifndef FLOAT_BF16_H
#define FLOAT_BF16_H

#include "float_driver.h"
#include <string.h>

/// Adds just under half of the last place that stays, and one more if that place is odd: ties go to even. A carry out
/// of the fraction raises the exponent, up to infinity. A NaN must not carry: it is cut and made quiet.
static inline uint16_t bf16_of_bits(uint32_t bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#if defined(__x86_64__)

/// The rounded values, in the upper halves.
CDR_AVX2 static inline __m256i bf16_rounded_avx2(__m256 values) {
    __m256i bits = _mm256_castps_si256(values);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    // By whole numbers: clang 21 takes a comparison of floats that were float16 apart into scalar ones.
    __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    __m256i isNaN = _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x7f800000));
    return _mm256_blendv_epi8(rounded, quiet, isNaN);
}

/// 16 values of bfloat16 from 8 and 8.
CDR_AVX2 static inline __m256i bf16_pair_avx2(__m256 low, __m256 high) {
    __m256i packed = _mm256_packus_epi32(_mm256_srli_epi32(bf16_rounded_avx2(low), 16),
                                         _mm256_srli_epi32(bf16_rounded_avx2(high), 16));
    return _mm256_permute4x64_epi64(packed, 0xd8);
}

CDR_AVX512 static inline __m512i bf16_rounded_avx512(__m512 values) {
    __m512i bits = _mm512_castps_si512(values);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    // As above.
    __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    __mmask16 isNaN = _mm512_cmpgt_epi32_mask(size, _mm512_set1_epi32(0x7f800000));
    return _mm512_mask_or_epi32(rounded, isNaN, bits, _mm512_set1_epi32(0x400000));
}

/// 32 values of bfloat16 from 16 and 16: the odd 16-bit words of both.
CDR_AVX512 static inline __m512i bf16_pair_avx512(__m512 low, __m512 high) {
    __m512i odd = _mm512_set_epi32(0x3f003d, 0x3b0039, 0x370035, 0x330031, 0x2f002d, 0x2b0029, 0x270025, 0x230021,
                                   0x1f001d, 0x1b0019, 0x170015, 0x130011, 0x0f000d, 0x0b0009, 0x070005, 0x030001);
    return _mm512_permutex2var_epi16(bf16_rounded_avx512(low), odd, bf16_rounded_avx512(high));
}

#elif defined(__aarch64__)

static inline uint32x4_t bf16_rounded_neon(float32x4_t values) {
    uint32x4_t bits = vreinterpretq_u32_f32(values);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
    uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    return vbslq_u32(vceqq_f32(values, values), rounded, quiet);
}

/// 8 values of bfloat16 from 4 and 4.
static inline uint16x8_t bf16_pair_neon(float32x4_t low, float32x4_t high) {
    return vshrn_high_n_u32(vshrn_n_u32(bf16_rounded_neon(low), 16), bf16_rounded_neon(high), 16);
}

#endif
#endif

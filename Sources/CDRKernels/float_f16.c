// float16 (IEEE binary16) <-> float32 and bfloat16. All go through float32, which holds every value of both exactly, so
// that each conversion rounds once. The processor's own conversions follow the same rules as the plain ones, denormals
// included.
#include "float_bf16.h"

static inline uint32_t f32_bits_of_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 31) return sign | 0x7f800000u | (fraction ? 0x400000u | fraction << 13 : 0);
    if (exponent) return sign | (exponent + 112) << 23 | fraction << 13;
    float value = (float)fraction * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return sign | bits;
}

static inline uint16_t f16_of_f32_bits(uint32_t bits) {
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) return sign | 0x7e00 | (size >> 13 & 0x3ff);
    if (size >= 0x477ff000u) return sign | 0x7c00;  // 65,520: half way from the largest value to the next power of two
    if (size >= 0x38800000u) {                      // 2^-14: normal
        uint32_t rebased = size - (112u << 23);
        return sign | (uint16_t)((rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
    }
    uint32_t exponent = size >> 23;
    if (exponent < 102) return sign;  // below 2^-25
    uint32_t significand = (size & 0x7fffffu) | 0x800000u;
    uint32_t shift = 126 - exponent;  // 14...24: the result counts units of 2^-24
    uint32_t odd = significand >> shift & 1;
    return sign | (uint16_t)((significand + (1u << (shift - 1)) - 1 + odd) >> shift);
}

#define PLAIN(name, from, source_type, to, target_type)                              \
    void cdr_##name##_plain(const void *source, void *target, size_t count) {        \
        const uint8_t *s = source;                                                   \
        uint8_t *t = target;                                                         \
        for (size_t i = 0; i < count; i++) {                                         \
            source_type value;                                                       \
            memcpy(&value, s + sizeof value * i, sizeof value);                      \
            target_type result = to(from(value));                                    \
            memcpy(t + sizeof result * i, &result, sizeof result);                   \
        }                                                                            \
    }
#define SAME(bits) (bits)
#define BITS_OF_BF16(half) ((uint32_t)(half) << 16)

PLAIN(f16_to_f32, f32_bits_of_f16, uint16_t, SAME, uint32_t)
PLAIN(f32_to_f16, SAME, uint32_t, f16_of_f32_bits, uint16_t)
PLAIN(bf16_to_f16, BITS_OF_BF16, uint16_t, f16_of_f32_bits, uint16_t)
PLAIN(f16_to_bf16, f32_bits_of_f16, uint16_t, bf16_of_bits, uint16_t)

#if defined(__x86_64__)

#define NEAREST (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

CDR_AVX2 static inline __m256 load_f16_avx2(const uint8_t *s) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)s));
}

CDR_AVX2 static inline __m256 load_bf16_avx2(const uint8_t *s) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)s)), 16));
}

CDR_AVX2 static inline __m256 load_f32_avx2(const uint8_t *s) { return _mm256_loadu_ps((const float *)s); }

/// 16 values of float16 from 8 and 8.
CDR_AVX2 static inline __m256i f16_pair_avx2(__m256 low, __m256 high) {
    return _mm256_set_m128i(_mm256_cvtps_ph(high, NEAREST), _mm256_cvtps_ph(low, NEAREST));
}

CDR_AVX512 static inline __m512 load_f16_avx512(const uint8_t *s) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)s));
}

CDR_AVX512 static inline __m512 load_bf16_avx512(const uint8_t *s) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)s)), 16));
}

CDR_AVX512 static inline __m512 load_f32_avx512(const uint8_t *s) { return _mm512_loadu_ps((const float *)s); }

/// 32 values of float16 from 16 and 16.
CDR_AVX512 static inline __m512i f16_pair_avx512(__m512 low, __m512 high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtps_ph(low, NEAREST)), _mm512_cvtps_ph(high, NEAREST), 1);
}

/// A block that makes 16-bit values, and its kernel, for both levels.
#define TO_16(name, load, pair, width)                                                                        \
    CDR_AVX2 static inline void name##_avx2(const uint8_t *s, uint8_t *t) {                                   \
        for (size_t i = 0; i < BLOCK; i += 16)                                                                \
            _mm256_storeu_si256((__m256i *)(t + 2 * i),                                                       \
                                pair##_avx2(load##_avx2(s + i * width), load##_avx2(s + (i + 8) * width)));   \
    }                                                                                                         \
    CDR_AVX2 static inline void name##_avx2_streamed(const uint8_t *s, uint8_t *t) {                          \
        for (size_t i = 0; i < BLOCK; i += 16)                                                                \
            _mm256_stream_si256((__m256i *)(t + 2 * i),                                                       \
                                pair##_avx2(load##_avx2(s + i * width), load##_avx2(s + (i + 8) * width)));   \
    }                                                                                                         \
    CDR_AVX512 static inline void name##_avx512(const uint8_t *s, uint8_t *t) {                               \
        _mm512_storeu_si512((__m512i *)t, pair##_avx512(load##_avx512(s), load##_avx512(s + 16 * width)));    \
    }                                                                                                         \
    CDR_AVX512 static inline void name##_avx512_streamed(const uint8_t *s, uint8_t *t) {                      \
        _mm512_stream_si512((__m512i *)t, pair##_avx512(load##_avx512(s), load##_avx512(s + 16 * width)));    \
    }                                                                                                         \
    CDR_KERNEL(name, avx2, width, 2, CDR_AVX2)                                                                \
    CDR_KERNEL(name, avx512, width, 2, CDR_AVX512)

TO_16(f32_to_f16, load_f32, f16_pair, 4)
TO_16(bf16_to_f16, load_bf16, f16_pair, 2)
TO_16(f16_to_bf16, load_f16, bf16_pair, 2)

CDR_AVX2 static inline void f16_to_f32_avx2(const uint8_t *s, uint8_t *t) {
    for (size_t i = 0; i < BLOCK; i += 8) _mm256_storeu_ps((float *)(t + 4 * i), load_f16_avx2(s + 2 * i));
}

CDR_AVX2 static inline void f16_to_f32_avx2_streamed(const uint8_t *s, uint8_t *t) {
    for (size_t i = 0; i < BLOCK; i += 8) _mm256_stream_ps((float *)(t + 4 * i), load_f16_avx2(s + 2 * i));
}

CDR_AVX512 static inline void f16_to_f32_avx512(const uint8_t *s, uint8_t *t) {
    for (size_t i = 0; i < BLOCK; i += 16) _mm512_storeu_ps((float *)(t + 4 * i), load_f16_avx512(s + 2 * i));
}

CDR_AVX512 static inline void f16_to_f32_avx512_streamed(const uint8_t *s, uint8_t *t) {
    for (size_t i = 0; i < BLOCK; i += 16) _mm512_stream_ps((float *)(t + 4 * i), load_f16_avx512(s + 2 * i));
}

CDR_KERNEL(f16_to_f32, avx2, 2, 4, CDR_AVX2)
CDR_KERNEL(f16_to_f32, avx512, 2, 4, CDR_AVX512)

#elif defined(__aarch64__)

#define f16_to_f32_neon_streamed NULL
#define f32_to_f16_neon_streamed NULL
#define bf16_to_f16_neon_streamed NULL
#define f16_to_bf16_neon_streamed NULL

static inline float32x4_t load_f16_neon(const uint8_t *s) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(s))); }

static inline float32x4_t load_bf16_neon(const uint8_t *s) {
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(s)), 16));
}

static inline float32x4_t load_f32_neon(const uint8_t *s) { return vreinterpretq_f32_u8(vld1q_u8(s)); }

static inline uint16x8_t f16_pair_neon(float32x4_t low, float32x4_t high) {
    return vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(low), high));
}

#define TO_16(name, load, pair, width)                                                                            \
    static inline void name##_neon(const uint8_t *s, uint8_t *t) {                                                \
        for (size_t i = 0; i < BLOCK; i += 8)                                                                     \
            vst1q_u8(t + 2 * i, vreinterpretq_u8_u16(pair##_neon(load##_neon(s + i * width),                      \
                                                                 load##_neon(s + (i + 4) * width))));             \
    }                                                                                                             \
    CDR_KERNEL(name, neon, width, 2, )

TO_16(f32_to_f16, load_f32, f16_pair, 4)
TO_16(bf16_to_f16, load_bf16, f16_pair, 2)
TO_16(f16_to_bf16, load_f16, bf16_pair, 2)

static inline void f16_to_f32_neon(const uint8_t *s, uint8_t *t) {
    for (size_t i = 0; i < BLOCK; i += 4) vst1q_u8(t + 4 * i, vreinterpretq_u8_f32(load_f16_neon(s + 2 * i)));
}

CDR_KERNEL(f16_to_f32, neon, 2, 4, )

#endif

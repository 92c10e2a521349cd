// bfloat16 <-> float32. A bfloat16 is the upper half of a float32.
//
// AVX-512's own instruction (vcvtneps2bf16) is not used: it flushes denormals to zero.
#include "float_bf16.h"

void cdr_bf16_to_f32_plain(const void *source, void *target, size_t count) {
    const uint8_t *s = source;
    uint8_t *t = target;
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, s + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(t + 4 * i, &bits, 4);
    }
}

void cdr_f32_to_bf16_plain(const void *source, void *target, size_t count) {
    const uint8_t *s = source;
    uint8_t *t = target;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, s + 4 * i, 4);
        uint16_t half = bf16_of_bits(bits);
        memcpy(t + 2 * i, &half, 2);
    }
}

#if defined(__x86_64__)

#define WIDEN_AVX2(i, store)                                                                         \
    store((__m256i *)(t + 32 * (i)),                                                                 \
          _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(s + 16 * (i)))), 16))

CDR_AVX2 static inline void bf16_to_f32_avx2(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 4; i++) WIDEN_AVX2(i, _mm256_storeu_si256);
}

CDR_AVX2 static inline void bf16_to_f32_avx2_streamed(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 4; i++) WIDEN_AVX2(i, _mm256_stream_si256);
}

#define NARROW_AVX2(i, store)                                                                        \
    store((__m256i *)(t + 32 * (i)), bf16_pair_avx2(_mm256_loadu_ps((const float *)(s + 64 * (i))),   \
                                                    _mm256_loadu_ps((const float *)(s + 64 * (i) + 32))))

CDR_AVX2 static inline void f32_to_bf16_avx2(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 2; i++) NARROW_AVX2(i, _mm256_storeu_si256);
}

CDR_AVX2 static inline void f32_to_bf16_avx2_streamed(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 2; i++) NARROW_AVX2(i, _mm256_stream_si256);
}

#define WIDEN_AVX512(i, store)                                                                       \
    store((__m512i *)(t + 64 * (i)),                                                                 \
          _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(s + 32 * (i)))), 16))

CDR_AVX512 static inline void bf16_to_f32_avx512(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 2; i++) WIDEN_AVX512(i, _mm512_storeu_si512);
}

CDR_AVX512 static inline void bf16_to_f32_avx512_streamed(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 2; i++) WIDEN_AVX512(i, _mm512_stream_si512);
}

CDR_AVX512 static inline __m512i f32_to_bf16_block_avx512(const uint8_t *s) {
    return bf16_pair_avx512(_mm512_loadu_ps((const float *)s), _mm512_loadu_ps((const float *)(s + 64)));
}

CDR_AVX512 static inline void f32_to_bf16_avx512(const uint8_t *s, uint8_t *t) {
    _mm512_storeu_si512((__m512i *)t, f32_to_bf16_block_avx512(s));
}

CDR_AVX512 static inline void f32_to_bf16_avx512_streamed(const uint8_t *s, uint8_t *t) {
    _mm512_stream_si512((__m512i *)t, f32_to_bf16_block_avx512(s));
}

CDR_KERNEL(bf16_to_f32, avx2, 2, 4, CDR_AVX2)
CDR_KERNEL(f32_to_bf16, avx2, 4, 2, CDR_AVX2)
CDR_KERNEL(bf16_to_f32, avx512, 2, 4, CDR_AVX512)
CDR_KERNEL(f32_to_bf16, avx512, 4, 2, CDR_AVX512)

#elif defined(__aarch64__)

#define bf16_to_f32_neon_streamed NULL
#define f32_to_bf16_neon_streamed NULL

static inline void bf16_to_f32_neon(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 4; i++) {
        uint16x8_t halves = vreinterpretq_u16_u8(vld1q_u8(s + 16 * i));
        vst1q_u8(t + 32 * i, vreinterpretq_u8_u32(vshll_n_u16(vget_low_u16(halves), 16)));
        vst1q_u8(t + 32 * i + 16, vreinterpretq_u8_u32(vshll_high_n_u16(halves, 16)));
    }
}

static inline void f32_to_bf16_neon(const uint8_t *s, uint8_t *t) {
    for (int i = 0; i < 4; i++) {
        float32x4_t low = vreinterpretq_f32_u8(vld1q_u8(s + 32 * i));
        float32x4_t high = vreinterpretq_f32_u8(vld1q_u8(s + 32 * i + 16));
        vst1q_u8(t + 16 * i, vreinterpretq_u8_u16(bf16_pair_neon(low, high)));
    }
}

CDR_KERNEL(bf16_to_f32, neon, 2, 4, )
CDR_KERNEL(f32_to_bf16, neon, 4, 2, )

#endif

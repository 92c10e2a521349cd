// Sums of products over rows of bfloat16: 32 lanes of float32, added up in float64. The rule is at cdr_bf16_dot; every
// level follows it to the bit. 32 lanes are four AVX2 registers: enough that no addition waits for the one before.
// Which register holds a lane is free: a level unpacks even and odd values apart, by a mask and a shift.
#include "float_table.h"
#include <string.h>

// A product that is fused into the sum would be rounded once and not twice. (Two significands of 8 bits make one of 16,
// so that this changes a result only where a product underflows or overflows.)
#pragma STDC FP_CONTRACT OFF

#define LANES ((size_t)32)
#define DOT_BLOCK ((size_t)4096)

/// Takes the lanes of one block together.
static double total(const float *lanes) {
    double sums[LANES];
    for (size_t j = 0; j < LANES; j++) sums[j] = lanes[j];
    for (size_t width = LANES / 2; width; width /= 2)
        for (size_t j = 0; j < width; j++) sums[j] += sums[j + width];
    return sums[0];
}

static double canonical(double sum) { return sum == sum ? sum : __builtin_nan(""); }

/// Writes the 32 lanes of up to DOT_BLOCK values.
typedef void dot_block(const uint8_t *a, const uint8_t *b, size_t count, float *lanes);

static inline __attribute__((always_inline)) double dot_blocks(
    const uint8_t *a, const uint8_t *b, size_t count, dot_block *block) {
    double sum = 0;
    float lanes[LANES];
    while (count) {
        size_t taken = count < DOT_BLOCK ? count : DOT_BLOCK;
        block(a, b, taken, lanes);
        sum += total(lanes);
        a += 2 * taken;
        b += 2 * taken;
        count -= taken;
    }
    return canonical(sum);
}

static inline float bf16_at(const uint8_t *values, size_t i) {
    uint16_t half;
    memcpy(&half, values + 2 * i, 2);
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static void dot_plain(const uint8_t *a, const uint8_t *b, size_t count, float *lanes) {
    memset(lanes, 0, LANES * sizeof *lanes);
    for (size_t i = 0; i < count; i++) {
        float product = bf16_at(a, i) * bf16_at(b, i);
        lanes[i % LANES] += product;
    }
}

#define DOT(level, attributes)                                                                          \
    attributes double cdr_bf16_dot_##level(const void *a, const void *b, size_t count) {                \
        return dot_blocks(a, b, count, dot_##level);                                                    \
    }                                                                                                   \
    attributes double cdr_bf16_squared_norm_##level(const void *values, size_t count) {                 \
        return dot_blocks(values, values, count, dot_##level);                                          \
    }

DOT(plain, )

#if defined(__x86_64__) || defined(__aarch64__)

/// The last, incomplete group of lanes, filled up with zeros: +0 changes no lane.
static inline const uint8_t *padded(uint8_t *group, const uint8_t *values, size_t count) {
    memset(group, 0, 2 * LANES);
    memcpy(group, values, 2 * count);
    return group;
}

/// The loop of a level over the groups of 32 values: `add` takes pointers to one group.
#define EACH_GROUP(a, b, count, add)                                                                    \
    do {                                                                                                \
        size_t i = 0;                                                                                   \
        for (; i + LANES <= count; i += LANES) add(a + 2 * i, b + 2 * i);                               \
        if (i < count) {                                                                                \
            uint8_t last_a[2 * LANES], last_b[2 * LANES];                                               \
            add(padded(last_a, a + 2 * i, count - i), padded(last_b, b + 2 * i, count - i));            \
        }                                                                                               \
    } while (0)

#endif
#if defined(__x86_64__)

#define EVEN_AVX2(x) _mm256_castsi256_ps(_mm256_slli_epi32(x, 16))
#define ODD_AVX2(x) _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000)))
#define ADD_AVX2(p, q)                                                                                  \
    do {                                                                                                \
        const uint8_t *p_ = p, *q_ = q;                                                                 \
        for (int h = 0; h < 2; h++) {                                                                   \
            __m256i x = _mm256_loadu_si256((const __m256i *)(p_ + 32 * h));                             \
            __m256i y = _mm256_loadu_si256((const __m256i *)(q_ + 32 * h));                             \
            even[h] = _mm256_add_ps(even[h], _mm256_mul_ps(EVEN_AVX2(x), EVEN_AVX2(y)));                \
            odd[h] = _mm256_add_ps(odd[h], _mm256_mul_ps(ODD_AVX2(x), ODD_AVX2(y)));                    \
        }                                                                                               \
    } while (0)

CDR_AVX2 static inline void dot_avx2(const uint8_t *a, const uint8_t *b, size_t count, float *lanes) {
    __m256 even[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    __m256 odd[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    EACH_GROUP(a, b, count, ADD_AVX2);
    float parts[LANES];
    for (int h = 0; h < 2; h++) {
        _mm256_storeu_ps(parts + 16 * h, even[h]);
        _mm256_storeu_ps(parts + 16 * h + 8, odd[h]);
    }
    for (size_t j = 0; j < LANES; j++) lanes[j] = parts[j / 16 * 16 + j % 2 * 8 + j % 16 / 2];
}

#define EVEN_AVX512(x) _mm512_castsi512_ps(_mm512_slli_epi32(x, 16))
#define ODD_AVX512(x) _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)))
#define ADD_AVX512(p, q)                                                                                \
    do {                                                                                                \
        __m512i x = _mm512_loadu_si512(p);                                                              \
        __m512i y = _mm512_loadu_si512(q);                                                              \
        even = _mm512_add_ps(even, _mm512_mul_ps(EVEN_AVX512(x), EVEN_AVX512(y)));                      \
        odd = _mm512_add_ps(odd, _mm512_mul_ps(ODD_AVX512(x), ODD_AVX512(y)));                          \
    } while (0)

CDR_AVX512 static inline void dot_avx512(const uint8_t *a, const uint8_t *b, size_t count, float *lanes) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    EACH_GROUP(a, b, count, ADD_AVX512);
    float parts[LANES];
    _mm512_storeu_ps(parts, even);
    _mm512_storeu_ps(parts + 16, odd);
    for (size_t j = 0; j < LANES; j++) lanes[j] = parts[j % 2 * 16 + j / 2];
}

DOT(avx2, CDR_AVX2)
DOT(avx512, CDR_AVX512)

#elif defined(__aarch64__)

#define EVEN_NEON(x) vreinterpretq_f32_u32(vshlq_n_u32(x, 16))
#define ODD_NEON(x) vreinterpretq_f32_u32(vandq_u32(x, vdupq_n_u32(0xffff0000)))
#define ADD_NEON(p, q)                                                                                  \
    do {                                                                                                \
        const uint8_t *p_ = p, *q_ = q;                                                                 \
        for (int h = 0; h < 4; h++) {                                                                   \
            uint32x4_t x = vreinterpretq_u32_u8(vld1q_u8(p_ + 16 * h));                                 \
            uint32x4_t y = vreinterpretq_u32_u8(vld1q_u8(q_ + 16 * h));                                 \
            even[h] = vaddq_f32(even[h], vmulq_f32(EVEN_NEON(x), EVEN_NEON(y)));                        \
            odd[h] = vaddq_f32(odd[h], vmulq_f32(ODD_NEON(x), ODD_NEON(y)));                            \
        }                                                                                               \
    } while (0)

static inline void dot_neon(const uint8_t *a, const uint8_t *b, size_t count, float *lanes) {
    float32x4_t even[4], odd[4];
    for (int h = 0; h < 4; h++) even[h] = odd[h] = vdupq_n_f32(0);
    EACH_GROUP(a, b, count, ADD_NEON);
    float parts[LANES];
    for (int h = 0; h < 4; h++) {
        vst1q_f32(parts + 8 * h, even[h]);
        vst1q_f32(parts + 8 * h + 4, odd[h]);
    }
    for (size_t j = 0; j < LANES; j++) lanes[j] = parts[j / 8 * 8 + j % 2 * 4 + j % 8 / 2];
}

DOT(neon, )

#endif

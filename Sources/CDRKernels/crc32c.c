// CRC-32C. The plain version takes four bits a step from a table that the preprocessor expands from the bitwise
// definition.
//
// The fast ones use the processor's own instruction. It takes 8 bytes a cycle, but each step waits three cycles for the
// last one, so that three streams run at once. Beside them a fourth part of the bytes is folded by carry-less
// multiplication, which keeps other units of the processor busy: 64, 128 or 256 bytes are moved on over the next as
// many (Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction, Intel 2009). At the end
// of a superblock each remainder is moved on to the end, by a multiplication with a power of x from crc32c_powers.h,
// and they add up.
#include "CDRKernels.h"
#include "crc32c_powers.h"
#include <stdatomic.h>
#include <string.h>

#define POLY 0x82f63b78u
#define B1(c) (((c) >> 1) ^ (POLY & (0u - ((c) & 1u))))
#define B2(c) B1(B1(c))
#define B4(c) B2(B2(c))

// A nibble table: 16 entries, cheap enough to write down as an expression, two look-ups a byte.
static const uint32_t nibble[16] = {
    B4(0u), B4(1u), B4(2u), B4(3u), B4(4u), B4(5u), B4(6u), B4(7u),
    B4(8u), B4(9u), B4(10u), B4(11u), B4(12u), B4(13u), B4(14u), B4(15u),
};

uint32_t cdr_crc32c_plain(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= p[i];
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
    }
    return ~crc;
}

typedef uint32_t crc32c_function(uint32_t crc, const void *bytes, size_t count);

/// The streams of one superblock: three runs of `length` bytes, one after the other.
#define STREAM_STEP(crc64, words)                                              \
    for (size_t w = 0; w < (words); w++) {                                     \
        c0 = crc64(c0, load64(p + 8 * w));                                     \
        c1 = crc64(c1, load64(p + length + 8 * w));                            \
        c2 = crc64(c2, load64(p + 2 * length + 8 * w));                        \
    }                                                                          \
    p += 8 * (words)

static inline uint64_t load64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/// Asks for `lines` lines of the next superblock: four places that move on at once, and start anew every few kilobytes,
/// are too much for the processor's own prefetching. Where no such superblock follows, the lines are those of the
/// current one.
static inline uintptr_t fetched(uintptr_t next, int lines) {
    for (int i = 0; i < lines; i++) __builtin_prefetch((const void *)(next + 64 * (uintptr_t)i));
    return next + 64 * (uintptr_t)lines;
}

/// Superblocks as long as there is an iteration left, then one stream over the rest.
#define SUPERBLOCKS(block, iteration_bytes, rest)                              \
    const uint8_t *p = bytes;                                                  \
    crc = ~crc;                                                                \
    while (count >= (iteration_bytes)) {                                       \
        size_t n = count / (iteration_bytes);                                  \
        if (n > CRC32C_ITERATIONS) n = CRC32C_ITERATIONS;                      \
        count -= n * (iteration_bytes);                                        \
        const uint8_t *next = p + n * (iteration_bytes);                       \
        int follows = count >= n * (iteration_bytes);                          \
        crc = block(crc, p, n, (uintptr_t)(follows ? next : p));               \
        p = next;                                                              \
    }                                                                          \
    return rest(~crc, p, count)

#if defined(__x86_64__)
#include <immintrin.h>

#define ONE __attribute__((target("sse4.2")))
#define FOLD128 __attribute__((target("sse4.2,pclmul")))
#define FOLD256 __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))
#define FOLD512 __attribute__((target("sse4.2,pclmul,avx512f,avx512bw,vpclmulqdq")))

ONE static uint32_t crc32c_one(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint64_t c = (uint32_t)~crc;
    for (; count >= 8; p += 8, count -= 8) c = _mm_crc32_u64(c, load64(p));
    while (count--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return ~(uint32_t)c;
}

/// The remainders of the streams, moved on to the end of the superblock.
FOLD128 static inline uint32_t joined(uint64_t c0, uint64_t c1, uint64_t c2, const uint32_t *ends) {
    __m128i x0 = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)c0), _mm_cvtsi32_si128((int)ends[0]), 0);
    __m128i x1 = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)c1), _mm_cvtsi32_si128((int)ends[1]), 0);
    __m128i x2 = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)c2), _mm_cvtsi32_si128((int)ends[2]), 0);
    __m128i sum = _mm_xor_si128(_mm_xor_si128(x0, x1), x2);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));
}

#define PAIR128(low, high) _mm_set_epi64x(high, low)
#define POWERS128(...) PAIR128(__VA_ARGS__)

FOLD128 static inline __m128i fold128(__m128i x, __m128i powers, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(x, powers, 0x00);
    return _mm_xor_si128(_mm_xor_si128(low, _mm_clmulepi64_si128(x, powers, 0x11)), next);
}

FOLD128 static inline uint32_t remainder128(__m128i x) {
    uint64_t c = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(x));
    return (uint32_t)_mm_crc32_u64(c, (uint64_t)_mm_extract_epi64(x, 1));
}

FOLD128 static inline __m128i load128(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }

FOLD128 static uint32_t block128(uint32_t crc, const uint8_t *p, size_t iterations, uintptr_t next) {
    size_t length = 40 * iterations;
    const uint8_t *v = p + 3 * length;
    uint64_t c0 = crc, c1 = 0, c2 = 0;
    __m128i x0 = load128(v), x1 = load128(v + 16), x2 = load128(v + 32), x3 = load128(v + 48);
    __m128i powers = POWERS128(CRC32C_FOLD_64);
    STREAM_STEP(_mm_crc32_u64, 5);
    for (size_t i = 1; i < iterations; i++) {
        v += 64;
        next = fetched(next, 3);
        x0 = fold128(x0, powers, load128(v));
        x1 = fold128(x1, powers, load128(v + 16));
        x2 = fold128(x2, powers, load128(v + 32));
        x3 = fold128(x3, powers, load128(v + 48));
        STREAM_STEP(_mm_crc32_u64, 5);
    }
    x3 = fold128(x2, POWERS128(CRC32C_FOLD_16), x3);
    x3 = fold128(x1, POWERS128(CRC32C_FOLD_32), x3);
    x3 = fold128(x0, POWERS128(CRC32C_FOLD_48), x3);
    return remainder128(x3) ^ joined(c0, c1, c2, crc32c_ends_40_64[iterations - 1]);
}

FOLD128 static uint32_t crc32c_fold128(uint32_t crc, const void *bytes, size_t count) {
    SUPERBLOCKS(block128, 3 * 40 + 64, crc32c_one);
}

#define PAIR256(low, high) _mm256_set_epi64x(high, low, high, low)
#define POWERS256(...) PAIR256(__VA_ARGS__)

FOLD256 static inline __m256i fold256(__m256i x, __m256i powers, __m256i next) {
    __m256i low = _mm256_clmulepi64_epi128(x, powers, 0x00);
    return _mm256_xor_si256(_mm256_xor_si256(low, _mm256_clmulepi64_epi128(x, powers, 0x11)), next);
}

FOLD256 static inline __m256i load256(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

FOLD256 static uint32_t block256(uint32_t crc, const uint8_t *p, size_t iterations, uintptr_t next) {
    size_t length = 40 * iterations;
    const uint8_t *v = p + 3 * length;
    uint64_t c0 = crc, c1 = 0, c2 = 0;
    __m256i x0 = load256(v), x1 = load256(v + 32), x2 = load256(v + 64), x3 = load256(v + 96);
    __m256i powers = POWERS256(CRC32C_FOLD_128);
    STREAM_STEP(_mm_crc32_u64, 5);
    for (size_t i = 1; i < iterations; i++) {
        v += 128;
        next = fetched(next, 4);
        x0 = fold256(x0, powers, load256(v));
        x1 = fold256(x1, powers, load256(v + 32));
        x2 = fold256(x2, powers, load256(v + 64));
        x3 = fold256(x3, powers, load256(v + 96));
        STREAM_STEP(_mm_crc32_u64, 5);
    }
    x3 = fold256(x2, POWERS256(CRC32C_FOLD_32), x3);
    x3 = fold256(x1, POWERS256(CRC32C_FOLD_64), x3);
    x3 = fold256(x0, POWERS256(CRC32C_FOLD_96), x3);
    __m128i end = _mm256_extracti128_si256(x3, 1);
    end = fold128(_mm256_castsi256_si128(x3), POWERS128(CRC32C_FOLD_16), end);
    return remainder128(end) ^ joined(c0, c1, c2, crc32c_ends_40_128[iterations - 1]);
}

FOLD256 static uint32_t crc32c_fold256(uint32_t crc, const void *bytes, size_t count) {
    SUPERBLOCKS(block256, 3 * 40 + 128, crc32c_fold128);
}

#define POWERS512(...) _mm512_broadcast_i32x4(PAIR128(__VA_ARGS__))

FOLD512 static inline __m512i fold512(__m512i x, __m512i powers, __m512i next) {
    __m512i low = _mm512_clmulepi64_epi128(x, powers, 0x00);
    return _mm512_ternarylogic_epi64(low, _mm512_clmulepi64_epi128(x, powers, 0x11), next, 0x96);
}

FOLD512 static uint32_t block512(uint32_t crc, const uint8_t *p, size_t iterations, uintptr_t next) {
    size_t length = 24 * iterations;
    const uint8_t *v = p + 3 * length;
    uint64_t c0 = crc, c1 = 0, c2 = 0;
    __m512i x0 = _mm512_loadu_si512(v), x1 = _mm512_loadu_si512(v + 64);
    __m512i x2 = _mm512_loadu_si512(v + 128), x3 = _mm512_loadu_si512(v + 192);
    __m512i powers = POWERS512(CRC32C_FOLD_256);
    STREAM_STEP(_mm_crc32_u64, 3);
    for (size_t i = 1; i < iterations; i++) {
        v += 256;
        next = fetched(next, 5);
        x0 = fold512(x0, powers, _mm512_loadu_si512(v));
        x1 = fold512(x1, powers, _mm512_loadu_si512(v + 64));
        x2 = fold512(x2, powers, _mm512_loadu_si512(v + 128));
        x3 = fold512(x3, powers, _mm512_loadu_si512(v + 192));
        STREAM_STEP(_mm_crc32_u64, 3);
    }
    x3 = fold512(x2, POWERS512(CRC32C_FOLD_64), x3);
    x3 = fold512(x1, POWERS512(CRC32C_FOLD_128), x3);
    x3 = fold512(x0, POWERS512(CRC32C_FOLD_192), x3);
    __m128i end = _mm512_extracti32x4_epi32(x3, 3);
    end = fold128(_mm512_extracti32x4_epi32(x3, 2), POWERS128(CRC32C_FOLD_16), end);
    end = fold128(_mm512_extracti32x4_epi32(x3, 1), POWERS128(CRC32C_FOLD_32), end);
    end = fold128(_mm512_extracti32x4_epi32(x3, 0), POWERS128(CRC32C_FOLD_48), end);
    return remainder128(end) ^ joined(c0, c1, c2, crc32c_ends_24_256[iterations - 1]);
}

FOLD512 static uint32_t crc32c_fold512(uint32_t crc, const void *bytes, size_t count) {
    SUPERBLOCKS(block512, 3 * 24 + 256, crc32c_fold128);
}

static crc32c_function *function(cdr_crc32c_variant variant) {
    int one = __builtin_cpu_supports("sse4.2");
    int fold128 = one && __builtin_cpu_supports("pclmul");
    int wide = fold128 && __builtin_cpu_supports("vpclmulqdq");
    switch (variant) {
    case CDR_CRC32C_PLAIN: return cdr_crc32c_plain;
    case CDR_CRC32C_ONE: return one ? crc32c_one : NULL;
    case CDR_CRC32C_THREE: return fold128 ? crc32c_fold128 : NULL;
    case CDR_CRC32C_FOLD256: return wide && __builtin_cpu_supports("avx2") ? crc32c_fold256 : NULL;
    case CDR_CRC32C_FOLD512:
        return wide && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") ? crc32c_fold512 : NULL;
    default: return NULL;
    }
}

#elif defined(__aarch64__)
#include <arm_acle.h>
#include <arm_neon.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#define ONE __attribute__((target("crc")))
#define THREE __attribute__((target("crc,aes")))

ONE static uint32_t crc32c_one(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    for (; count >= 8; p += 8, count -= 8) c = __crc32cd(c, load64(p));
    while (count--) c = __crc32cb(c, *p++);
    return ~c;
}

THREE static uint32_t block_three(uint32_t crc, const uint8_t *p, size_t iterations, uintptr_t next) {
    size_t length = 40 * iterations;
    const uint32_t *ends = crc32c_ends_40_0[iterations - 1];
    uint32_t c0 = crc, c1 = 0, c2 = 0;
    for (size_t i = 0; i < iterations; i++) {
        next = fetched(next, 2);
        STREAM_STEP(__crc32cd, 5);
    }
    // The last stream is at the end already.
    uint64_t sum = vgetq_lane_u64(vreinterpretq_u64_p128(vmull_p64(c0, ends[0])), 0);
    sum ^= vgetq_lane_u64(vreinterpretq_u64_p128(vmull_p64(c1, ends[1])), 0);
    return __crc32cd(0, sum) ^ c2;
}

THREE static uint32_t crc32c_three(uint32_t crc, const void *bytes, size_t count) {
    SUPERBLOCKS(block_three, 3 * 40, crc32c_one);
}

static crc32c_function *function(cdr_crc32c_variant variant) {
#if defined(__linux__)
    int one = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
    int three = one && (getauxval(AT_HWCAP) & HWCAP_PMULL) != 0;
#else
    int one = 1, three = 1;  // every arm64 processor of Apple has both
#endif
    switch (variant) {
    case CDR_CRC32C_PLAIN: return cdr_crc32c_plain;
    case CDR_CRC32C_ONE: return one ? crc32c_one : NULL;
    case CDR_CRC32C_THREE: return three ? crc32c_three : NULL;
    default: return NULL;
    }
}

#else

static crc32c_function *function(cdr_crc32c_variant variant) {
    return variant == CDR_CRC32C_PLAIN ? cdr_crc32c_plain : NULL;
}

#endif

int cdr_crc32c_available(cdr_crc32c_variant variant) { return function(variant) != NULL; }

uint32_t cdr_crc32c_with(cdr_crc32c_variant variant, uint32_t crc, const void *bytes, size_t count) {
    return function(variant)(crc, bytes, count);
}

uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count) {
    // Null until the first call; threads that ask at once find the same.
    static _Atomic(crc32c_function *) best;
    crc32c_function *found = atomic_load_explicit(&best, memory_order_relaxed);
    if (__builtin_expect(!found, 0)) {
        int variant = CDR_CRC32C_FOLD512;
        while (!(found = function((cdr_crc32c_variant)variant))) variant--;
        atomic_store_explicit(&best, found, memory_order_relaxed);
    }
    return found(crc, bytes, count);
}

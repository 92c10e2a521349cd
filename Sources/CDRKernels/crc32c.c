// CRC-32C. The plain version takes four bits a step from a table that the preprocessor expands from the bitwise
// definition; the fast one is the processor's own instruction (SSE4.2 or the Arm CRC extension).
#include "CDRKernels.h"
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

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint64_t c = (uint32_t)~crc;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = _mm_crc32_u64(c, word);
        p += 8;
        count -= 8;
    }
    while (count--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return ~(uint32_t)c;
}

uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count) {
    if (__builtin_cpu_supports("sse4.2")) return crc32c_sse42(crc, bytes, count);
    return cdr_crc32c_plain(crc, bytes, count);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = __crc32cd(c, word);
        p += 8;
        count -= 8;
    }
    while (count--) c = __crc32cb(c, *p++);
    return ~c;
}

#else

uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count) { return cdr_crc32c_plain(crc, bytes, count); }

#endif

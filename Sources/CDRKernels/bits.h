// Strings of bits, least significant first, and the counts in front of a unit's plain bytes. Spec: FORMAT.md sections 4
// and 6.1.
#ifndef BITS_H
#define BITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Into the function of a level, so that this code is compiled for its instructions.
#define CDR_INLINE static inline __attribute__((always_inline))

CDR_INLINE uint64_t cdr_load64(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/// 57 bits and more from place `at`, with what follows.
CDR_INLINE uint64_t cdr_bits57(const uint8_t *bits, uint64_t at) { return cdr_load64(bits + (at >> 3)) >> (at & 7); }

/// 64 bits from place `at`.
CDR_INLINE uint64_t cdr_bits64(const uint8_t *bits, uint64_t at) {
    unsigned shift = at & 7;
    return cdr_load64(bits + (at >> 3)) >> shift | (uint64_t)bits[(at >> 3) + 8] << 1 << (63 - shift);
}

CDR_INLINE uint64_t cdr_low_bits(unsigned n) { return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0; }

/// Sets bits of a target that is zero there: `value` has at most 57.
CDR_INLINE void cdr_put_bits(uint8_t *bits, uint64_t at, uint64_t value) {
    uint8_t *byte = bits + (at >> 3);
    for (value <<= at & 7; value; value >>= 8) *byte++ |= (uint8_t)value;
}

CDR_INLINE unsigned cdr_varint_bytes(uint64_t n) {
    return 1 + (n >> 7 != 0) + (n >> 14 != 0) + (n >> 21 != 0) + (n >> 28 != 0);
}

CDR_INLINE uint8_t *cdr_put_varint(uint8_t *target, uint64_t n) {
    for (; n >= 128; n >>= 7) *target++ = (uint8_t)(n | 128);
    *target++ = (uint8_t)n;
    return target;
}

/// A varint that was checked.
CDR_INLINE uint64_t cdr_take_varint(const uint8_t **at) {
    uint64_t n = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        n |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return n;
    }
}

/// Where the values of a unit's plain bytes begin; null if its counts are not what section 6.1 says.
static inline const uint8_t *cdr_plain_values(const uint8_t *plain, size_t count, size_t cells) {
    const uint8_t *at = plain, *end = plain + count;
    uint64_t bytes = 0;
    for (size_t cell = 0; cell < cells; cell++) {
        const uint8_t *first = at;
        while (at < end && at - first < 4 && *at >= 128) at++;
        if (at == end || *at >= 128 || (at != first && *at == 0)) return NULL;
        at = first;
        uint64_t n = cdr_take_varint(&at);
        if (n >= (uint64_t)1 << 32) return NULL;
        bytes += n;
    }
    return bytes == (uint64_t)(end - at) ? at : NULL;
}

#endif

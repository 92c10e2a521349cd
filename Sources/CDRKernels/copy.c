// Copies that are written past the cache: for targets that are read much later, if at all, by this processor. An ordinary
// store reads the line that it overwrites, and throws another out of the cache for it.
#include <string.h>

#include "CDRKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

/// How far ahead of a copy its source is asked for.
#define FETCH_AHEAD 1024

/// Whole lines of 64 bytes; the target is aligned to them.
static void stream_lines(uint8_t *target, const uint8_t *source, size_t count) {
    for (size_t at = 0; at < count; at += 64) {
        __builtin_prefetch((const void *)((uintptr_t)source + at + FETCH_AHEAD));
        for (size_t i = 0; i < 64; i += 16)
            _mm_stream_si128((__m128i *)(target + at + i), _mm_loadu_si128((const __m128i *)(source + at + i)));
    }
}

__attribute__((target("avx2"))) static void stream_lines_avx2(uint8_t *target, const uint8_t *source, size_t count) {
    for (size_t at = 0; at < count; at += 64) {
        __builtin_prefetch((const void *)((uintptr_t)source + at + FETCH_AHEAD));
        __m256i low = _mm256_loadu_si256((const __m256i *)(source + at));
        __m256i high = _mm256_loadu_si256((const __m256i *)(source + at + 32));
        _mm256_stream_si256((__m256i *)(target + at), low);
        _mm256_stream_si256((__m256i *)(target + at + 32), high);
    }
}

void cdr_copy_streamed(void *target, const void *source, size_t count) {
    uint8_t *to = target;
    const uint8_t *from = source;
    size_t head = -(uintptr_t)to & 63;
    if (count < head + 64) {
        memcpy(to, from, count);
        return;
    }
    memcpy(to, from, head);
    size_t lines = (count - head) & ~(size_t)63;
    if (cdr_level_current() >= CDR_LEVEL_AVX2)
        stream_lines_avx2(to + head, from + head, lines);
    else
        stream_lines(to + head, from + head, lines);
    memcpy(to + head + lines, from + head + lines, count - head - lines);
}

void cdr_stream_fence(void) { _mm_sfence(); }

#else

void cdr_copy_streamed(void *target, const void *source, size_t count) { memcpy(target, source, count); }

void cdr_stream_fence(void) {}

#endif

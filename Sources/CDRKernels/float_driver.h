// The loop that all vector conversions share: whole blocks, and one more over the end, so that no tail is left.
#ifndef FLOAT_DRIVER_H
#define FLOAT_DRIVER_H

#include "float_table.h"

/// Values of a block. A line of the cache is 64 bytes, so a block reaches from any value into the next line.
#define BLOCK ((size_t)32)

/// How far ahead a streamed block asks for its source: without it such stores are a tenth to a quarter slower. From 512
/// to 4,096 bytes make no difference that could be measured; blocks with ordinary stores gain nothing by it.
#define FETCH_AHEAD 2048

/// Converts one block. The target of a streamed block is aligned to 64 bytes.
typedef void block_convert(const uint8_t *source, uint8_t *target);

/// Asks for the block FETCH_AHEAD bytes on; past the end, nothing happens.
static inline void fetch_block(const uint8_t *source, size_t width) {
    uintptr_t start = (uintptr_t)source + FETCH_AHEAD;
    for (size_t at = 0; at < BLOCK * width; at += 64) __builtin_prefetch((const void *)(start + at));
}

/// - source_width, target_width: bytes of a value.
/// - streamed: writes past the cache; null where the level can't.
/// - plain: for fewer values than a block.
static inline __attribute__((always_inline)) void convert_blocks(
    const uint8_t *source, uint8_t *target, size_t count, size_t source_width, size_t target_width,
    block_convert *cached, block_convert *streamed, cdr_convert *plain) {
    if (count < BLOCK) {
        plain(source, target, count);
        return;
    }
    size_t last = count - BLOCK;
    size_t i = 0;
    int is_large = count >= CDR_STREAM_BYTES / (source_width + target_width);
    if (streamed && is_large && (uintptr_t)target % target_width == 0) {
        cached(source, target);
        i = (-(uintptr_t)target & 63) / target_width;
        for (; i <= last; i += BLOCK) {
            fetch_block(source + i * source_width, source_width);
            streamed(source + i * source_width, target + i * target_width);
        }
#if defined(__x86_64__)
        _mm_sfence();
#endif
    } else {
        for (; i <= last; i += BLOCK) cached(source + i * source_width, target + i * target_width);
    }
    if (i < count) cached(source + last * source_width, target + last * target_width);
}

/// Defines the kernel `cdr_NAME_LEVEL` of the blocks `NAME_LEVEL` and `NAME_LEVEL_streamed`.
#define CDR_KERNEL(name, level, source_width, target_width, attributes)                                       \
    attributes void cdr_##name##_##level(const void *source, void *target, size_t count) {                    \
        convert_blocks(source, target, count, source_width, target_width, name##_##level,                     \
                       name##_##level##_streamed, cdr_##name##_plain);                                        \
    }

#endif

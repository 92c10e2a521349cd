// The encoder of exponent planes. The file that takes it in defines before:
// - PLANES_TARGET: the attributes of its functions;
// - extract(bits, mask): PEXT;
// - rank_group(table, values, bases, valid, chunk, i, fractions): the parts of 64 values, of which those in the mask
//   `valid` count: the fractions, and in the chunk the words `i` of planes and masks; it appends the exceptions.
#ifndef PLANES_ENCODE_H
#define PLANES_ENCODE_H

/// Takes the masks of a chunk of `groups` groups from its values; writes its fractions and planes.
PLANES_TARGET static inline void rank_chunk(const cdr_planes_table *table, const uint8_t *values, size_t count,
                                            size_t first, size_t groups, planes_chunk *chunk, uint8_t *target) {
    size_t base_count = table->base_count, step = PLANES_GROUP % base_count;
    size_t base = PLANES_GROUP * first % base_count;
    size_t group_count = (count + PLANES_GROUP - 1) / PLANES_GROUP;
    chunk->exception_count = 0;
    for (size_t i = 0; i < groups; i++) {
        size_t at = PLANES_GROUP * (first + i), rest = count - at;
        if (rest >= PLANES_GROUP) {
            rank_group(table, values + 2 * at, table->bases + base, ~(uint64_t)0, chunk, i, target + at);
        } else {
            uint8_t copy[2 * PLANES_GROUP] = {0}, fractions[PLANES_GROUP];
            memcpy(copy, values + 2 * at, 2 * rest);
            rank_group(table, copy, table->bases + base, ((uint64_t)1 << rest) - 1, chunk, i, fractions);
            memcpy(target + at, fractions, rest);
        }
        base += step;
        if (base >= base_count) base -= base_count;
    }
    for (size_t k = 0; k < table->plane_count; k++)
        memcpy(target + count + 8 * (k * group_count + first), chunk->planes[k], 8 * groups);
}

/// Appends a chunk's bits of a level at bit `at`: for each value of a mask, whether the next mask has it. Returns where
/// they end. What other levels have behind that stays as it is.
PLANES_TARGET static inline size_t append_level(uint8_t *bits, size_t at, const uint64_t *masks, const uint64_t *next,
                                                size_t groups, size_t end) {
    uint64_t behind = planes_load(bits + end / 8) >> end % 8 << end % 8;
    uint8_t *to = bits + at / 8;
    size_t used = at % 8;
    uint64_t word = planes_load(to) & (((uint64_t)1 << used) - 1);
    for (size_t i = 0; i < groups; i++) {
        size_t count = (size_t)__builtin_popcountll(masks[i]);
        uint64_t taken = extract(next[i], masks[i]);
        if (__builtin_expect(count > 56, 0)) {
            // Less than a byte is used, so that there is room for 32 bits and then for as many again.
            word |= (taken & 0xFFFFFFFF) << used;
            planes_store(to, word);
            used += 32;
            to += used / 8;
            word >>= used & ~(size_t)7;
            used %= 8;
            taken >>= 32;
            count -= 32;
        }
        word |= taken << used;
        planes_store(to, word);
        used += count;
        to += used / 8;
        word >>= used & ~(size_t)7;
        used %= 8;
    }
    planes_store(to, word | behind);
    return end;
}

PLANES_TARGET static size_t encode(const cdr_planes_table *table, const uint8_t *values, size_t count,
                                   uint8_t *target) {
    size_t level_count = table->level_count, group_count = count / PLANES_GROUP + (count % PLANES_GROUP != 0);
    size_t fixed = count + 8 * group_count * table->plane_count, counts[PLANES_MOST_LEVELS + 1] = {0};
    if (fixed >= 2 * count) return 0;
    planes_chunk chunk;
    for (size_t first = 0; first < group_count; first += PLANES_CHUNK) {
        size_t groups = group_count - first < PLANES_CHUNK ? group_count - first : PLANES_CHUNK;
        rank_chunk(table, values, count, first, groups, &chunk, target);
        for (size_t j = 0; j <= level_count; j++)
            for (size_t i = 0; i < groups; i++) counts[j] += (size_t)__builtin_popcountll(chunk.masks[j][i]);
    }
    size_t at[PLANES_MOST_LEVELS + 1], bit_count = 0;
    for (size_t j = 0; j < level_count; j++) {
        at[j] = bit_count;
        bit_count += counts[j];
    }
    size_t byte_count = (bit_count + 7) / 8;
    if (byte_count + counts[level_count] >= 2 * count - fixed) return 0;
    uint8_t *bits = target + fixed, *exceptions = bits + byte_count;
    memset(bits, 0, byte_count + 8);
    for (size_t first = 0; first < group_count; first += PLANES_CHUNK) {
        size_t groups = group_count - first < PLANES_CHUNK ? group_count - first : PLANES_CHUNK;
        // A chunk that is the whole unit is still there.
        if (group_count > PLANES_CHUNK) rank_chunk(table, values, count, first, groups, &chunk, target);
        for (size_t j = 0; j < level_count; j++) {
            size_t end = at[j];
            for (size_t i = 0; i < groups; i++) end += (size_t)__builtin_popcountll(chunk.masks[j][i]);
            at[j] = append_level(bits, at[j], chunk.masks[j], chunk.masks[j + 1], groups, end);
        }
        memcpy(exceptions, chunk.exceptions, chunk.exception_count);
        exceptions += chunk.exception_count;
    }
    return (size_t)(exceptions - target);
}

#endif

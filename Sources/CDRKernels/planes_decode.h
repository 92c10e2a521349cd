// The decoder of exponent planes. The file that takes it in defines before:
// - PLANES_TARGET: the attributes of its functions;
// - deposit(bits, mask): PDEP;
// - emit(unit, work, first, count, target, width): writes the `count` values of a chunk that begins with group `first`,
//   of `width` bytes each (planes_emit.h has one that goes group by group). It must not take more exceptions than the
//   chunk has, even if the unit has changed: from the unit itself it may not find out which values are items.
#ifndef PLANES_DECODE_H
#define PLANES_DECODE_H

/// Finds the items of a chunk, from the planes.
PLANES_INLINE void find_items(const planes_unit *unit, planes_work *work, size_t first, size_t groups) {
    const uint8_t *plane0 = unit->planes + 8 * first, *plane1 = plane0 + 8 * unit->group_count;
    const uint8_t *plane2 = unit->table->plane_count == 3 ? plane1 + 8 * unit->group_count : plane1;
    size_t item = 0;
    PLANES_UNROLL
    for (size_t i = 0; i < groups; i++) {
        uint64_t mask = planes_load(plane0 + 8 * i) & planes_load(plane1 + 8 * i) & planes_load(plane2 + 8 * i);
        work->groups[i] = mask;
        work->first_items[i] = item;
        item += (size_t)__builtin_popcountll(mask);
    }
    work->item_count = item;
}

/// The first mask is the first level's bits, which begin at `at`; the next level's begin at `start`. Returns where they
/// end. `is_wide` becomes whether some word of items has more than 57 bits there.
PLANES_INLINE size_t take_level(const planes_unit *unit, planes_work *work, size_t at, size_t start, int *is_wide) {
    size_t wide = 0;
    for (size_t item = 0; item < work->item_count; item += 64, at += 64) {
        const uint8_t *from = unit->bits + at / 8;
        uint64_t mask = planes_load(from) >> at % 8 | (uint64_t)from[8] << 1 << (63 - at % 8);
        if (work->item_count - item < 64) mask &= ((uint64_t)1 << (work->item_count - item)) - 1;
        work->masks[1][item / 64] = mask;
        work->starts[item / 64] = start;
        size_t count = (size_t)__builtin_popcountll(mask);
        start += count;
        wide |= count + 6;
    }
    *is_wide = (wide & 64) != 0;
    return start;
}

/// The mask after mask `j`, from the level's bits. A word's bits there begin at its entry of `starts`, and in the next
/// level from `start` on; returns where they end. A load has at least 57 of a word's bits; of more, the rest is in the
/// byte behind. Whether a word has more is known from the first level: there is none with more bits.
PLANES_INLINE size_t spread_level(const planes_unit *unit, planes_work *work, size_t j, size_t start, int is_wide) {
    size_t words = (work->item_count + 63) / 64;
    PLANES_UNROLL
    for (size_t i = 0; i < words; i++) {
        size_t at = work->starts[i];
        const uint8_t *from = unit->bits + at / 8;
        uint64_t bits = planes_load(from) >> at % 8;
        if (is_wide) bits |= (uint64_t)from[8] << 1 << (63 - at % 8);
        uint64_t mask = deposit(bits, work->masks[j][i]);
        work->masks[j + 1][i] = mask;
        work->starts[i] = start;
        start += (size_t)__builtin_popcountll(mask);
    }
    return start;
}

/// The items of a chunk, and their masks. If the chunk is the whole unit, a level begins where the one before ends;
/// else cdr_planes_scan has found it. No bit is read from behind a level's limit, even if the unit has changed since.
/// Returns 0, or 1 if the unit is corrupt.
PLANES_INLINE int read_levels(planes_unit *unit, planes_work *work, size_t first, size_t groups, int is_whole) {
    size_t level_count = unit->table->level_count;
    find_items(unit, work, first, groups);
    size_t end = unit->at[0] + work->item_count;
    int is_wide = 0;
    for (size_t j = 0; j < level_count; j++) {
        if (end > unit->limit[j]) return 1;
        if (is_whole) unit->at[j + 1] = end;
        size_t next = j == 0    ? take_level(unit, work, unit->at[0], unit->at[1], &is_wide)
                      : is_wide ? spread_level(unit, work, j, unit->at[j + 1], 1)
                                : spread_level(unit, work, j, unit->at[j + 1], 0);
        unit->at[j] = end;
        end = next;
    }
    work->exception_count = end - unit->at[level_count];
    if (is_whole) {
        if (planes_close(unit, unit->at[level_count], work->exception_count)) return 1;
        work->exceptions = unit->exceptions;
    } else {
        if (end > unit->limit[level_count]) return 1;
        work->exceptions = unit->exceptions + unit->at[level_count];
        unit->at[level_count] = end;
    }
    return 0;
}

/// Asks for all of a unit of one chunk at once, beginning with what is needed first. Without that, what isn't in the
/// cache is waited for again and again: planes, levels, fractions and target are apart.
PLANES_INLINE void fetch_unit(const uint8_t *stored, size_t stored_count, const uint8_t *target, size_t count,
                              size_t width) {
    for (size_t at = count; at < stored_count; at += 64) __builtin_prefetch(stored + at);
    for (size_t at = 0; at < count; at += 64) __builtin_prefetch(stored + at);
    for (size_t at = 0; at < count * width; at += 64) __builtin_prefetch(target + at, 1);
}

/// - width: bytes of a value, 2 for bfloat16 and 4 for float32.
PLANES_INLINE int decode_unit(const cdr_planes_table *table, const uint8_t *stored, size_t stored_count,
                              uint8_t *target, size_t count, size_t width) {
    planes_unit unit;
    planes_work work;
    if (count <= PLANES_GROUP * PLANES_CHUNK) fetch_unit(stored, stored_count, target, count, width);
    if (cdr_planes_open(&unit, table, stored, stored_count, count)) return 1;
    if (unit.group_count <= PLANES_CHUNK) {
        if (read_levels(&unit, &work, 0, unit.group_count, 1)) return 1;
        emit(&unit, &work, 0, count, target, width);
        return 0;
    }
    if (cdr_planes_scan(&unit)) return 1;
    for (size_t first = 0; first < unit.group_count; first += PLANES_CHUNK) {
        size_t groups = unit.group_count - first < PLANES_CHUNK ? unit.group_count - first : PLANES_CHUNK;
        size_t start = PLANES_GROUP * first;
        size_t values = count - start < PLANES_GROUP * groups ? count - start : PLANES_GROUP * groups;
        if (read_levels(&unit, &work, first, groups, 0)) return 1;
        unit.base_index = start % table->base_count;
        emit(&unit, &work, first, values, target + width * start, width);
    }
    return 0;
}

PLANES_TARGET static int decode_bf16(const cdr_planes_table *table, const uint8_t *stored, size_t stored_count,
                                     uint8_t *target, size_t count) {
    return decode_unit(table, stored, stored_count, target, count, 2);
}

PLANES_TARGET static int decode_f32(const cdr_planes_table *table, const uint8_t *stored, size_t stored_count,
                                    uint8_t *target, size_t count) {
    return decode_unit(table, stored, stored_count, target, count, 4);
}

#endif

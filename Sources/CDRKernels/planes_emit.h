// Values from masks, group by group: for levels that can't expand bytes by a mask. The file that takes it in defines
// before, beside PLANES_TARGET:
// - emit_group(ranks, offsets, bases, fractions, target, width): 64 values from the four bit planes of their ranks.
#ifndef PLANES_EMIT_H
#define PLANES_EMIT_H

/// The bits of the ranks of group `i`. Rank r >= Q = 3 is Q and the number of masks 1 … that have the value, so bit 0
/// changes with every mask, bit 1 with every second, bit 2 with every fourth; from 4 on, since that is where 3 is left.
PLANES_TARGET static inline void join_ranks(const planes_unit *unit, const planes_work *work, size_t first, size_t i,
                                            uint64_t ranks[4]) {
    size_t stride = 8 * unit->group_count, level_count = unit->table->level_count;
    const uint8_t *plane = unit->planes + 8 * (first + i);
    ranks[0] = planes_load(plane);
    ranks[1] = planes_load(plane + stride);
    ranks[2] = unit->table->plane_count == 3 ? planes_load(plane + 2 * stride) : 0;
    ranks[3] = 0;
    for (size_t j = 1; j <= level_count; j++) {
        uint64_t mask = work->masks[j][i];
        ranks[0] ^= mask;
        if (j % 2 == 1) ranks[1] ^= mask;
        if (j % 4 == 1) ranks[2] ^= mask;
        if (j == 5) ranks[3] ^= mask;
    }
}

/// Gives the values of a mask their exponents.
static inline void patch_exceptions(uint64_t mask, const uint8_t *exceptions, const uint8_t *fractions, uint8_t *target,
                                    size_t width) {
    for (; mask; mask &= mask - 1) {
        size_t i = (size_t)__builtin_ctzll(mask);
        uint32_t value = planes_value(*exceptions++, fractions[i]);
        if (width == 4) value <<= 16;
        memcpy(target + width * i, &value, width);
    }
}

PLANES_TARGET static inline __attribute__((always_inline)) void emit(
    const planes_unit *unit, const planes_work *work, size_t first, size_t count, uint8_t *target, size_t width) {
    const cdr_planes_table *table = unit->table;
    const uint8_t *fractions = unit->fractions + PLANES_GROUP * first, *exceptions = work->exceptions;
    size_t base = unit->base_index, step = PLANES_GROUP % table->base_count;
    for (size_t i = 0; PLANES_GROUP * i < count; i++) {
        uint8_t spill[PLANES_GROUP * 4];
        size_t rest = count - PLANES_GROUP * i;
        uint8_t *group = rest < PLANES_GROUP ? spill : target + PLANES_GROUP * i * width;
        uint64_t ranks[4], mask = work->masks[table->level_count][i];
        join_ranks(unit, work, first, i, ranks);
        emit_group(ranks, table->offsets, table->bases + base, fractions + PLANES_GROUP * i, group, width);
        patch_exceptions(mask, exceptions, fractions + PLANES_GROUP * i, group, width);
        exceptions += __builtin_popcountll(mask);
        if (rest < PLANES_GROUP) memcpy(target + PLANES_GROUP * i * width, spill, rest * width);
        base += step;
        if (base >= table->base_count) base -= table->base_count;
    }
}

#endif

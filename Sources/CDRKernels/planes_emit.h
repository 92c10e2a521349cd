// Values from items, group by group: for levels that can't expand bytes by a mask. The file that takes it in defines
// before, beside PLANES_TARGET and PLANES_INLINE:
// - rank_items(work): what find_exponents needs of the items of a chunk, from their rank planes;
// - find_exponents(work, i, planes, table, bases, exponents): the exponents of group `i` but for exceptions, from the
//   unit's planes and the items; returns which values are exceptions (only asked for if the chunk has any);
// - store_group(exponents, fractions, target, width): 64 values.
#ifndef PLANES_EMIT_H
#define PLANES_EMIT_H

/// The bits of the items' ranks. A rank is 3 = Q and the number of masks that have the item, so bit 0 changes with
/// every mask, bit 1 with every second, bit 2 with every fourth: from 4 on, which the first mask makes.
PLANES_INLINE void join_ranks(planes_work *work, size_t level_count) {
    for (size_t i = 0; 64 * i < work->item_count; i++) {
        uint64_t rank0 = ~(uint64_t)0, rank1 = rank0, rank2 = 0;
        for (size_t j = 1; j <= level_count; j++) {
            uint64_t mask = work->masks[j][i];
            rank0 ^= mask;
            rank1 ^= j % 2 == 1 ? mask : 0;
            rank2 ^= j % 4 == 1 ? mask : 0;
        }
        work->rank_planes[0][i] = rank0;
        work->rank_planes[1][i] = rank1;
        work->rank_planes[2][i] = rank2;
        work->rank_planes[3][i] = level_count >= 5 ? work->masks[5][i] : 0;
    }
}

PLANES_INLINE void emit(const planes_unit *unit, planes_work *work, size_t first, size_t count, uint8_t *target,
                        size_t width) {
    const cdr_planes_table *table = unit->table;
    const uint8_t *fractions = unit->fractions + PLANES_GROUP * first, *exceptions = work->exceptions;
    size_t base = unit->base_index, step = PLANES_GROUP % table->base_count, stride = 8 * unit->group_count;
    if (table->level_count) {
        join_ranks(work, table->level_count);
        rank_items(work);
    }
    for (size_t i = 0; PLANES_GROUP * i < count; i++) {
        const uint8_t *words = unit->planes + 8 * (first + i);
        uint64_t planes[3] = {planes_load(words), planes_load(words + stride), 0};
        if (table->plane_count == 3) planes[2] = planes_load(words + 2 * stride);
        uint8_t exponents[PLANES_GROUP], spill[PLANES_GROUP * 4];
        uint64_t mask = find_exponents(work, i, planes, table, table->bases + base, exponents);
        if (work->exception_count)
            for (; mask; mask &= mask - 1) exponents[__builtin_ctzll(mask)] = *exceptions++;
        size_t at = PLANES_GROUP * i, rest = count - at;
        store_group(exponents, fractions + at, rest < PLANES_GROUP ? spill : target + width * at, width);
        if (rest < PLANES_GROUP) memcpy(target + width * at, spill, width * rest);
        base += step;
        if (base >= table->base_count) base -= table->base_count;
    }
}

#endif

// Exponent planes: tables, what a unit's levels must be, and which level of the kernels runs.
#include "planes.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words of planes are read as they are stored");

int cdr_planes_prepare(cdr_planes_table *table, uint8_t *bases, const void *payload, size_t byte_count,
                       size_t cell_values) {
    const uint8_t *bytes = payload;
    if (byte_count < CDR_PLANES_TABLE_HEAD + 1) return 1;
    uint32_t plane_count = bytes[0], level_count = bytes[1], base_count;
    memcpy(&base_count, bytes + 4, 4);
    if (plane_count != 2 && plane_count != 3) return 1;
    if (level_count > (plane_count == 2 ? PLANES_MOST_LEVELS : 0) || bytes[2] || bytes[3]) return 1;
    if (base_count != 1 && base_count != cell_values) return 1;
    if (byte_count - CDR_PLANES_TABLE_HEAD != base_count) return 1;
    uint32_t rank_count = (1u << plane_count) - 1 + level_count;
    for (size_t r = rank_count; r < 16; r++)
        if (bytes[8 + r]) return 1;

    table->plane_count = plane_count;
    table->level_count = level_count;
    table->base_count = base_count;
    memcpy(table->offsets, bytes + 8, 16);
    memset(table->ranks, (int)rank_count, sizeof table->ranks);
    for (size_t r = rank_count; r-- > 0;) table->ranks[table->offsets[r]] = (uint8_t)r;
    memcpy(bases, bytes + CDR_PLANES_TABLE_HEAD, base_count);
    for (size_t i = 0; i < CDR_PLANES_SLACK; i++) bases[base_count + i] = bases[i];
    table->bases = bases;
    return 0;
}

int cdr_planes_open(planes_unit *unit, const cdr_planes_table *table, const uint8_t *stored, size_t stored_count,
                    size_t count) {
    if (count > stored_count) return 1;
    size_t group_count = count / PLANES_GROUP + (count % PLANES_GROUP != 0);
    size_t plane_bytes = 8 * group_count * table->plane_count;
    if (plane_bytes > stored_count - count) return 1;
    unit->table = table;
    unit->fractions = stored;
    unit->planes = stored + count;
    unit->bits = unit->planes + plane_bytes;
    unit->exceptions = unit->bits;
    unit->count = count;
    unit->group_count = group_count;
    unit->tail_count = stored_count - count - plane_bytes;
    unit->base_index = 0;
    unit->at[0] = 0;
    for (size_t j = 0; j <= table->level_count; j++) unit->limit[j] = 8 * unit->tail_count;
    if (count % PLANES_GROUP)
        for (size_t k = 1; k <= table->plane_count; k++)
            if (planes_load(unit->planes + 8 * (k * group_count - 1)) >> count % PLANES_GROUP) return 1;
    return 0;
}

/// How many of the bits [from, to) are set.
static size_t set_bits(const uint8_t *bits, size_t from, size_t to) {
    size_t total = 0;
    while (from < to) {
        uint64_t word = planes_load(bits + from / 8) >> from % 8;
        size_t taken = 64 - from % 8 < to - from ? 64 - from % 8 : to - from;
        if (taken < 64) word &= ((uint64_t)1 << taken) - 1;
        total += (size_t)__builtin_popcountll(word);
        from += taken;
    }
    return total;
}

int cdr_planes_scan(planes_unit *unit) {
    size_t plane_count = unit->table->plane_count, level_count = unit->table->level_count;
    size_t total = 0, at = 0;
    for (size_t i = 0; i < unit->group_count; i++) {
        uint64_t mask = ~(uint64_t)0;
        for (size_t k = 0; k < plane_count; k++) mask &= planes_load(unit->planes + 8 * (k * unit->group_count + i));
        total += (size_t)__builtin_popcountll(mask);
    }
    for (size_t j = 0; j < level_count; j++) {
        if (total > unit->limit[j] - at) return 1;
        unit->at[j] = at;
        unit->limit[j] = at + total;
        total = set_bits(unit->bits, at, at + total);
        at = unit->limit[j];
    }
    unit->at[level_count] = 0;
    unit->limit[level_count] = total;
    return planes_close(unit, at, total);
}

#if defined(__x86_64__)
_Atomic int cdr_planes_deposit_is_slow;

enum { ASKED = 1, HAS_AVX2 = 2, HAS_AVX512 = 4 };

static int ask(void) {
    int found = ASKED;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("popcnt"))
        found |= HAS_AVX2;
    if (found & HAS_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("gfni"))
        found |= HAS_AVX512;
    int is_slow = __builtin_cpu_is("znver1") || __builtin_cpu_is("znver2");
    atomic_store_explicit(&cdr_planes_deposit_is_slow, is_slow, memory_order_relaxed);
    return found;
}

/// 0 until the first call. Threads that ask at once find the same.
static _Atomic int features;

static inline int machine(void) {
    int found = atomic_load_explicit(&features, memory_order_relaxed);
    if (__builtin_expect(!found, 0)) {
        found = ask();
        atomic_store_explicit(&features, found, memory_order_relaxed);
    }
    return found;
}

#endif

/// The kernels of the level that is chosen; of the next lower one, where this machine lacks an instruction that the
/// level has in other kernels no use for.
static const planes_kernels *kernels(void) {
    switch (cdr_level_current()) {
#if defined(__x86_64__)
    case CDR_LEVEL_AVX512:
        if (machine() & HAS_AVX512) return &cdr_planes_avx512;
        // falls through
    case CDR_LEVEL_AVX2: return machine() & HAS_AVX2 ? &cdr_planes_avx2 : &cdr_planes_plain;
#elif defined(__aarch64__)
    case CDR_LEVEL_NEON: return &cdr_planes_neon;
#endif
    default: return &cdr_planes_plain;
    }
}

int cdr_planes_decode(const cdr_planes_table *table, const void *stored, size_t stored_byte_count, void *target,
                      size_t count) {
    return kernels()->decode(table, stored, stored_byte_count, target, count);
}

int cdr_planes_decode_f32(const cdr_planes_table *table, const void *stored, size_t stored_byte_count, void *target,
                          size_t count) {
    return kernels()->decode_f32(table, stored, stored_byte_count, target, count);
}

size_t cdr_planes_encode(const cdr_planes_table *table, const void *values, size_t count, void *target) {
    return kernels()->encode(table, values, count, target);
}

// The choice of an exponent table from a sample: whole numbers alone, so that it is the same everywhere.
#include "planes.h"

/// A level is left out unless it and those behind it save more than a 667th, 0.15 %: each costs a pass over all groups.
#define WORTH 667

/// Offsets with their counts, the most frequent first.
typedef struct {
    uint8_t offsets[15];
    uint64_t counts[15], total;
} ranking;

void cdr_planes_count(const void *values, size_t count, size_t cell_values, uint32_t *histogram) {
    const uint8_t *bytes = values;
    size_t place = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t value;
        memcpy(&value, bytes + 2 * i, 2);
        histogram[256 * place + planes_exponent(value)]++;
        if (++place == cell_values) place = 0;
    }
}

/// - bases: of each place; null for 0.
static ranking rank_offsets(const uint32_t *histogram, size_t cell_values, const uint8_t *bases) {
    uint64_t counts[256] = {0};
    ranking result = {.total = 0};
    for (size_t d = 0; d < cell_values; d++)
        for (size_t e = 0; e < 256; e++) counts[(uint8_t)(e - (bases ? bases[d] : 0))] += histogram[256 * d + e];
    for (size_t e = 0; e < 256; e++) result.total += counts[e];
    uint8_t taken[256] = {0};
    for (size_t r = 0; r < 15; r++) {
        size_t best = 256;
        for (size_t e = 0; e < 256; e++)
            if (!taken[e] && (best == 256 || counts[e] > counts[best])) best = e;
        taken[best] = 1;
        result.offsets[r] = (uint8_t)best;
        result.counts[r] = counts[best];
    }
    return result;
}

/// Bits of a value of rank `r` beyond fraction and planes.
static uint64_t rank_bits(size_t r, uint32_t plane_count, uint32_t level_count) {
    size_t most = ((size_t)1 << plane_count) - 1;
    if (r < most) return 0;
    return r < most + level_count ? r - most + 1 : level_count + 8;
}

/// Bits of the sample.
static uint64_t sample_bits(const ranking *ranked, uint32_t plane_count, uint32_t level_count) {
    uint64_t bits = 0, rest = ranked->total;
    size_t rank_count = ((size_t)1 << plane_count) - 1 + level_count;
    for (size_t r = 0; r < rank_count; r++) {
        bits += ranked->counts[r] * (8 + plane_count + rank_bits(r, plane_count, level_count));
        rest -= ranked->counts[r];
    }
    return bits + rest * (8 + plane_count + rank_bits(rank_count, plane_count, level_count));
}

static uint32_t choose_levels(const ranking *ranked, uint32_t plane_count) {
    uint64_t least = sample_bits(ranked, plane_count, 0);
    if (plane_count == 3) return 0;
    for (uint32_t levels = 1; levels <= PLANES_MOST_LEVELS; levels++) {
        uint64_t bits = sample_bits(ranked, plane_count, levels);
        if (bits < least) least = bits;
    }
    uint32_t levels = 0;
    while (sample_bits(ranked, plane_count, levels) > least + least / WORTH) levels++;
    return levels;
}

/// Moves each base to where its place's exponents cost the least with the offsets as they are now. Returns whether any
/// moved.
static int move_bases(const uint32_t *histogram, size_t cell_values, const ranking *ranked, uint32_t plane_count,
                      uint8_t *bases) {
    uint32_t level_count = plane_count == 3 ? 0 : PLANES_MOST_LEVELS;
    size_t rank_count = ((size_t)1 << plane_count) - 1 + level_count;
    uint64_t costs[256];
    for (size_t o = 0; o < 256; o++) costs[o] = rank_bits(rank_count, plane_count, level_count);
    for (size_t r = rank_count; r-- > 0;) costs[ranked->offsets[r]] = rank_bits(r, plane_count, level_count);
    int moved = 0;
    for (size_t d = 0; d < cell_values; d++) {
        const uint32_t *counts = histogram + 256 * d;
        uint64_t least = UINT64_MAX;
        uint8_t best = bases[d];
        // The base as it is comes first, and stays among equals.
        for (unsigned step = 0; step < 9; step++) {
            uint8_t base = (uint8_t)(step % 2 ? bases[d] + (step + 1) / 2 : bases[d] - step / 2);
            uint64_t cost = 0;
            for (size_t e = 0; e < 256; e++) cost += counts[e] * costs[(uint8_t)(e - base)];
            if (cost < least) {
                least = cost;
                best = base;
            }
        }
        moved |= best != bases[d];
        bases[d] = best;
    }
    return moved;
}

/// Bases for each place, from the most frequent exponents on; and the offsets to them.
static ranking fit_bases(const uint32_t *histogram, size_t cell_values, uint32_t plane_count, uint8_t *bases) {
    for (size_t d = 0; d < cell_values; d++) {
        size_t best = 0;
        for (size_t e = 1; e < 256; e++)
            if (histogram[256 * d + e] > histogram[256 * d + best]) best = e;
        bases[d] = (uint8_t)best;
    }
    ranking ranked = rank_offsets(histogram, cell_values, bases);
    for (int round = 0; round < 8 && move_bases(histogram, cell_values, &ranked, plane_count, bases); round++)
        ranked = rank_offsets(histogram, cell_values, bases);
    return ranked;
}

size_t cdr_planes_choose(uint32_t plane_count, const uint32_t *histogram, size_t cell_values, uint8_t *payload) {
    uint8_t *bases = payload + CDR_PLANES_TABLE_HEAD;
    ranking ranked = rank_offsets(histogram, cell_values, NULL);
    uint32_t level_count = choose_levels(&ranked, plane_count), base_count = 1;
    if (cell_values > 1) {
        ranking fitted = fit_bases(histogram, cell_values, plane_count, bases);
        uint32_t fitted_levels = choose_levels(&fitted, plane_count);
        uint64_t bits = sample_bits(&fitted, plane_count, fitted_levels) + 16 * (uint64_t)(cell_values - 1);
        if (bits < sample_bits(&ranked, plane_count, level_count)) {
            ranked = fitted;
            level_count = fitted_levels;
            base_count = (uint32_t)cell_values;
        }
    }
    memset(payload, 0, CDR_PLANES_TABLE_HEAD);
    payload[0] = (uint8_t)plane_count;
    payload[1] = (uint8_t)level_count;
    memcpy(payload + 4, &base_count, 4);
    memcpy(payload + 8, ranked.offsets, ((size_t)1 << plane_count) - 1 + level_count);
    if (base_count == 1) bases[0] = 0;
    return CDR_PLANES_TABLE_HEAD + base_count;
}

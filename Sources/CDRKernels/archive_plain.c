// The kernels of the encoding "archive" in C alone: the reference of the others, and what arm64 runs. (A NEON level
// would have to look entries up one by one, as this does.)
#include "archive_arithmetic.h"

void archive_measure_plain(const archive_cell *cell, const uint8_t *values, archive_moments *moments) {
    archive_measure(cell, values, moments);
}

void archive_classify_plain(const archive_cell *cell, const uint8_t *values, uint16_t *symbols) {
    archive_classify(cell, values, symbols);
}

static uint32_t word_at(const uint8_t *words) {
    uint16_t word;
    memcpy(&word, words, 2);
    return word;
}

/// The raw bits of 8 values. Reads 8 bytes.
static void take_raw(const uint8_t *raw, uint32_t *bits) {
    uint64_t block;
    memcpy(&block, raw, 8);
    for (size_t j = 0; j < 8; j++) bits[j] = (uint32_t)(block >> RAW_BITS * j) & 31;
}

/// The entry of a value, whose lane goes on to the next. Whether it takes a word can't be foreseen: there is no branch.
/// A word past the end is read from the slack, and found out when the group is done.
static uint32_t next_entry(uint32_t *state, const uint32_t *slots, const uint8_t **words) {
    uint32_t entry = slots[*state & (FREQUENCY_SUM - 1)];
    uint32_t frequency = entry >> ENTRY_FREQUENCY & (FREQUENCY_SUM - 1);
    uint32_t next = frequency * (*state >> FREQUENCY_BITS) + (entry & (FREQUENCY_SUM - 1));
    uint32_t refilled = next << 16 | word_at(*words);
    *words += 2 * (next < STATE_MINIMUM);
    *state = next < STATE_MINIMUM ? refilled : next;
    return entry;
}

/// What is known of a group before its symbols are decoded, and then of its values.
typedef struct {
    int32_t predictions[GROUP];
    uint32_t contexts[GROUP], bases[GROUP], entries[GROUP], uppers[GROUP], raws[GROUP];
} group;

/// Loops over whole groups, padding included, are left to the compiler to make vectors of.
static void forecast(group *restrict g, const archive_cell *cell, size_t first) {
    const cdr_archive_model *model = cell->model;
    for (size_t j = 0; j < GROUP; j++) {
        size_t i = first + j;
        int32_t scale = archive_scale(cell, i);
        g->predictions[j] = model->means[i] + archive_weighed(cell->sums[i], cell->factor);
        g->contexts[j] = archive_context(g->predictions[j], scale);
        g->bases[j] = archive_exponent_base(model->units[i], scale);
    }
}

/// The upper 11 bits of values, as their entries say. Returns whether there are escapes.
static int find_uppers(group *restrict g) {
    uint32_t escapes = 0;
    for (size_t j = 0; j < GROUP; j++) {
        uint32_t exponent = (g->bases[j] + (g->entries[j] >> 24 & 15)) & 255;
        uint32_t sign = g->entries[j] >> 31 ^ (uint32_t)g->predictions[j] >> 31;
        g->uppers[j] = sign << 10 | exponent << 2 | (g->entries[j] >> 22 & 3);
        escapes |= (g->entries[j] & ENTRY_EXPONENT) == 0;
    }
    return escapes != 0;
}

/// Replaces escapes. Returns null if one isn't in the words or has bits that no value has.
static const uint8_t *take_escapes(group *g, size_t count, const uint8_t *words, const uint8_t *end) {
    for (size_t j = 0; j < count; j++) {
        if (g->entries[j] & ENTRY_EXPONENT) continue;
        if (end - words < 2 || word_at(words) >> (16 - RAW_BITS)) return NULL;
        g->uppers[j] = word_at(words);
        words += 2;
    }
    return words;
}

/// Writes the values, and adds them to the sums.
static void finish(group *restrict g, const archive_cell *cell, size_t first, size_t count, const uint8_t *raw,
                   uint8_t *values) {
    const float *units = cell->model->units + first;
    const int16_t *means = cell->model->means + first;
    int32_t *restrict sums = cell->sums + first;
    uint16_t found[GROUP];
    take_raw(raw, g->raws);
    take_raw(raw + RAW_BITS, g->raws + 8);
    for (size_t j = 0; j < GROUP; j++) {
        uint32_t value = g->uppers[j] << RAW_BITS | g->raws[j];
        found[j] = (uint16_t)value;
        sums[j] = archive_add(sums[j], archive_difference(value, units[j], means[j]));
    }
    memcpy(values, found, 2 * count);
}

const uint8_t *archive_decode_plain(const archive_cell *cell, uint32_t *states, const uint8_t *raw,
                                    const uint8_t *words, const uint8_t *end, uint8_t *values) {
    const cdr_archive_model *model = cell->model;
    group g = {0};
    for (size_t first = 0; first < model->dims; first += GROUP) {
        size_t count = model->dims - first < GROUP ? model->dims - first : GROUP;
        uint32_t *lanes = states + first % model->lane_count;
        forecast(&g, cell, first);
        for (size_t j = 0; j < count; j++) {
            const uint32_t *slots = model->decoding + (g.contexts[j] << FREQUENCY_BITS);
            g.entries[j] = next_entry(&lanes[j], slots, &words);
        }
        if (words > end) return NULL;
        if (find_uppers(&g)) words = take_escapes(&g, count, words, end);
        if (!words) return NULL;
        finish(&g, cell, first, count, raw + first / 8 * RAW_BITS, values + 2 * first);
    }
    return words;
}

/// Puts a word in front of the others if `is_one`. Writes there in any case.
static uint8_t *put_word(uint8_t *words, uint32_t word, int is_one) {
    uint16_t low = (uint16_t)word;
    memcpy(words - 2, &low, 2);
    return words - 2 * is_one;
}

uint8_t *archive_encode_plain(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols,
                              const uint8_t *values, uint8_t *words) {
    for (size_t first = model->padded; first > 0;) {
        first -= GROUP;
        uint32_t entries[GROUP], escapes = 0;
        size_t count = model->dims - first < GROUP ? model->dims - first : GROUP;
        uint32_t *lanes = states + first % model->lane_count;
        for (size_t j = 0; j < count; j++) {
            entries[j] = model->encoding[symbols[first + j]];
            escapes |= entries[j] & ENTRY_ESCAPE;
        }
        for (size_t j = escapes ? count : 0; j-- > 0;)
            words = put_word(words, archive_value(values, first + j) >> RAW_BITS, (entries[j] & ENTRY_ESCAPE) != 0);
        for (size_t j = count; j-- > 0;) {
            uint32_t frequency = entries[j] & (FREQUENCY_SUM - 1), state = lanes[j];
            int is_large = state >= frequency << (32 - FREQUENCY_BITS);
            words = put_word(words, state, is_large);
            state >>= 16 * is_large;
            lanes[j] = (state / frequency << FREQUENCY_BITS) + state % frequency + (entries[j] >> 16);
        }
    }
    return words;
}

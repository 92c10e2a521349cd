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

static uint32_t raw_at(const uint8_t *raw, size_t i) {
    size_t bit = i * RAW_BITS;
    return (raw[bit / 8] | (uint32_t)raw[bit / 8 + 1] << 8) >> bit % 8 & 31;
}

/// The entry of a value, whose lane goes on to the next. Null if there is no word left for it.
static const uint8_t *next_entry(uint32_t *state, const uint32_t *decoding, const uint8_t *words, const uint8_t *end,
                                 uint32_t *entry) {
    *entry = decoding[*state & (FREQUENCY_SUM - 1)];
    uint32_t frequency = *entry >> ENTRY_FREQUENCY & (FREQUENCY_SUM - 1);
    *state = frequency * (*state >> FREQUENCY_BITS) + (*entry & (FREQUENCY_SUM - 1));
    if (*state >= STATE_MINIMUM) return words;
    if (end - words < 2) return NULL;
    *state = *state << 16 | word_at(words);
    return words + 2;
}

/// What is known of a group before its symbols are decoded, and then of its values.
typedef struct {
    int32_t predictions[GROUP];
    uint32_t contexts[GROUP], bases[GROUP], entries[GROUP], uppers[GROUP];
} group;

/// Loops over whole groups, padding included, are left to the compiler to make vectors of.
static void forecast(group *g, const archive_cell *cell, size_t first) {
    const cdr_archive_model *model = cell->model;
    for (size_t j = 0; j < GROUP; j++) {
        size_t i = first + j;
        int32_t scale = archive_scale(cell, i);
        g->predictions[j] = model->means[i] + archive_weighed(cell->sums[i], cell->factor);
        g->contexts[j] = archive_context(g->predictions[j], scale);
        g->bases[j] = archive_exponent_base(model->units[i], scale);
    }
}

/// The upper 11 bits of values, as their entries say.
static void find_uppers(group *g) {
    for (size_t j = 0; j < GROUP; j++) {
        uint32_t exponent = (g->bases[j] + (g->entries[j] >> 24 & 15)) & 255;
        uint32_t sign = g->entries[j] >> 31 ^ (uint32_t)g->predictions[j] >> 31;
        g->uppers[j] = sign << 10 | exponent << 2 | (g->entries[j] >> 22 & 3);
    }
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

const uint8_t *archive_decode_plain(const archive_cell *cell, uint32_t *states, const uint8_t *raw,
                                    const uint8_t *words, const uint8_t *end, uint8_t *values) {
    const cdr_archive_model *model = cell->model;
    for (size_t first = 0; first < model->dims; first += GROUP) {
        group g = {0};
        size_t count = model->dims - first < GROUP ? model->dims - first : GROUP;
        uint32_t *lanes = states + first % model->lane_count;
        forecast(&g, cell, first);
        for (size_t j = 0; j < count; j++) {
            const uint32_t *slots = model->decoding + (g.contexts[j] << FREQUENCY_BITS);
            words = next_entry(&lanes[j], slots, words, end, &g.entries[j]);
            if (!words) return NULL;
        }
        find_uppers(&g);
        words = take_escapes(&g, count, words, end);
        if (!words) return NULL;
        for (size_t j = 0; j < count; j++) {
            size_t i = first + j;
            uint16_t value = (uint16_t)(g.uppers[j] << RAW_BITS | raw_at(raw, i));
            memcpy(values + 2 * i, &value, 2);
            int32_t difference = archive_difference(value, model->units[i], model->means[i]);
            cell->sums[i] = archive_add(cell->sums[i], difference);
        }
    }
    return words;
}

static uint8_t *put_word(uint8_t *words, uint32_t word) {
    uint16_t low = (uint16_t)word;
    memcpy(words - 2, &low, 2);
    return words - 2;
}

uint8_t *archive_encode_plain(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols,
                              const uint8_t *values, uint8_t *words) {
    for (size_t first = model->padded; first > 0;) {
        first -= GROUP;
        size_t count = model->dims - first < GROUP ? model->dims - first : GROUP;
        uint32_t *lanes = states + first % model->lane_count;
        for (size_t j = count; j-- > 0;)
            if (model->encoding[symbols[first + j]] & ENTRY_ESCAPE)
                words = put_word(words, archive_value(values, first + j) >> RAW_BITS);
        for (size_t j = count; j-- > 0;) {
            uint32_t entry = model->encoding[symbols[first + j]];
            uint32_t frequency = entry & (FREQUENCY_SUM - 1), state = lanes[j];
            if (state >= frequency << (32 - FREQUENCY_BITS)) {
                words = put_word(words, state);
                state >>= 16;
            }
            lanes[j] = (state / frequency << FREQUENCY_BITS) + state % frequency + (entry >> 16);
        }
    }
    return words;
}

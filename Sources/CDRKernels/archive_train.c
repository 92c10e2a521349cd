// Training a model of the encoding "archive" on a sample of rows.
//
// First means and scales of the values are found in float64; then, with the arithmetic of the coder, twice, the scales
// of what the predictions leave, and the symbols in each context. Sums of float64 are taken in the order of the rows,
// without fused operations, so that every machine makes the same model.
#include "archive_arithmetic.h"
#include <math.h>

#pragma STDC FP_CONTRACT OFF

typedef struct {
    const uint8_t *rows;
    size_t row_count, variant_count, dims;
    cdr_archive_model *model;  // without its tables for decoding
    double *sums, *squares;    // of a dimension: of values, then of what the predictions leave in first and later cells
    double counts[2];          // of cells, first and later
    int32_t *cell_sums;
    uint16_t *symbols;
    uint32_t *histogram;       // [context][symbol]
    const archive_table *kernels;
} trainer;

size_t cdr_archive_training_byte_count(size_t dims) {
    size_t padded = archive_padded(dims);
    return cdr_archive_model_byte_count(dims) + 2 * archive_align(padded * sizeof(double)) +
           archive_align(padded * sizeof(int32_t)) + archive_align(padded * sizeof(uint16_t)) +
           (size_t)CONTEXT_COUNT * SYMBOL_COUNT * sizeof(uint32_t);
}

static trainer trainer_in(void *memory, const void *rows, size_t row_count, size_t variant_count, size_t dims) {
    uint8_t *at = memory;
    size_t padded = archive_padded(dims), doubles = archive_align(padded * sizeof(double));
    trainer t = {.rows = rows, .row_count = row_count, .variant_count = variant_count, .dims = dims};
    t.model = archive_lay_out(at, dims);
    t.sums = (double *)(at += cdr_archive_model_byte_count(dims));
    t.squares = (double *)(at += doubles);
    t.cell_sums = (int32_t *)(at += doubles);
    t.symbols = (uint16_t *)(at += archive_align(padded * sizeof(int32_t)));
    t.histogram = (uint32_t *)(at + archive_align(padded * sizeof(uint16_t)));
    t.kernels = archive_kernels();
    return t;
}

static const uint8_t *cell_at(const trainer *t, size_t row, size_t variant) {
    return t->rows + 2 * t->dims * (row * t->variant_count + variant);
}

/// floor(log2(number)) within bounds; the lower one for what has no logarithm.
static int bounded_log2(double number, int lower, int upper) {
    if (!(number > 0)) return lower;
    int exponent;
    frexp(number, &exponent);
    return exponent - 1 < lower ? lower : exponent - 1 > upper ? upper : exponent - 1;
}

// MARK: - Means, units and scales

static double finite_number(uint32_t value) {
    uint32_t bits = (value & 0x7f80) == 0x7f80 ? 0 : value << 16;
    float number;
    memcpy(&number, &bits, 4);
    return number;
}

static void sum_values(trainer *t) {
    for (size_t row = 0; row < t->row_count; row++)
        for (size_t variant = 0; variant < t->variant_count; variant++) {
            const uint8_t *values = cell_at(t, row, variant);
            if (archive_is_zero(values, t->dims)) continue;
            t->counts[0] += 1;
            for (size_t i = 0; i < t->dims; i++) {
                double value = finite_number(archive_value(values, i));
                t->sums[i] += value;
                t->squares[i] += value * value;
            }
        }
}

/// Units in which |mean| + 6 standard deviations are from 2^13 to 2^14: far above a standard deviation's rounding, and
/// far below the end of the fixed-point numbers. Until cells are predicted, what is left of later ones counts as half.
static void choose_units(trainer *t) {
    for (size_t i = 0; i < t->dims; i++) {
        double count = t->counts[0] > 0 ? t->counts[0] : 1;
        double mean = t->sums[i] / count, variance = t->squares[i] / count - mean * mean;
        double deviation = variance > 0 ? sqrt(variance) : 0;
        int unit = 13 - bounded_log2(fabs(mean) + 6 * deviation, 13 - UNIT_MAXIMUM, 13 - UNIT_MINIMUM);
        double fixed = ldexp(mean, unit);
        t->model->units[i] = (float)ldexp(1, unit);
        t->model->means[i] = (int16_t)(fixed > 32767 ? 32767 : fixed < -32767 ? -32767 : fixed);
        int scale = bounded_log2(ldexp(deviation, unit) * ldexp(deviation, unit), 0, SCALE_LIMIT - 1);
        t->model->scales[0][i] = (int16_t)scale;
        t->model->scales[1][i] = (int16_t)(scale > 2 ? scale - 2 : 0);
    }
}

typedef void cell_visitor(trainer *t, const archive_cell *cell, const uint8_t *values, int is_later);

/// Visits the cells of the sample that aren't zero, as the encoder would code them.
static void visit_cells(trainer *t, cell_visitor *visit) {
    for (size_t row = 0; row < t->row_count; row++) {
        size_t before = 0;
        memset(t->cell_sums, 0, t->model->padded * sizeof(int32_t));
        for (size_t variant = 0; variant < t->variant_count; variant++) {
            const uint8_t *values = cell_at(t, row, variant);
            if (archive_is_zero(values, t->dims)) continue;
            uint32_t weight, class;
            archive_choose(t->kernels, t->model, t->cell_sums, before, values, &weight, &class);
            archive_cell cell = archive_cell_of(t->model, t->cell_sums, before, weight, class);
            visit(t, &cell, values, before > 0);
            before++;
        }
    }
}

/// Adds the squares of what the prediction leaves of a cell, as they would be in the class of the model's own scales.
static void measure_cell(trainer *t, const archive_cell *cell, const uint8_t *values, int is_later) {
    double *squares = is_later ? t->squares : t->sums, class_square = ldexp(1, -cell->shift);
    t->counts[is_later] += 1;
    for (size_t i = 0; i < t->dims; i++) {
        int32_t difference = archive_difference(archive_value(values, i), t->model->units[i], t->model->means[i]);
        double left = difference - archive_weighed(cell->sums[i], cell->factor);
        squares[i] += left * left * class_square;
        cell->sums[i] = archive_add(cell->sums[i], difference);
    }
}

static void choose_scales(trainer *t) {
    memset(t->sums, 0, t->dims * sizeof(double));
    memset(t->squares, 0, t->dims * sizeof(double));
    t->counts[0] = t->counts[1] = 0;
    visit_cells(t, measure_cell);
    for (size_t i = 0; i < t->dims; i++)
        for (int is_later = 0; is_later < 2; is_later++) {
            double squares = is_later ? t->squares[i] : t->sums[i];
            if (t->counts[is_later] > 0)
                t->model->scales[is_later][i] =
                    (int16_t)bounded_log2(squares / t->counts[is_later], 0, SCALE_LIMIT - 1);
        }
}

// MARK: - Frequencies

static void count_cell(trainer *t, const archive_cell *cell, const uint8_t *values, int is_later) {
    (void)is_later;
    t->kernels->classify(cell, values, t->symbols);
    for (size_t i = 0; i < t->dims; i++) t->histogram[t->symbols[i]]++;
}

static uint64_t total_of(const uint32_t *counts) {
    uint64_t total = 0;
    for (size_t symbol = 0; symbol < SYMBOL_COUNT; symbol++) total += counts[symbol];
    return total;
}

/// The symbol that can best spare a 2,048th (`change` -1) or most lacks one (1): by what counts * log(frequency) loses.
static size_t symbol_to_change(const uint32_t *counts, const uint16_t *frequencies, int change) {
    size_t best = SYMBOL_COUNT;
    for (size_t symbol = 0; symbol < SYMBOL_COUNT; symbol++) {
        if (!frequencies[symbol] || (change < 0 && frequencies[symbol] == 1)) continue;
        if (best == SYMBOL_COUNT) {
            best = symbol;
            continue;
        }
        // Without the steps of a division: count / (2 * frequency ± 1) against the best one's.
        uint64_t mine = (uint64_t)counts[symbol] * (uint64_t)(2 * frequencies[best] + change);
        uint64_t its = (uint64_t)counts[best] * (uint64_t)(2 * frequencies[symbol] + change);
        if (change < 0 ? mine < its : mine > its) best = symbol;
    }
    return best;
}

/// Frequencies that sum to 2^11. What is too rare for a 2,048th goes to the escape.
static void choose_frequencies(const uint32_t *counts, uint16_t *frequencies) {
    uint64_t total = total_of(counts);
    int sum = 0;
    if (total == 0) total = 1;
    for (size_t symbol = 0; symbol < SYMBOL_COUNT; symbol++) {
        uint64_t count = counts[symbol];
        uint64_t frequency = (count * FREQUENCY_SUM + total / 2) / total;
        if (frequency == 0 && (symbol == ESCAPE || count * 20000 > total)) frequency = 1;
        frequencies[symbol] = (uint16_t)frequency;
        sum += (int)frequency;
    }
    if (frequencies[ESCAPE] == sum) {
        // One symbol alone would have a frequency that entries have no room for.
        frequencies[ESCAPE + 4] = 1;
        sum++;
    }
    while (sum != FREQUENCY_SUM) {
        int change = sum < FREQUENCY_SUM ? 1 : -1;
        size_t symbol = symbol_to_change(counts, frequencies, change);
        frequencies[symbol] = (uint16_t)(frequencies[symbol] + change);
        sum += change;
    }
}

/// The counts to model a context with: its own if there are enough, else those of the nearest one that has enough, the
/// lower of two, among those of the same half; else its own.
static const uint32_t *counts_for(const uint32_t *histogram, size_t context) {
    size_t half = context / BIN_COUNT * BIN_COUNT, bin = context % BIN_COUNT;
    for (size_t distance = 0; distance < BIN_COUNT; distance++) {
        const size_t candidates[2] = {bin - distance, bin + distance};
        for (int side = 0; side < 2; side++) {
            if (candidates[side] >= BIN_COUNT) continue;
            const uint32_t *counts = histogram + (half + candidates[side]) * SYMBOL_COUNT;
            if (total_of(counts) >= 256) return counts;
        }
    }
    return histogram + context * SYMBOL_COUNT;
}

// MARK: - Payload

static uint8_t *write_frequencies(const uint16_t *frequencies, uint8_t *at) {
    for (size_t symbol = 0; symbol < SYMBOL_COUNT;) {
        unsigned frequency = frequencies[symbol++], run = 0;
        if (frequency == 0)
            for (; symbol < SYMBOL_COUNT && !frequencies[symbol]; symbol++) run++;
        if (frequency == 0 || frequency >= 128) *at++ = (uint8_t)(frequency ? 128 | frequency >> 8 : 0);
        *at++ = (uint8_t)(frequency ? frequency : run);
    }
    return at;
}

static uint8_t *write_dimensions(const cdr_archive_model *model, uint32_t lane_count, uint8_t *at) {
    size_t dims = model->dims;
    const uint8_t head[8] = {(uint8_t)lane_count, 0, 0, 0, (uint8_t)dims, (uint8_t)(dims >> 8), (uint8_t)(dims >> 16),
                             (uint8_t)(dims >> 24)};
    memcpy(at, head, sizeof(head));
    at += sizeof(head);
    for (size_t i = 0; i < dims; i++, at += 2) {
        at[0] = (uint8_t)model->means[i];
        at[1] = (uint8_t)((uint16_t)model->means[i] >> 8);
    }
    for (size_t i = 0; i < dims; i++) {
        uint32_t bits;
        memcpy(&bits, &model->units[i], 4);
        at[i] = (uint8_t)((int)(bits >> 23) - 127);
        at[dims + i] = (uint8_t)model->scales[0][i];
        at[2 * dims + i] = (uint8_t)model->scales[1][i];
    }
    return at + 3 * dims;
}

size_t cdr_archive_train(const void *rows, size_t row_count, size_t variant_count, size_t dims, uint32_t lane_count,
                         void *payload, void *memory) {
    trainer t = trainer_in(memory, rows, row_count, variant_count, dims);
    memset(t.sums, 0, dims * sizeof(double));
    memset(t.squares, 0, dims * sizeof(double));
    memset(t.histogram, 0, sizeof(uint32_t) * CONTEXT_COUNT * SYMBOL_COUNT);
    sum_values(&t);
    choose_units(&t);
    choose_scales(&t);
    choose_scales(&t);
    visit_cells(&t, count_cell);
    uint8_t *at = write_dimensions(t.model, lane_count, payload);
    for (size_t context = 0; context < CONTEXT_COUNT; context++) {
        uint16_t frequencies[SYMBOL_COUNT];
        choose_frequencies(counts_for(t.histogram, context), frequencies);
        at = write_frequencies(frequencies, at);
    }
    return (size_t)(at - (uint8_t *)payload);
}

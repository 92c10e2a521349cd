// The arithmetic of the encoding "archive", value by value, in C that compilers turn into vectors. It is compiled once
// for each level. All of it is in integers, or in floats that can't round: a product with a power of two that is cut to
// an integer, and integers below 2^24.
#ifndef ARCHIVE_ARITHMETIC_H
#define ARCHIVE_ARITHMETIC_H

#include "archive_table.h"

#define ARCHIVE_INLINE static inline __attribute__((always_inline))

ARCHIVE_INLINE uint32_t archive_value(const uint8_t *values, size_t i) {
    uint16_t value;
    memcpy(&value, values + 2 * i, 2);
    return value;
}

/// The difference of a value from its mean in fixed point; 0 if the value is not below 2^15 there, as NaNs aren't.
ARCHIVE_INLINE int32_t archive_difference(uint32_t value, float unit, int32_t mean) {
    uint32_t bits = value << 16;
    float number;
    memcpy(&number, &bits, 4);
    number *= unit;
    int is_small = __builtin_fabsf(number) < 32768.0f;
    int32_t fixed = (int32_t)(is_small ? number : 0.0f);
    return is_small ? fixed - mean : 0;
}

/// Modulo 2^32.
ARCHIVE_INLINE int32_t archive_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

/// What a sum adds to a prediction: within 2^15, since the product is taken modulo 2^32.
ARCHIVE_INLINE int32_t archive_weighed(int32_t sum, uint32_t factor) {
    return (int32_t)((uint32_t)sum * factor) >> 16;
}

/// The context of a prediction, which is within 2^16.
ARCHIVE_INLINE uint32_t archive_context(int32_t prediction, int32_t scale) {
    int32_t size = prediction < 0 ? -prediction : prediction;
    float number = (float)((size << 6 >> (scale >> 1)) + 64);
    uint32_t bits;
    memcpy(&bits, &number, 4);
    uint32_t bin = (bits >> 21) - (0x42800000u >> 21);
    bin = bin < BIN_COUNT - 1 ? bin : BIN_COUNT - 1;
    return ((uint32_t)scale & 1) * BIN_COUNT + bin;
}

/// What the symbols' exponent 0 stands for, modulo 256.
ARCHIVE_INLINE uint32_t archive_exponent_base(float unit, int32_t scale) {
    uint32_t bits;
    memcpy(&bits, &unit, 4);
    return 243u - (bits >> 23) + (uint32_t)(scale >> 1);
}

/// The scale of a value: at least 0.
ARCHIVE_INLINE int32_t archive_scale(const archive_cell *cell, size_t i) {
    int32_t scale = cell->scales[i] + cell->shift;
    return scale > 0 ? scale : 0;
}

/// For weights and classes: in 64ths of the model's scale.
ARCHIVE_INLINE int64_t archive_normal(int32_t difference, int32_t scale) {
    int32_t normal = (difference * 64) >> (scale >> 1);
    normal = normal < 32767 ? normal : 32767;
    return normal > -32767 ? normal : -32767;
}

ARCHIVE_INLINE void archive_measure(const archive_cell *cell, const uint8_t *values, archive_moments *moments) {
    const cdr_archive_model *model = cell->model;
    int64_t ym = 0, mm = 0, yy = 0;
    for (size_t i = 0; i < model->dims; i++) {
        int32_t difference = archive_difference(archive_value(values, i), model->units[i], model->means[i]);
        int64_t y = archive_normal(difference, cell->scales[i]);
        int64_t m = archive_normal(archive_weighed(cell->sums[i], cell->factor), cell->scales[i]);
        ym += y * m;
        mm += m * m;
        yy += y * y;
    }
    *moments = (archive_moments){ym, mm, yy};
}

ARCHIVE_INLINE void archive_classify(const archive_cell *cell, const uint8_t *values, uint16_t *restrict symbols) {
    const cdr_archive_model *model = cell->model;
    int32_t *restrict sums = cell->sums;
    for (size_t i = 0; i < model->dims; i++) {
        uint32_t value = archive_value(values, i);
        int32_t mean = model->means[i];
        int32_t prediction = mean + archive_weighed(sums[i], cell->factor);
        int32_t scale = archive_scale(cell, i);
        uint32_t exponent = ((value >> 7) - archive_exponent_base(model->units[i], scale)) & 255;
        uint32_t sign = (value >> 15) ^ (uint32_t)(prediction < 0);
        uint32_t symbol = sign << 6 | exponent << 2 | (value >> 5 & 3);
        symbol = exponent - 1 < 15 ? symbol : ESCAPE;
        symbols[i] = (uint16_t)(archive_context(prediction, scale) * SYMBOL_COUNT + symbol);
        sums[i] = archive_add(sums[i], archive_difference(value, model->units[i], mean));
    }
}

#endif

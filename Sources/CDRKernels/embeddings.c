// What a converter asks of rows of embeddings: whether all values are finite, and what rounding to bfloat16 cost.
#include "CDRFloat.h"
#include <math.h>
#include <string.h>

// Lanes of a fixed number, so that the sums have the same bits everywhere.
#pragma STDC FP_CONTRACT OFF

#define BLOCK ((size_t)64)

#define FIND(name, type)                                                                     \
static size_t name(const uint8_t *values, size_t count, type mask) {                         \
    size_t i = 0;                                                                            \
    for (; i + BLOCK <= count; i += BLOCK) {                                                 \
        type found = 0;                                                                      \
        for (size_t j = 0; j < BLOCK; j++) {                                                 \
            type bits;                                                                       \
            memcpy(&bits, values + (i + j) * sizeof bits, sizeof bits);                      \
            found |= (type)((bits & mask) == mask);                                          \
        }                                                                                    \
        if (found) break;                                                                    \
    }                                                                                        \
    for (; i < count; i++) {                                                                 \
        type bits;                                                                           \
        memcpy(&bits, values + i * sizeof bits, sizeof bits);                                \
        if ((bits & mask) == mask) return i;                                                 \
    }                                                                                        \
    return count;                                                                            \
}

FIND(find16, uint16_t)
FIND(find32, uint32_t)

size_t cdr_find_non_finite_bf16(const void *values, size_t count) { return find16(values, count, 0x7F80); }
size_t cdr_find_non_finite_f16(const void *values, size_t count) { return find16(values, count, 0x7C00); }
size_t cdr_find_non_finite_f32(const void *values, size_t count) { return find32(values, count, 0x7F800000); }

#define LANES 8

static double total(const double *lanes) {
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double cdr_bf16_cosine_error(const void *exact, const void *rounded, size_t count) {
    const uint8_t *a = exact, *b = rounded;
    double dot[LANES] = {0}, aa[LANES] = {0}, bb[LANES] = {0};
    for (size_t i = 0; i < count; i += LANES) {
        size_t width = count - i < LANES ? count - i : LANES;
        for (size_t j = 0; j < width; j++) {
            float x, y;
            uint16_t half;
            memcpy(&x, a + 4 * (i + j), 4);
            memcpy(&half, b + 2 * (i + j), 2);
            uint32_t bits = (uint32_t)half << 16;
            memcpy(&y, &bits, 4);
            dot[j] += (double)x * y;
            aa[j] += (double)x * x;
            bb[j] += (double)y * y;
        }
    }
    double norms = total(aa) * total(bb);
    // Two rows of zeros are equal.
    return norms > 0 ? 1 - total(dot) / sqrt(norms) : 0;
}

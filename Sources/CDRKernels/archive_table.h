// What the files of the encoding "archive" share: the prepared model, the arithmetic of prediction, and the kernels of
// one level. archive_unit.c has the layout of a unit and chooses the level.
#ifndef ARCHIVE_TABLE_H
#define ARCHIVE_TABLE_H

#include "CDRKernels.h"
#include <string.h>

enum {
    GROUP = 16,           // values that are coded at a time, one in each lane of a group of lanes
    MOST_LANES = 64,
    RAW_BITS = 5,         // of the fraction, that are stored as they are
    FREQUENCY_BITS = 11,  // the frequencies of a context sum to 2^11
    FREQUENCY_SUM = 1 << FREQUENCY_BITS,
    BIN_COUNT = 16,    // of a prediction's size
    CONTEXT_COUNT = 2 * BIN_COUNT,
    SYMBOL_COUNT = 128,  // sign, 4 bits of exponent, 2 bits of fraction; those with exponent 0 but for 0 are not used
    ESCAPE = 0,
    STATE_MINIMUM = 1 << 16,
    ZERO_CELL = 255,     // the class of a cell of zeros
    CLASS_COUNT = 64,
    CLASS_BASE = 32,     // the class whose scales are the model's
    SCALE_LIMIT = 32,    // of the model's scales
    UNIT_MINIMUM = -100, // of the model's units
    UNIT_MAXIMUM = 120
};

/// Bits of an entry for decoding: the symbol's sign where a float has it, its exponent and fraction one bit above where
/// a float has them, the frequency, and the slot's place in the symbol.
enum { ENTRY_FREQUENCY = 11, ENTRY_SYMBOL = 22, ENTRY_EXPONENT = 0x0f000000, ENTRY_ESCAPE = 0x8000 };

struct cdr_archive_model {
    uint64_t ranks[256];  // in byte i of a mask's entry, how many bits of the mask below bit i are set: to expand with
    size_t dims;
    size_t padded;        // dims, rounded up to whole groups
    uint32_t lane_count;
    float *units;         // what makes a value a fixed-point number: 2^unit
    int16_t *means;       // in fixed point
    int16_t *scales[2];   // of the differences from a prediction, in half octaves: of first cells, of later ones
    uint32_t *decoding;   // [context][slot]
    uint32_t *encoding;   // [context][symbol]: begin << 16 | ENTRY_ESCAPE | frequency; the escape's if it has none
};

/// A cell that is coded, for the kernels.
typedef struct {
    const cdr_archive_model *model;
    const int16_t *scales;
    int32_t *sums;     // of the differences of the row's coded cells from the means: padded
    uint32_t factor;   // what the sums are weighed with, in 2^-16
    int32_t shift;     // added to the scales
} archive_cell;

/// What weight and class are chosen from: y is a value's difference from its mean, m that of the cells before.
typedef struct {
    int64_t ym, mm, yy;
} archive_moments;

typedef struct {
    /// Returns the words that are left, or null if the cell is corrupt. `end` is the end of the words.
    const uint8_t *(*decode)(const archive_cell *cell, uint32_t *states, const uint8_t *raw, const uint8_t *words,
                             const uint8_t *end, uint8_t *values);
    void (*measure)(const archive_cell *cell, const uint8_t *values, archive_moments *moments);
    /// Writes context * SYMBOL_COUNT + symbol of each value, whatever its frequency; adds the cell to the sums.
    void (*classify)(const archive_cell *cell, const uint8_t *values, uint16_t *symbols);
    /// Puts the cell's words in front of `words`, and returns where they begin. At most 4 bytes a value.
    uint8_t *(*encode)(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols, const uint8_t *values,
                       uint8_t *words);
} archive_table;

#define ARCHIVE_DECLARE(level)                                                                                        \
    const uint8_t *archive_decode_##level(const archive_cell *cell, uint32_t *states, const uint8_t *raw,             \
                                          const uint8_t *words, const uint8_t *end, uint8_t *values);                 \
    void archive_measure_##level(const archive_cell *cell, const uint8_t *values, archive_moments *moments);          \
    void archive_classify_##level(const archive_cell *cell, const uint8_t *values, uint16_t *symbols);                \
    uint8_t *archive_encode_##level(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols,        \
                                    const uint8_t *values, uint8_t *words)

#define ARCHIVE_TABLE(level)                                                                                          \
    { archive_decode_##level, archive_measure_##level, archive_classify_##level, archive_encode_##level }

ARCHIVE_DECLARE(plain);
#if defined(__x86_64__)
ARCHIVE_DECLARE(avx2);
ARCHIVE_DECLARE(avx512);
#endif

/// The kernels of the level that is chosen (CDRFloat.h).
const archive_table *archive_kernels(void);

/// The parts of a model, one behind the other; zeros, but for the tables, which are not written.
cdr_archive_model *archive_lay_out(void *memory, size_t dims);
/// The numbers of a cell for the kernels. `before` is how many cells of the row were coded before it.
archive_cell archive_cell_of(const cdr_archive_model *model, int32_t *sums, size_t before, uint32_t weight,
                             uint32_t class);
/// Chooses weight and class of a cell.
void archive_choose(const archive_table *kernels, const cdr_archive_model *model, int32_t *sums, size_t before,
                    const uint8_t *values, uint32_t *weight, uint32_t *class);
int archive_is_zero(const uint8_t *values, size_t dims);

static inline size_t archive_padded(size_t dims) { return (dims + GROUP - 1) / GROUP * GROUP; }
static inline size_t archive_align(size_t byte_count) { return (byte_count + 63) / 64 * 64; }
static inline size_t archive_raw_byte_count(size_t dims) { return (dims * RAW_BITS + 7) / 8; }

#endif

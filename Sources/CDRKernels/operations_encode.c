// Augmentation records to patterns and numbers. Layout: FORMAT.md section 6.7.
#include "CDRKernels.h"
#include "bits.h"

enum { CODES = CDR_OPERATIONS_PATTERNS + 1 };

/// The number of a pair in the table, or -1. Pairs that are often there come first.
static int pair_number(const cdr_operations_table *table, const uint8_t *pair) {
    for (uint32_t i = 0; i < table->pair_count; i++)
        if (memcmp(table->pairs + 9 * i, pair, 9) == 0) return (int)i;
    return -1;
}

/// The numbers of a value's fields under a pattern; 0 if it isn't one of the pattern.
static int numbers_of(const cdr_operations_table *table, const cdr_operations_pattern *pattern, const uint8_t *value,
                      uint64_t count, uint32_t *numbers) {
    if (count != pattern->byte_count) return 0;
    for (uint32_t i = 0; i < count; i++)
        if (pattern->fixed[i] && pattern->bytes[i] != value[i]) return 0;
    for (uint32_t f = 0; f < pattern->field_count; f++) {
        const cdr_operations_field field = pattern->fields[f];
        const uint8_t *bytes = value + field.offset, *base = pattern->bytes + field.offset;
        uint32_t number = 0, first = 0;
        if (field.byte_count == 9) {
            int pair = pair_number(table, bytes);
            if (pair < 0) return 0;
            number = (uint32_t)pair;
        } else if (field.byte_count == 4) {
            memcpy(&number, bytes, 4);
            memcpy(&first, base, 4);
            number -= first;
        } else {
            number = (uint8_t)(*bytes - *base);
        }
        numbers[f] = number;
    }
    return 1;
}

/// The code of a value, and the numbers of its fields: the first pattern that it is one of, or as it is.
static unsigned code_of(const cdr_operations_table *table, const uint8_t *value, uint64_t count, uint32_t *numbers) {
    for (unsigned code = 0; code < table->pattern_count; code++)
        if (numbers_of(table, &table->patterns[code], value, count, numbers)) return code;
    numbers[0] = (uint32_t)count;
    return table->pattern_count;
}

typedef struct {
    uint64_t cells[CODES];
    uint8_t widths[CODES][256];
    uint64_t bits;  // of all fields
    uint64_t size;  // of the unit
    unsigned code_width;
    uint64_t code_bytes, width_bytes;
} layout;

static uint32_t field_count(const cdr_operations_table *table, unsigned code) {
    return code == table->pattern_count ? 1 : table->patterns[code].field_count;
}

static void measure(layout *found, const cdr_operations_table *table, const uint8_t *counts, const uint8_t *value,
                    size_t cells) {
    uint32_t all[CODES][256], numbers[256];
    uint64_t raw = 0;
    unsigned codes = 0;
    memset(all, 0, sizeof all);
    memset(found, 0, sizeof *found);
    for (size_t cell = 0; cell < cells; cell++) {
        uint64_t count = cdr_take_varint(&counts);
        unsigned code = code_of(table, value, count, numbers);
        for (uint32_t f = 0; f < field_count(table, code); f++) all[code][f] |= numbers[f];
        if (code == table->pattern_count) raw += count;
        found->cells[code]++;
        codes |= code;
        value += count;
    }
    for (unsigned code = 0; code <= table->pattern_count; code++) {
        if (found->cells[code] == 0) continue;
        for (uint32_t f = 0; f < field_count(table, code); f++) {
            uint8_t width = all[code][f] ? (uint8_t)(32 - __builtin_clz(all[code][f])) : 0;
            found->widths[code][f] = width;
            found->bits += found->cells[code] * width;
        }
        found->width_bytes += field_count(table, code);
    }
    found->code_width = codes ? 32 - (unsigned)__builtin_clz(codes) : 0;
    found->code_bytes = ((uint64_t)cells * found->code_width + 7) / 8;
    found->size = 1 + found->code_bytes + found->width_bytes + (found->bits + 7) / 8 + raw;
}

size_t cdr_operations_encode(const cdr_operations_table *table, const void *plain, size_t plain_count, size_t cells,
                             void *target, size_t capacity) {
    const uint8_t *counts = plain, *value = cdr_plain_values(plain, plain_count, cells);
    if (!value) return 0;
    layout found;
    measure(&found, table, counts, value, cells);
    // A cell of 2^30 bytes or more has no width.
    if (found.size > capacity || found.widths[table->pattern_count][0] > 30) return 0;
    uint8_t *stored = target;
    memset(stored, 0, found.size);
    stored[0] = (uint8_t)found.code_width;
    uint8_t *widths = stored + 1 + found.code_bytes, *fields = widths + found.width_bytes;
    uint8_t *raw = fields + (found.bits + 7) / 8;
    for (unsigned code = 0; code <= table->pattern_count; code++) {
        if (found.cells[code] == 0) continue;
        memcpy(widths, found.widths[code], field_count(table, code));
        widths += field_count(table, code);
    }
    uint32_t numbers[256];
    uint64_t at = 0;
    for (size_t cell = 0; cell < cells; cell++) {
        uint64_t count = cdr_take_varint(&counts);
        unsigned code = code_of(table, value, count, numbers);
        cdr_put_bits(stored + 1, (uint64_t)cell * found.code_width, code);
        for (uint32_t f = 0; f < field_count(table, code); f++) {
            cdr_put_bits(fields, at, numbers[f]);
            at += found.widths[code][f];
        }
        if (code == table->pattern_count) {
            memcpy(raw, value, count);
            raw += count;
        }
        value += count;
    }
    return (size_t)found.size;
}

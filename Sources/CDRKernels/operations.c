// Augmentation records as patterns and numbers: decoding. Layout: FORMAT.md section 6.7.
#include "CDRKernels.h"
#include "bits.h"

enum { CODES = CDR_OPERATIONS_PATTERNS + 1 };

typedef struct {
    const uint8_t *codes, *fields, *raw;
    const uint8_t *widths[CODES];   // of the code's fields
    uint64_t bit_counts[CODES];     // of all fields of a cell
    uint64_t cell_counts[CODES];
    unsigned code_width, raw_code;
} unit_parts;

/// Where a cell's fields and bytes are.
typedef struct {
    size_t cell;
    uint64_t field;  // in bits
    uint64_t raw;    // in bytes
} place;

CDR_INLINE unsigned code_of(const unit_parts *unit, size_t cell) {
    if (unit->code_width == 0) return 0;
    return (unsigned)(cdr_bits57(unit->codes, (uint64_t)cell * unit->code_width) & cdr_low_bits(unit->code_width));
}

/// The byte count of a cell that is stored as it is.
CDR_INLINE uint64_t raw_count(const unit_parts *unit, uint64_t at) {
    return cdr_bits57(unit->fields, at) & cdr_low_bits(unit->widths[unit->raw_code][0]);
}

/// Counts the cells of each code: whether they are codes, and the bits behind the last are 0.
static int read_codes(unit_parts *unit, size_t cells, unsigned patterns, size_t *at, size_t count) {
    uint64_t bits = (uint64_t)cells * unit->code_width;
    if (unit->code_width > 4 || (bits + 7) / 8 > count - *at) return 0;
    *at += (size_t)((bits + 7) / 8);
    if (unit->code_width == 0) {
        unit->cell_counts[0] = cells;
        return 1;
    }
    for (size_t cell = 0; cell < cells; cell++) unit->cell_counts[code_of(unit, cell)]++;
    for (unsigned code = patterns + 1; code < CODES; code++)
        if (unit->cell_counts[code]) return 0;
    return bits % 8 == 0 || unit->codes[bits >> 3] >> (bits & 7) == 0;
}

static int read_widths(unit_parts *unit, const cdr_operations_table *table, const uint8_t *stored, size_t *at,
                       size_t count) {
    for (unsigned code = 0; code <= table->pattern_count; code++) {
        if (unit->cell_counts[code] == 0) continue;
        const cdr_operations_pattern *pattern = code == unit->raw_code ? NULL : &table->patterns[code];
        uint32_t fields = pattern ? pattern->field_count : 1;
        if (fields > count - *at) return 0;
        unit->widths[code] = stored + *at;
        *at += fields;
        for (uint32_t f = 0; f < fields; f++) {
            unsigned bytes = pattern ? pattern->fields[f].byte_count : 0, width = unit->widths[code][f];
            if (width > (bytes == 0 ? 30u : bytes == 9 ? 10u : 8 * bytes)) return 0;
            unit->bit_counts[code] += width;
        }
    }
    return 1;
}

/// Adds up the cells that are stored as they are: their bytes, and what they take in the plain bytes.
static void add_raw(const unit_parts *unit, size_t cells, uint64_t *raw, uint64_t *plain) {
    uint64_t at = 0;
    for (size_t cell = 0; cell < cells; cell++) {
        unsigned code = code_of(unit, cell);
        if (code == unit->raw_code) {
            uint64_t count = raw_count(unit, at);
            *raw += count;
            *plain += count + cdr_varint_bytes(count);
        }
        at += unit->bit_counts[code];
    }
}

/// Finds the parts of a unit, and checks that they make up exactly its bytes and its plain bytes.
static int open_unit(unit_parts *unit, const cdr_operations_table *table, const cdr_operations_source *source) {
    const uint8_t *stored = source->stored;
    size_t count = source->stored_count, at = 1;
    memset(unit, 0, sizeof *unit);
    // Every cell has a byte of plain bytes, so that a unit of no bits doesn't cost more time than its plain bytes.
    if (count == 0 || source->cells > source->plain_count) return 0;
    unit->code_width = stored[0];
    unit->codes = stored + 1;
    unit->raw_code = table->pattern_count;
    if (!read_codes(unit, source->cells, table->pattern_count, &at, count)) return 0;
    if (!read_widths(unit, table, stored, &at, count)) return 0;
    uint64_t bits = 0, plain = 0, raw = 0;
    for (unsigned code = 0; code <= table->pattern_count; code++) {
        bits += unit->cell_counts[code] * unit->bit_counts[code];
        if (code == unit->raw_code) continue;
        uint64_t bytes = table->patterns[code].byte_count;
        plain += unit->cell_counts[code] * (bytes + cdr_varint_bytes(bytes));
    }
    if ((bits + 7) / 8 > count - at) return 0;
    unit->fields = stored + at;
    unit->raw = unit->fields + (bits + 7) / 8;
    at += (size_t)((bits + 7) / 8);
    if (bits % 8 != 0 && unit->fields[bits >> 3] >> (bits & 7) != 0) return 0;
    if (unit->cell_counts[unit->raw_code]) add_raw(unit, source->cells, &raw, &plain);
    return raw == count - at && plain == source->plain_count;
}

/// Writes the value of a cell of a pattern. `room` bytes of the target may be written.
CDR_INLINE int put_value(const unit_parts *unit, const cdr_operations_table *table, unsigned code, uint64_t at,
                         uint8_t *target, uint64_t room) {
    const cdr_operations_pattern *pattern = &table->patterns[code];
    const uint8_t *widths = unit->widths[code];
    // A copy of fixed size is a few moves; what it writes too much is overwritten by what follows.
    if (pattern->byte_count <= 64 && room >= 64) memcpy(target, pattern->bytes, 64);
    else memcpy(target, pattern->bytes, pattern->byte_count);
    int within = 1;
    for (uint32_t f = 0; f < pattern->field_count; f++) {
        uint64_t number = cdr_bits57(unit->fields, at) & cdr_low_bits(widths[f]);
        at += widths[f];
        uint8_t *field = target + pattern->fields[f].offset;
        if (pattern->fields[f].byte_count == 4) {
            uint32_t base;
            memcpy(&base, field, 4);
            base += (uint32_t)number;
            memcpy(field, &base, 4);
        } else if (pattern->fields[f].byte_count == 9) {
            if (number < table->pair_count) memcpy(field, table->pairs + 9 * number, 9);
            else within = 0;
        } else {
            *field = (uint8_t)(*field + number);
        }
    }
    return within;
}

cdr_operations_status cdr_operations_decode(const cdr_operations_table *table, const cdr_operations_source *source,
                                            void *plain) {
    unit_parts unit;
    if (!open_unit(&unit, table, source)) return CDR_OPERATIONS_CORRUPT;
    uint8_t *target = plain, *end = target + source->plain_count;
    uint64_t at = 0;
    for (size_t cell = 0; cell < source->cells; cell++) {
        unsigned code = code_of(&unit, cell);
        target = cdr_put_varint(
            target, code == unit.raw_code ? raw_count(&unit, at) : table->patterns[code].byte_count);
        at += unit.bit_counts[code];
    }
    const uint8_t *raw = unit.raw;
    int within = 1;
    at = 0;
    for (size_t cell = 0; cell < source->cells; cell++) {
        unsigned code = code_of(&unit, cell);
        uint64_t count;
        if (code == unit.raw_code) {
            count = raw_count(&unit, at);
            memcpy(target, raw, count);
            raw += count;
        } else {
            count = table->patterns[code].byte_count;
            within &= put_value(&unit, table, code, at, target, (uint64_t)(end - target));
        }
        target += count;
        at += unit.bit_counts[code];
    }
    return within ? CDR_OPERATIONS_OK : CDR_OPERATIONS_CORRUPT;
}

/// Where a cell begins.
static place find(const unit_parts *unit, size_t cells, size_t cell) {
    place found = {cell, 0, 0};
    unsigned code = code_of(unit, cell);
    if (code != unit->raw_code && unit->cell_counts[code] == cells) {
        found.field = cell * unit->bit_counts[code];
        return found;
    }
    for (size_t before = 0; before < cell; before++) {
        unsigned other = code_of(unit, before);
        if (other == unit->raw_code) found.raw += raw_count(unit, found.field);
        found.field += unit->bit_counts[other];
    }
    return found;
}

cdr_operations_status cdr_operations_cell(const cdr_operations_table *table, const cdr_operations_source *source,
                                          size_t cell, void *target, size_t capacity, size_t *count) {
    unit_parts unit;
    if (cell >= source->cells) return CDR_OPERATIONS_ARGUMENT;
    if (!open_unit(&unit, table, source)) return CDR_OPERATIONS_CORRUPT;
    place found = find(&unit, source->cells, cell);
    unsigned code = code_of(&unit, cell);
    uint64_t bytes = code == unit.raw_code ? raw_count(&unit, found.field) : table->patterns[code].byte_count;
    *count = (size_t)bytes;
    if (bytes > capacity) return CDR_OPERATIONS_ARGUMENT;
    if (code == unit.raw_code) {
        if (bytes) memcpy(target, unit.raw + found.raw, bytes);
        return CDR_OPERATIONS_OK;
    }
    return put_value(&unit, table, code, found.field, target, capacity) ? CDR_OPERATIONS_OK : CDR_OPERATIONS_CORRUPT;
}

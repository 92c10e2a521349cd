// Augmentation records as patterns and numbers: encoding operation_table. Spec: FORMAT.md section 6.7.
//
// Nothing here trusts a byte of a table or a unit. A unit is read within its own bytes and the 64 behind them, which
// must be there; a target is written within itself.
#ifndef CDROPERATIONS_H
#define CDROPERATIONS_H

#include <stddef.h>
#include <stdint.h>

enum {
    CDR_OPERATIONS_PATTERNS = 15,  // most patterns of a table
    CDR_OPERATIONS_PAIRS = 1024,   // most pairs of a table
    CDR_OPERATIONS_SLACK = 64      // bytes behind a unit that may be read; what they are doesn't matter
};

/// What the functions below found.
typedef enum {
    CDR_OPERATIONS_OK = 0,
    CDR_OPERATIONS_CORRUPT = 1,      // the bytes are not what the text says
    CDR_OPERATIONS_UNSUPPORTED = 2,  // an item of a kind that isn't known, or a reserved byte that isn't 0
    CDR_OPERATIONS_ARGUMENT = 3      // a mistake of the caller: a cell that isn't there, a target that is too small
} cdr_operations_status;

/// A place in a pattern that differs from record to record.
typedef struct {
    uint8_t offset;
    uint8_t byte_count;  // 1, 4, or 9 for a pair
} cdr_operations_field;

typedef struct {
    uint32_t byte_count, field_count;
    uint8_t bytes[256];
    uint8_t fixed[256];  // 1 for bytes that are no field's
    cdr_operations_field fields[256];
} cdr_operations_pattern;

/// A table that was checked.
typedef struct {
    uint32_t pattern_count, pair_count;
    uint8_t pairs[9 * CDR_OPERATIONS_PAIRS];
    cdr_operations_pattern patterns[CDR_OPERATIONS_PATTERNS];
} cdr_operations_table;

/// Checks the payload of an auxiliary page of kind 5, and keeps what it says.
cdr_operations_status cdr_operations_table_read(cdr_operations_table *table, const void *payload, size_t count);

/// Encodes a unit. `plain` are its plain bytes. Returns how many bytes it has, and 0 if these are more than `capacity`
/// or if `plain` isn't what section 6.1 says of `cells` cells.
size_t cdr_operations_encode(const cdr_operations_table *table, const void *plain, size_t plain_count, size_t cells,
                             void *target, size_t capacity);

/// Stored bytes of a unit, and what its page says of them.
typedef struct {
    const void *stored;  // CDR_OPERATIONS_SLACK readable bytes follow
    size_t stored_count;
    size_t plain_count;
    size_t cells;
} cdr_operations_source;

/// Decodes a unit to its plain bytes: exactly `plain_count` of them. Whether values are records is not checked.
cdr_operations_status cdr_operations_decode(const cdr_operations_table *table, const cdr_operations_source *source,
                                            void *plain);

/// Decodes one cell; `count` gets how many bytes it has, and up to `capacity` of the target may be written. The
/// structure of the whole unit is checked, and the fields of this cell. Cost: where all cells have one pattern, that of
/// this cell; else a step for each cell of the unit.
cdr_operations_status cdr_operations_cell(const cdr_operations_table *table, const cdr_operations_source *source,
                                          size_t cell, void *target, size_t capacity, size_t *count);

#endif

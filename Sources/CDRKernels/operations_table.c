// The table of encoding operation_table: pairs and patterns. Layout: FORMAT.md section 6.7.
#include "CDRKernels.h"
#include <string.h>

// Operands of the item kinds 1 to 9 (FORMAT.md 6.2): b a byte, i four bytes, d eight, r pairs and n a row id behind
// their count.
static const char *const operands[10] = {"", "iiii", "r", "b", "iiii", "bbbbdddd", "dn", "diiiin", "ii", "i"};

static void add(cdr_operations_pattern *pattern, size_t offset, unsigned byte_count) {
    cdr_operations_field field = {(uint8_t)offset, (uint8_t)byte_count};
    pattern->fields[pattern->field_count++] = field;
    memset(pattern->fixed + offset, 0, byte_count);
}

/// Adds the fields of an operand that begins at `*at`, and moves behind it. Returns 0 if it runs past the end.
static int add_operand(cdr_operations_pattern *pattern, char operand, size_t *at, size_t end) {
    unsigned count = operand == 'd' ? 2 : 1, byte_count = operand == 'b' ? 1 : 4;
    if (operand == 'r' || operand == 'n') {
        if (*at == end) return 0;
        count = pattern->bytes[(*at)++];
        byte_count = operand == 'r' ? 9 : 1;
    }
    if ((size_t)count * byte_count > end - *at) return 0;
    for (; count > 0; count--, *at += byte_count) add(pattern, *at, byte_count);
    return 1;
}

/// Finds the fields of a pattern that has its bytes.
static cdr_operations_status parse(cdr_operations_pattern *pattern, size_t end) {
    pattern->byte_count = (uint32_t)end;
    pattern->field_count = 0;
    memset(pattern->fixed, 1, sizeof pattern->fixed);
    for (size_t at = 0; at < end;) {
        unsigned kind = pattern->bytes[at++];
        if ((kind & 127) == 0 || (kind & 127) > 9) return CDR_OPERATIONS_UNSUPPORTED;
        if (kind & 128) continue;
        for (const char *operand = operands[kind]; *operand; operand++)
            if (!add_operand(pattern, *operand, &at, end)) return CDR_OPERATIONS_CORRUPT;
    }
    return CDR_OPERATIONS_OK;
}

static int pairs_are_zero(const cdr_operations_pattern *pattern) {
    uint8_t all = 0;
    for (uint32_t f = 0; f < pattern->field_count; f++)
        for (int i = 0; pattern->fields[f].byte_count == 9 && i < 9; i++)
            all |= pattern->bytes[pattern->fields[f].offset + i];
    return all == 0;
}

cdr_operations_status cdr_operations_table_read(cdr_operations_table *table, const void *payload, size_t count) {
    const uint8_t *bytes = payload;
    memset(table, 0, sizeof *table);
    if (count < 4) return CDR_OPERATIONS_CORRUPT;
    uint32_t patterns = bytes[0], pairs = bytes[2] | (uint32_t)bytes[3] << 8;
    if (bytes[1] != 0) return CDR_OPERATIONS_UNSUPPORTED;
    if (patterns > CDR_OPERATIONS_PATTERNS || pairs > CDR_OPERATIONS_PAIRS) return CDR_OPERATIONS_CORRUPT;
    size_t at = 4 + 9 * (size_t)pairs;
    if (at > count) return CDR_OPERATIONS_CORRUPT;
    memcpy(table->pairs, bytes + 4, 9 * (size_t)pairs);
    for (uint32_t p = 0; p < patterns; p++) {
        cdr_operations_pattern *pattern = &table->patterns[p];
        if (at == count || bytes[at] > count - at - 1) return CDR_OPERATIONS_CORRUPT;
        size_t byte_count = bytes[at++];
        memcpy(pattern->bytes, bytes + at, byte_count);
        at += byte_count;
        cdr_operations_status status = parse(pattern, byte_count);
        if (status != CDR_OPERATIONS_OK) return status;
        if (!pairs_are_zero(pattern)) return CDR_OPERATIONS_CORRUPT;
    }
    table->pattern_count = patterns;
    table->pair_count = pairs;
    return at == count ? CDR_OPERATIONS_OK : CDR_OPERATIONS_CORRUPT;
}

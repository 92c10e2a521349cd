// Tokens as classes and digits: tables, the plain level, and which level runs. Layout: FORMAT.md section 6.6.
#include "tokens_unit.h"

cdr_tokens_status cdr_token_table_read(cdr_token_table *table, const void *payload, size_t count) {
    const uint8_t *bytes = payload;
    memset(table, 0, sizeof *table);
    if (count < 4 || count > 4 + 2 * CDR_TOKENS_IDS) return CDR_TOKENS_CORRUPT;
    uint32_t ids = bytes[0] | (uint32_t)bytes[1] << 8;
    if (bytes[2] != 0 || bytes[3] != 0) return CDR_TOKENS_UNSUPPORTED;
    if (count != 4 + 2 * (size_t)ids) return CDR_TOKENS_CORRUPT;
    table->count = ids;
    memcpy(table->ids, bytes + 4, 2 * (size_t)ids);
    return CDR_TOKENS_OK;
}

/// One token after the other, and no branch that isn't in the text: the reference of the other levels.
CDR_INLINE unsigned step_plain(const cdr_token_table *table, const cdr_token_unit *unit, cdr_token_cursor *at,
                               unsigned n, uint32_t last, uint32_t *ids) {
    static const uint32_t first_rank[3] = {0, 16, 272};
    unsigned levels = unit->element == 2 ? 3 : 4, wrong = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned class = 0;
        uint32_t number = 0;
        for (;; class ++) {
            if (class < 4) number |= (uint32_t)(cdr_bits57(unit->bits, at->digit[class]) & 15) << 4 * class;
            if (class < 4) at->digit[class] += 4;
            if (class == levels || !(cdr_bits57(unit->bits, at->level[class]++) & 1)) break;
        }
        if (class < 3) {
            number += first_rank[class];
            if (number >= table->count) wrong |= CDR_STEP_RANK;
            number = table->ids[number];
        } else if (class == 4) {
            number |= (uint32_t)(cdr_bits57(unit->bits, at->high) & 0xFFFF) << 16;
            at->high += 16;
        }
        if (number > last) wrong |= CDR_STEP_OUTSIDE;
        ids[i] = number;
    }
    for (unsigned i = n; i < CDR_TOKENS_STEP; i++) ids[i] = 0;
    return wrong;
}

CDR_TOKEN_LOOPS(plain, );

static const cdr_token_loops *loops(void) {
#if defined(__x86_64__)
    // The levels of the float kernels do not ask for these.
    int deposits = __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    cdr_level level = cdr_level_current();
    if (level == CDR_LEVEL_AVX512 && deposits) return &cdr_token_loops_avx512;
    if (level == CDR_LEVEL_AVX2 && deposits) return &cdr_token_loops_avx2;
#endif
    return &cdr_token_loops_plain;
}

cdr_tokens_status cdr_tokens_decode(const cdr_token_table *table, const cdr_token_source *source, void *plain) {
    return loops()->decode(table, source, plain);
}

cdr_tokens_status cdr_tokens_rows(const cdr_token_table *table, const cdr_token_source *source,
                                  const cdr_token_row *row, const uint32_t *wanted, size_t count, int32_t *rows,
                                  int32_t *lengths) {
    return loops()->rows(table, source, row, wanted, count, rows, lengths);
}

cdr_tokens_status cdr_tokens_plain_row(const void *value, size_t count, unsigned element, const cdr_token_row *row,
                                       int32_t *ids, int32_t *length) {
    if (row->context < 2 || (element != 2 && element != 4)) return CDR_TOKENS_ARGUMENT;
    const uint8_t *bytes = value;
    uint32_t n = count < row->context - 2 ? (uint32_t)count : row->context - 2, outside = 0;
    uint32_t limit = row->vocabulary < 0x80000000 ? row->vocabulary : 0x80000000;
    ids[0] = row->start;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t id;
        if (element == 2) memcpy(&half, bytes + 2 * (size_t)i, 2), id = half;
        else memcpy(&id, bytes + 4 * (size_t)i, 4);
        outside |= id >= limit;
        memcpy(ids + 1 + i, &id, 4);
    }
    ids[n + 1] = row->end;
    memset(ids + n + 2, 0, 4 * (size_t)(row->context - 2 - n));
    if (length) *length = (int32_t)n + 2;
    return outside ? CDR_TOKENS_OUTSIDE : CDR_TOKENS_OK;
}

// A unit of tokens under decoding, and the two loops over it, which every level makes its own by its way to take 16
// tokens. Layout: FORMAT.md section 6.6.
#ifndef TOKENS_UNIT_H
#define TOKENS_UNIT_H

#include "CDRKernels.h"
#include "bits.h"

enum { CDR_TOKENS_STEP = 16 };
enum { CDR_STEP_RANK = 1, CDR_STEP_OUTSIDE = 2 };  // what a step found wrong

/// Where the next bit of each part is, counted behind the unit's first byte.
typedef struct {
    uint64_t level[4], digit[4], high;
} cdr_token_cursor;

typedef struct {
    const uint8_t *bits;
    uint64_t token_count;
    unsigned width, element;
    cdr_token_cursor first;
} cdr_token_unit;

/// Takes `n` <= 16 tokens: ids, and zeros up to the 16th. Ids above `last` are reported.
typedef unsigned cdr_token_step(const cdr_token_table *table, const cdr_token_unit *unit, cdr_token_cursor *at,
                                unsigned n, uint32_t last, uint32_t *ids);

/// How many of `count` bits from place `at` are set.
CDR_INLINE uint64_t cdr_ones(const uint8_t *bits, uint64_t at, uint64_t count) {
    uint64_t ones = 0;
    for (; count >= 64; count -= 64, at += 64) ones += (unsigned)__builtin_popcountll(cdr_bits64(bits, at));
    return ones + (unsigned)__builtin_popcountll(cdr_bits64(bits, at) & cdr_low_bits((unsigned)count));
}

/// How many tokens a cell has.
CDR_INLINE uint64_t cdr_token_count(const cdr_token_unit *unit, size_t cell) {
    return cdr_bits57(unit->bits, (uint64_t)cell * unit->width) & cdr_low_bits(unit->width);
}

/// Reads the cells' counts: whether they make up the plain bytes.
CDR_INLINE int cdr_token_counts(cdr_token_unit *unit, const cdr_token_source *source) {
    uint64_t tokens = 0, prefix = 0;
    for (size_t cell = 0; cell < source->cells; cell++) {
        uint64_t count = cdr_token_count(unit, cell);
        tokens += count;
        prefix += cdr_varint_bytes(count * unit->element);
    }
    unit->token_count = tokens;
    return prefix + tokens * unit->element == source->plain_count;
}

/// Finds the parts of a unit, and checks that they make up exactly its bytes.
CDR_INLINE cdr_tokens_status cdr_token_open(cdr_token_unit *unit, const cdr_token_source *source) {
    const uint8_t *stored = source->stored;
    if (source->element != 2 && source->element != 4) return CDR_TOKENS_ARGUMENT;
    // Every cell has a byte of plain bytes, so that a unit of no bits doesn't cost more time than its plain bytes.
    if (source->stored_count == 0 || source->cells > source->plain_count) return CDR_TOKENS_CORRUPT;
    uint64_t room = (uint64_t)(source->stored_count - 1) * 8;
    unit->bits = stored + 1;
    unit->width = stored[0];
    unit->element = source->element;
    if (unit->width > 30 || (unit->width != 0 && source->cells > room / unit->width)) return CDR_TOKENS_CORRUPT;
    if (!cdr_token_counts(unit, source)) return CDR_TOKENS_CORRUPT;
    uint64_t at = (uint64_t)source->cells * unit->width, counts[5] = {unit->token_count};
    for (int k = 0; k < 4; k++) {
        unit->first.level[k] = at;
        counts[k + 1] = 0;
        if (k == 3 && unit->element == 2) break;
        if (counts[k] > room - at) return CDR_TOKENS_CORRUPT;
        counts[k + 1] = cdr_ones(unit->bits, at, counts[k]);
        at += counts[k];
    }
    for (int k = 0; k < 4; k++) {
        unit->first.digit[k] = at;
        at += 4 * counts[k];
    }
    unit->first.high = at;
    at += 16 * counts[4];
    if (at > room || room - at >= 8) return CDR_TOKENS_CORRUPT;
    return room > at && stored[source->stored_count - 1] >> (at & 7) != 0 ? CDR_TOKENS_CORRUPT : CDR_TOKENS_OK;
}

/// Moves a cursor over `count` tokens.
CDR_INLINE void cdr_token_skip(const cdr_token_unit *unit, cdr_token_cursor *at, uint64_t count) {
    for (int k = 0; k < 4 && count != 0; k++) {
        at->digit[k] += 4 * count;
        if (k == 3 && unit->element == 2) return;
        uint64_t ones = cdr_ones(unit->bits, at->level[k], count);
        at->level[k] += count;
        count = ones;
    }
    at->high += 16 * count;
}

CDR_INLINE cdr_tokens_status cdr_token_verdict(unsigned wrong) {
    if (wrong & CDR_STEP_RANK) return CDR_TOKENS_CORRUPT;
    return wrong ? CDR_TOKENS_OUTSIDE : CDR_TOKENS_OK;
}

CDR_INLINE cdr_tokens_status cdr_token_decode(const cdr_token_table *table, const cdr_token_source *source,
                                              uint8_t *target, cdr_token_step *step) {
    cdr_token_unit unit;
    cdr_tokens_status status = cdr_token_open(&unit, source);
    if (status != CDR_TOKENS_OK) return status;
    for (size_t cell = 0; cell < source->cells; cell++)
        target = cdr_put_varint(target, cdr_token_count(&unit, cell) * unit.element);
    cdr_token_cursor at = unit.first;
    unsigned wrong = 0;
    for (uint64_t left = unit.token_count; left != 0;) {
        unsigned n = left < CDR_TOKENS_STEP ? (unsigned)left : CDR_TOKENS_STEP;
        uint32_t ids[CDR_TOKENS_STEP];
        wrong |= step(table, &unit, &at, n, UINT32_MAX, ids);
        uint16_t halves[CDR_TOKENS_STEP];
        for (int i = 0; i < CDR_TOKENS_STEP; i++) halves[i] = (uint16_t)ids[i];
        const void *values = unit.element == 2 ? (const void *)halves : ids;
        if (n == CDR_TOKENS_STEP) memcpy(target, values, unit.element == 2 ? 32 : 64);
        else memcpy(target, values, n * unit.element);
        target += n * unit.element;
        left -= n;
    }
    return cdr_token_verdict(wrong);
}

/// One row from the cursor on, which is moved behind the tokens that have room.
CDR_INLINE unsigned cdr_token_fill(const cdr_token_table *table, const cdr_token_unit *unit, cdr_token_cursor *at,
                                   unsigned n, const cdr_token_row *row, uint32_t last, int32_t *ids,
                                   cdr_token_step *step) {
    unsigned wrong = 0, place = 1;
    ids[0] = row->start;
    for (unsigned done = 0; done < n; done += CDR_TOKENS_STEP, place += CDR_TOKENS_STEP) {
        unsigned taken = n - done < CDR_TOKENS_STEP ? n - done : CDR_TOKENS_STEP;
        if (place + CDR_TOKENS_STEP <= row->context) {
            wrong |= step(table, unit, at, taken, last, (uint32_t *)(ids + place));
        } else {
            uint32_t some[CDR_TOKENS_STEP];
            wrong |= step(table, unit, at, taken, last, some);
            memcpy(ids + place, some, 4 * (row->context - place));
        }
    }
    for (; place + CDR_TOKENS_STEP <= row->context; place += CDR_TOKENS_STEP) memset(ids + place, 0, 64);
    for (; place < row->context; place++) ids[place] = 0;
    ids[n + 1] = row->end;
    return wrong;
}

CDR_INLINE cdr_tokens_status cdr_token_rows(const cdr_token_table *table, const cdr_token_source *source,
                                            const cdr_token_row *row, const uint32_t *wanted, size_t count,
                                            int32_t *rows, int32_t *lengths, cdr_token_step *step) {
    if (row->context < 2 || row->vocabulary == 0 || (!wanted && count != source->cells)) return CDR_TOKENS_ARGUMENT;
    cdr_token_unit unit;
    cdr_tokens_status status = cdr_token_open(&unit, source);
    if (status != CDR_TOKENS_OK) return status;
    uint32_t room = row->context - 2;
    uint32_t last = (row->vocabulary < 0x80000000 ? row->vocabulary : 0x80000000) - 1;
    cdr_token_cursor at = unit.first;
    size_t next = 0;  // the cell at the cursor
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++) {
        size_t cell = wanted ? wanted[i] : i;
        if (cell >= source->cells) return CDR_TOKENS_ARGUMENT;
        if (cell < next) at = unit.first, next = 0;
        uint64_t skipped = 0;
        for (; next < cell; next++) skipped += cdr_token_count(&unit, next);
        if (skipped) cdr_token_skip(&unit, &at, skipped);
        uint64_t tokens = cdr_token_count(&unit, cell);
        unsigned n = tokens < room ? (unsigned)tokens : room;
        wrong |= cdr_token_fill(table, &unit, &at, n, row, last, rows + i * row->context, step);
        if (tokens > n) cdr_token_skip(&unit, &at, tokens - n);
        next = cell + 1;
        if (lengths) lengths[i] = (int32_t)n + 2;
    }
    return cdr_token_verdict(wrong);
}

// The two loops of each level.
typedef struct {
    cdr_tokens_status (*decode)(const cdr_token_table *, const cdr_token_source *, uint8_t *);
    cdr_tokens_status (*rows)(const cdr_token_table *, const cdr_token_source *, const cdr_token_row *,
                              const uint32_t *, size_t, int32_t *, int32_t *);
} cdr_token_loops;

extern const cdr_token_loops cdr_token_loops_plain;
#if defined(__x86_64__)
extern const cdr_token_loops cdr_token_loops_avx2, cdr_token_loops_avx512;
#endif

#define CDR_TOKEN_LOOPS(level, ...)                                                                            \
    __VA_ARGS__ static cdr_tokens_status decode_##level(const cdr_token_table *table,                          \
                                                        const cdr_token_source *source, uint8_t *target) {     \
        return cdr_token_decode(table, source, target, step_##level);                                          \
    }                                                                                                          \
    __VA_ARGS__ static cdr_tokens_status rows_##level(                                                         \
        const cdr_token_table *table, const cdr_token_source *source, const cdr_token_row *row,                \
        const uint32_t *wanted, size_t count, int32_t *rows, int32_t *lengths) {                               \
        return cdr_token_rows(table, source, row, wanted, count, rows, lengths, step_##level);                 \
    }                                                                                                          \
    const cdr_token_loops cdr_token_loops_##level = {decode_##level, rows_##level}

#endif

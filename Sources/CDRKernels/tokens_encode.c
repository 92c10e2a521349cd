// Tokens to classes and digits. Layout: FORMAT.md section 6.6.
#include "tokens_unit.h"

void cdr_token_ranks(const cdr_token_table *table, uint16_t ranks[65536]) {
    for (size_t id = 0; id < 65536; id++) ranks[id] = CDR_TOKENS_IDS;
    // Backwards, so that of an id that is there twice the lesser rank stays.
    for (size_t rank = table->count; rank-- > 0;) ranks[table->ids[rank]] = (uint16_t)rank;
}

typedef struct {
    const uint8_t *counts, *values;  // of the plain bytes
    size_t cells, token_count;
    unsigned element, width;
} cdr_token_plain;

/// Checks plain bytes, and finds how wide the largest count is.
static int open_plain(cdr_token_plain *plain, size_t count) {
    plain->values = cdr_plain_values(plain->counts, count, plain->cells);
    if (!plain->values) return 0;
    uint64_t all = 0;
    const uint8_t *at = plain->counts;
    for (size_t cell = 0; cell < plain->cells; cell++) {
        uint64_t n = cdr_take_varint(&at);
        if (n % plain->element != 0) return 0;
        all |= n / plain->element;
        plain->token_count += n / plain->element;
    }
    plain->width = all ? 64 - (unsigned)__builtin_clzll(all) : 0;
    return plain->width <= 30;
}

typedef struct {
    uint32_t number;  // low half: the digits
    unsigned class;
} cdr_token_code;

CDR_INLINE cdr_token_code code(const uint16_t *ranks, const cdr_token_plain *plain, size_t i) {
    uint32_t value = 0;
    memcpy(&value, plain->values + i * plain->element, plain->element);
    if (value >= 65536) return (cdr_token_code){value, 4};
    uint32_t rank = ranks[value];
    if (rank >= CDR_TOKENS_IDS) return (cdr_token_code){value, 3};
    if (rank < 16) return (cdr_token_code){rank, 0};
    return rank < 272 ? (cdr_token_code){rank - 16, 1} : (cdr_token_code){rank - 272, 2};
}

size_t cdr_tokens_encode(const uint16_t ranks[65536], unsigned element, const void *plain_bytes, size_t plain_count,
                         size_t cells, void *target, size_t capacity) {
    cdr_token_plain plain = {plain_bytes, NULL, cells, 0, element, 0};
    if ((element != 2 && element != 4) || !open_plain(&plain, plain_count)) return 0;
    uint64_t counts[5] = {0};  // tokens of a class or a higher one
    for (size_t i = 0; i < plain.token_count; i++)
        for (unsigned class = code(ranks, &plain, i).class, k = 0; k <= class; k++) counts[k]++;
    cdr_token_cursor at;
    uint64_t end = (uint64_t)cells * plain.width;
    for (int k = 0; k < 4; k++) at.level[k] = end, end += k == 3 && element == 2 ? 0 : counts[k];
    for (int k = 0; k < 4; k++) at.digit[k] = end, end += 4 * counts[k];
    at.high = end;
    end += 16 * counts[4];
    uint64_t size = 1 + (end + 7) / 8;
    if (size > capacity) return 0;
    uint8_t *stored = target, *bits = stored + 1;
    memset(stored, 0, size);
    stored[0] = (uint8_t)plain.width;
    const uint8_t *count = plain.counts;
    for (size_t cell = 0; cell < cells; cell++)
        cdr_put_bits(bits, (uint64_t)cell * plain.width, cdr_take_varint(&count) / element);
    unsigned levels = element == 2 ? 3 : 4;
    for (size_t i = 0; i < plain.token_count; i++) {
        cdr_token_code token = code(ranks, &plain, i);
        for (unsigned k = 0; k < levels && k <= token.class; k++) cdr_put_bits(bits, at.level[k]++, k < token.class);
        for (unsigned k = 0; k < 4 && k <= token.class; k++, at.digit[k - 1] += 4)
            cdr_put_bits(bits, at.digit[k], token.number >> 4 * k & 15);
        if (token.class == 4) cdr_put_bits(bits, at.high, token.number >> 16), at.high += 16;
    }
    return (size_t)size;
}

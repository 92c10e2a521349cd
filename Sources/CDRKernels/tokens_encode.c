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

static uint64_t varint(const uint8_t **at) {
    uint64_t n = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        n |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return n;
    }
}

/// Checks plain bytes, and finds how wide the largest count is.
static int open_plain(cdr_token_plain *plain, size_t count) {
    const uint8_t *at = plain->counts, *end = at + count;
    uint64_t bytes = 0, most = 0;
    for (size_t cell = 0; cell < plain->cells; cell++) {
        const uint8_t *first = at;
        while (at < end && at - first < 4 && *at >= 128) at++;
        if (at == end || *at >= 128 + (at - first < 4) * 128 || (at != first && *at == 0)) return 0;
        at = first;
        uint64_t n = varint(&at);
        if (n % plain->element != 0 || n >= (uint64_t)1 << 32) return 0;
        bytes += n;
        if (n > most) most = n;
    }
    most /= plain->element;
    plain->values = at;
    plain->token_count = (size_t)(bytes / plain->element);
    plain->width = most ? 64 - (unsigned)__builtin_clzll(most) : 0;
    return bytes == (uint64_t)(end - at) && plain->width <= 30;
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

/// Sets bits of a target that is zero there.
CDR_INLINE void put(uint8_t *target, uint64_t at, uint64_t value) {
    uint8_t *byte = target + (at >> 3);
    for (value <<= at & 7; value; value >>= 8) *byte++ |= (uint8_t)value;
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
    for (size_t cell = 0; cell < cells; cell++) put(bits, (uint64_t)cell * plain.width, varint(&count) / element);
    unsigned levels = element == 2 ? 3 : 4;
    for (size_t i = 0; i < plain.token_count; i++) {
        cdr_token_code token = code(ranks, &plain, i);
        for (unsigned k = 0; k < levels && k <= token.class; k++) put(bits, at.level[k]++, k < token.class);
        for (unsigned k = 0; k < 4 && k <= token.class; k++, at.digit[k - 1] += 4)
            put(bits, at.digit[k], token.number >> 4 * k & 15);
        if (token.class == 4) put(bits, at.high, token.number >> 16), at.high += 16;
    }
    return (size_t)size;
}

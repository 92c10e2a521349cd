// Tokens as classes and digits: encoding token_ranks. Spec: FORMAT.md section 6.6.
//
// Nothing here trusts a byte of a table or a unit. A unit is read within its own bytes and the 64 behind them, which
// must be there; a target is written within itself. Every level finds the same results, failures included.
#ifndef CDRTOKENS_H
#define CDRTOKENS_H

#include <stddef.h>
#include <stdint.h>

enum {
    CDR_TOKENS_IDS = 4368,  // most ids that a table holds: 16 + 256 + 4,096
    CDR_TOKENS_SLACK = 64   // bytes behind a unit that may be read; what they are doesn't matter
};

/// What the functions below found.
typedef enum {
    CDR_TOKENS_OK = 0,
    CDR_TOKENS_CORRUPT = 1,       // the bytes are not what the text says
    CDR_TOKENS_OUTSIDE = 2,       // a token that the vocabulary doesn't have
    CDR_TOKENS_ARGUMENT = 3,      // a mistake of the caller: an element, a context or a cell that can't be
    CDR_TOKENS_UNSUPPORTED = 4    // reserved bytes of a table that aren't 0
} cdr_tokens_status;

/// A table that was checked: the ids by rank.
typedef struct {
    uint32_t count;
    uint16_t ids[CDR_TOKENS_IDS + 2];  // two more, since a gather reads four bytes an id
} cdr_token_table;

/// Checks the payload of an auxiliary page of kind 4, and keeps what it says.
cdr_tokens_status cdr_token_table_read(cdr_token_table *table, const void *payload, size_t count);

/// The rank of every id, and CDR_TOKENS_IDS for ids that have none: what an encoder needs.
void cdr_token_ranks(const cdr_token_table *table, uint16_t ranks[65536]);

/// Encodes a unit. `plain` are its plain bytes, `element` the bytes of a token: 2 or 4. Returns how many bytes it has,
/// and 0 if these are more than `capacity` or if `plain` isn't what section 6.1 says of `cells` cells.
size_t cdr_tokens_encode(const uint16_t ranks[65536], unsigned element, const void *plain, size_t plain_count,
                         size_t cells, void *target, size_t capacity);

/// Stored bytes of a unit, and what its page says of them.
typedef struct {
    const void *stored;  // CDR_TOKENS_SLACK readable bytes follow
    size_t stored_count;
    size_t plain_count;
    size_t cells;
    unsigned element;  // bytes of a token: 2 or 4
} cdr_token_source;

/// Decodes a unit to its plain bytes: exactly `plain_count` of them.
cdr_tokens_status cdr_tokens_decode(const cdr_token_table *table, const cdr_token_source *source, void *plain);

/// What a row of token ids has around the stored tokens.
typedef struct {
    int32_t start, end;
    uint32_t vocabulary;  // ids are below
    uint32_t context;     // ids in a row, at least 2
} cdr_token_row;

/// Decodes cells to rows of `context` ids: start, as many tokens as there is room for, end, zeros.
///
/// `wanted` are the numbers of the cells in the unit, one a row; all cells in order if it is null, and then `count`
/// must be their number. Row i begins at `rows + i * context`; `lengths`, if it isn't null, gets how many ids it has
/// without the zeros. The structure of the whole unit is checked, and the tokens that are delivered; what rows hold
/// after a failure doesn't mean anything. Cost: the cells' counts and the bits of the levels of the unit are read once
/// a call, and again up to a cell that comes before the one wanted last: ascending numbers are cheapest.
cdr_tokens_status cdr_tokens_rows(const cdr_token_table *table, const cdr_token_source *source,
                                  const cdr_token_row *row, const uint32_t *wanted, size_t count, int32_t *rows,
                                  int32_t *lengths);

/// The same for the value of one cell that is stored plain: `count` tokens of `element` bytes.
cdr_tokens_status cdr_tokens_plain_row(const void *value, size_t count, unsigned element, const cdr_token_row *row,
                                       int32_t *ids, int32_t *length);

#endif

// Exponent planes: the encodings fast and balanced of bfloat16 values. Spec: FORMAT.md section 6.4.
//
// Values are bit patterns in the machine's order of bytes; nothing has to be aligned. Source and target may not
// overlap. Every level (CDRFloat.h) gives the same bytes, values and verdicts. Here AVX2 takes BMI2 too, and AVX-512
// also VBMI, VBMI2 and GFNI; where a processor lacks them, the level below runs.
#ifndef CDRPLANES_H
#define CDRPLANES_H

#include <stddef.h>
#include <stdint.h>

/// Bytes that must be readable behind a unit's stored bytes, behind prepared bases, and writable behind the plain
/// size when a unit is encoded: loads and stores of whole vectors reach into them.
enum { CDR_PLANES_SLACK = 64 };

/// Bytes of a table's payload before its bases.
enum { CDR_PLANES_TABLE_HEAD = 24 };

/// An exponent table, checked and made ready by cdr_planes_prepare. Read it from as many threads as you like.
typedef struct {
    uint32_t plane_count, level_count;
    size_t base_count;
    uint8_t offsets[16];   // of the ranks, 0 behind the last
    uint8_t ranks[256];    // by (exponent - base) mod 256: the least rank, or the number of ranks
    const uint8_t *bases;  // base i mod base_count at i, base_count + CDR_PLANES_SLACK of them
} cdr_planes_table;

/// Checks the payload of an exponent table and makes it ready. Returns 0, or 1 if it isn't a table for cells of
/// `cell_values` values (at least 1).
///
/// `bases` is memory for cell_values + CDR_PLANES_SLACK bytes, which the table refers to from then on; the payload is
/// no longer needed.
int cdr_planes_prepare(cdr_planes_table *table, uint8_t *bases, const void *payload, size_t byte_count,
                       size_t cell_values);

/// Decodes a unit of `count` values into bfloat16. Returns 0, or 1 if the stored bytes aren't exactly such a unit; then
/// the target's contents are undefined. Any stored bytes are safe, even ones that change meanwhile: nothing is
/// written but `count` values, nothing is read but the stored bytes and CDR_PLANES_SLACK behind them.
int cdr_planes_decode(const cdr_planes_table *table, const void *stored, size_t stored_byte_count, void *target,
                      size_t count);
/// The same into float32, as cdr_planes_decode and then cdr_bf16_to_f32.
int cdr_planes_decode_f32(const cdr_planes_table *table, const void *stored, size_t stored_byte_count, void *target,
                          size_t count);

/// Asks for bytes that will be read soon, as the stored ones of the unit after the one that is decoded: units that lie
/// here and there, outside the cache, come half as fast again. Any address is safe.
static inline void cdr_planes_fetch(const void *bytes, size_t byte_count) {
    for (size_t at = 0; at < byte_count; at += 64) __builtin_prefetch((const char *)bytes + at);
}

/// Encodes a unit of `count` values. Returns the number of stored bytes, or 0 if they wouldn't be fewer than the plain
/// ones, 2 * count. The target has room for 2 * count + CDR_PLANES_SLACK bytes; what is behind the stored ones is
/// undefined.
size_t cdr_planes_encode(const cdr_planes_table *table, const void *values, size_t count, void *target);

/// Adds the exponents of `count` values, which begin with a cell, to a histogram: 256 counts for each of the
/// cell_values places of a cell.
void cdr_planes_count(const void *values, size_t count, size_t cell_values, uint32_t *histogram);
/// The table for values like those of the histogram: plane_count 3 for fast, 2 for balanced. It has bases for each
/// place of a cell only if they save more than they take, written twice. Writes the payload, at most
/// CDR_PLANES_TABLE_HEAD + cell_values bytes, and returns its size.
size_t cdr_planes_choose(uint32_t plane_count, const uint32_t *histogram, size_t cell_values, uint8_t *payload);

#endif

// The encoding "archive" for embeddings in bfloat16: what is already known of a row predicts the next view of it, and a
// coder of 16 to 64 lanes stores how each value differs. Spec: FORMAT.md section 6.5.
//
// A model is trained on a sample of rows, stored as the payload of an auxiliary page, and prepared from such a payload
// for use. Every level of the kernels (CDRFloat.h) gives the same bytes and verdicts; arm64 runs the plain one.
// Nothing here allocates: the caller gives memory of the sizes that the functions below return, aligned to 64 bytes.
// Values are bf16 bit patterns, [row][variant][dimension], in the machine's order of bytes, at any alignment.
#ifndef CDRARCHIVE_H
#define CDRARCHIVE_H

#include <stddef.h>
#include <stdint.h>

/// A prepared model. It holds addresses into itself: its memory stays where it was prepared. Once prepared it is only
/// read, so that threads can share it.
typedef struct cdr_archive_model cdr_archive_model;

enum {
    /// Bytes behind the stored bytes of a unit that must be readable, whatever they hold.
    CDR_ARCHIVE_SLACK = 64,
    /// The most values that a cell may have; a cell of the format has no more.
    CDR_ARCHIVE_MAXIMUM_DIMS = 1 << 29,
    /// The most cells that a unit may have; a unit of the format has no more.
    CDR_ARCHIVE_MAXIMUM_CELLS = 1 << 30
};

/// Bytes of memory for a prepared model.
size_t cdr_archive_model_byte_count(size_t dims);
/// Checks a payload as the format demands, and prepares it. Returns 0 if it is a model for cells of `dims` values, 1 if
/// it is corrupt, 2 if it has something that this version doesn't know.
int cdr_archive_prepare(const void *payload, size_t byte_count, size_t dims, cdr_archive_model *model);
/// The lanes of a prepared model: 16, 32 or 64.
uint32_t cdr_archive_lane_count(const cdr_archive_model *model);

/// No payload for cells of `dims` values has more bytes.
size_t cdr_archive_payload_bound(size_t dims);
/// Bytes of memory to train with.
size_t cdr_archive_training_byte_count(size_t dims);
/// Trains a model on a sample. The same rows give the same bytes on every machine. A cell of zeros counts as absent.
/// - lane_count: 16, 32 or 64. A lane costs 2 bytes a unit. Measured with AVX-512, 16 have two thirds of the speed of
///   32, and 64 gain nothing.
/// - payload: room for cdr_archive_payload_bound. Returns how many bytes it has.
size_t cdr_archive_train(const void *rows, size_t row_count, size_t variant_count, size_t dims, uint32_t lane_count,
                         void *payload, void *memory);

/// Bytes of memory to encode a unit with.
size_t cdr_archive_encoding_byte_count(size_t dims, size_t cell_count);
/// Encodes a unit. Returns how many bytes it has; 0 if these would not be fewer than the plain ones, and then `stored`,
/// which has room for the plain bytes, holds nothing of use.
size_t cdr_archive_encode(const cdr_archive_model *model, const void *values, size_t row_count, size_t variant_count,
                          void *stored, void *memory);

/// Bytes of memory to decode a unit with.
size_t cdr_archive_decoding_byte_count(size_t dims);
/// Decodes a unit that is not stored plain. Returns 0, or 1 if the unit is corrupt: then the values are of no use. It
/// reads at most CDR_ARCHIVE_SLACK bytes behind the stored ones, and writes only the values, whatever the bytes are.
int cdr_archive_decode(const cdr_archive_model *model, const void *stored, size_t stored_count, size_t row_count,
                       size_t variant_count, void *values, void *memory);

#endif

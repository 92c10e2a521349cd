// CDRKernels: the inner loops. Small pure functions over (pointer, count): no allocation, no I/O.
// Each kernel that has a fast version has a plain one too, which is the reference in tests and runs where the fast can't.
#ifndef CDRKERNELS_H
#define CDRKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `count` bytes, continued from `crc` (0 to begin). Spec: FORMAT.md section 8.1.
uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count);
/// The same by tables alone: the reference of `cdr_crc32c`.
uint32_t cdr_crc32c_plain(uint32_t crc, const void *bytes, size_t count);

/// A SHA-256 that is being computed. Begin with `cdr_sha256_begin`.
typedef struct {
    uint32_t state[8];
    uint64_t byte_count;
    uint8_t block[64];
} cdr_sha256;

void cdr_sha256_begin(cdr_sha256 *hash);
void cdr_sha256_update(cdr_sha256 *hash, const void *bytes, size_t count);
/// Writes the 32 bytes of the digest; `hash` is used up.
void cdr_sha256_end(cdr_sha256 *hash, uint8_t *digest);
/// Chooses the plain compression function (1) or the fastest one (0) from now on; for tests.
void cdr_sha256_force_plain(int plain);

#endif

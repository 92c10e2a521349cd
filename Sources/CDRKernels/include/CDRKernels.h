// CDRKernels: the inner loops. Small pure functions over (pointer, count): no allocation, no I/O. Each kernel that has
// a fast version has a plain one too, which is the reference in tests and runs where the fast can't.
#ifndef CDRKERNELS_H
#define CDRKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "CDRArchive.h"
#include "CDRCells.h"
#include "CDRFloat.h"
#include "CDROperations.h"
#include "CDRPlanes.h"
#include "CDRTokens.h"

/// Copies `count` bytes between buffers that do not overlap, past the cache where the processor can (x86-64). Other threads
/// see them in order behind `cdr_stream_fence` alone.
void cdr_copy_streamed(void *target, const void *source, size_t count);
/// Orders all that `cdr_copy_streamed` wrote before what this thread writes next.
void cdr_stream_fence(void);

/// CRC-32C (Castagnoli) of `count` bytes, continued from `crc` (0 to begin). Spec: FORMAT.md section 8.1.
uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count);
/// The same by tables alone: the reference of `cdr_crc32c`.
uint32_t cdr_crc32c_plain(uint32_t crc, const void *bytes, size_t count);

/// The ways to a CRC-32C. `cdr_crc32c` takes the last one that this machine has.
typedef enum {
    CDR_CRC32C_PLAIN = 0,
    CDR_CRC32C_ONE = 1,      // the processor's instruction, one stream
    CDR_CRC32C_THREE = 2,    // three streams; on x86-64 with folding in 128-bit registers beside them
    CDR_CRC32C_FOLD256 = 3,  // x86-64: the same with 256-bit registers (VPCLMULQDQ)
    CDR_CRC32C_FOLD512 = 4   // x86-64: the same with 512-bit registers
} cdr_crc32c_variant;

/// Whether this machine has a variant.
int cdr_crc32c_available(cdr_crc32c_variant variant);
/// `cdr_crc32c` by a variant that is available; for tests.
uint32_t cdr_crc32c_with(cdr_crc32c_variant variant, uint32_t crc, const void *bytes, size_t count);

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

/// For programs whose buffers of up to 4 MiB come and go: the C library keeps up to 64 MiB of freed memory, where it
/// would give it back to the system each time, and pay a page fault for every 4 KiB of it. Does nothing but with glibc.
void cdr_keep_freed_memory(void);

#endif

// CDRKernels: the inner loops. Small pure functions over (pointer, count): no allocation, no I/O.
#ifndef CDRKERNELS_H
#define CDRKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `count` bytes, continued from `crc` (0 to begin). Spec: FORMAT.md section 8.
uint32_t cdr_crc32c(uint32_t crc, const void *bytes, size_t count);

#endif

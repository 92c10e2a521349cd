// Many cells at once, each a unit of its own: check, decode or copy, convert, write.
#ifndef CDRCELLS_H
#define CDRCELLS_H

#include <stddef.h>
#include <stdint.h>

#include "CDRPlanes.h"

/// Where one cell is, and where it goes.
typedef struct {
    const void *stored;
    void *target;
    uint32_t stored_count;
    uint32_t checksum;
} cdr_cell;

/// What is the same for all cells of a call.
typedef struct {
    /// Of exponent planes; null for a page that has none.
    const cdr_planes_table *planes;
    /// Converts values as they are stored into those of the target; null if they stay as they are.
    void (*convert)(const void *source, void *target, size_t count);
    /// Whether `convert` is bfloat16 to float32, which exponent planes are decoded to in one step.
    int to_f32;
    /// Bytes of a cell as it is plain, of one of its values, and of a cell of the target.
    size_t plain_count, value_count, target_count;
    /// Whether checksums are compared.
    int checks;
    /// Memory for a plain cell; and for one of the target if that is to be written past the cache, else null.
    void *plain_room, *target_room;
} cdr_cell_job;

/// Does cells in their order, up to the first that is not such a cell, or is damaged; of that one nothing is said, and
/// its target holds anything. Asks for each cell's bytes while the one ahead of it is worked on. 64 bytes behind stored
/// ones can be read where there are exponent planes.
///
/// Returns how many were done. Behind a call that wrote past the cache, `cdr_stream_fence` orders it.
size_t cdr_cells_decode(const cdr_cell_job *job, const cdr_cell *cells, size_t count);

#endif

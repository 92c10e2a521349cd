// Many cells at once: one loop without a call back, so that nothing stands between the loads and the stores.
#include <string.h>

#include "CDRKernels.h"

/// A stored cell may be this much smaller than it is plain. Spec: FORMAT.md R-UNIT-4.
#define EXPANSION_LIMIT 1024

/// Writes a cell's values as they come out to `target`. Returns 0 if it cannot.
static int decode(const cdr_cell_job *job, const cdr_cell *cell, void *target) {
    size_t count = job->plain_count / job->value_count;
    if (cell->stored_count == job->plain_count) {
        if (job->convert)
            job->convert(cell->stored, target, count);
        else
            memcpy(target, cell->stored, job->plain_count);
        return 1;
    }
    if (!job->planes) return 0;
    if (!job->convert) return cdr_planes_decode(job->planes, cell->stored, cell->stored_count, target, count) == 0;
    if (job->to_f32) return cdr_planes_decode_f32(job->planes, cell->stored, cell->stored_count, target, count) == 0;
    if (cdr_planes_decode(job->planes, cell->stored, cell->stored_count, job->plain_room, count) != 0) return 0;
    job->convert(job->plain_room, target, count);
    return 1;
}

/// Whether the next cell lies behind this one, or nearly.
static int follows(const cdr_cell *cell) {
    uintptr_t end = (uintptr_t)cell->stored + cell->stored_count;
    return (uintptr_t)cell[1].stored - end < 256;
}

size_t cdr_cells_decode(const cdr_cell_job *job, const cdr_cell *cells, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const cdr_cell *cell = cells + i;
        // A plain copy of cells in a row asks for its source by itself.
        if (i + 1 < count && !(follows(cell) && job->target_room && !job->checks))
            cdr_planes_fetch(cell[1].stored, cell[1].stored_count);
        if (cell->stored_count > job->plain_count ||
            job->plain_count > (size_t)cell->stored_count * EXPANSION_LIMIT)
            return i;
        if (job->checks && cdr_crc32c(0, cell->stored, cell->stored_count) != cell->checksum) return i;
        if (!job->target_room) {
            if (!decode(job, cell, cell->target)) return i;
        } else if (cell->stored_count == job->plain_count && !job->convert) {
            cdr_copy_streamed(cell->target, cell->stored, job->plain_count);
        } else {
            if (!decode(job, cell, job->target_room)) return i;
            cdr_copy_streamed(cell->target, job->target_room, job->target_count);
        }
    }
    return count;
}

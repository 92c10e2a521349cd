/* The functions of drshard.h are written in Swift, in DRShardC. */
#include "drshard.h"

#include <stdio.h>

/* What libzstd.a calls stderr, in libdrshard: Scripts/library.sh says why. */
extern FILE *drs_zstd_stderr __attribute__((visibility("hidden")));
FILE *drs_zstd_stderr;

__attribute__((constructor)) static void set_stderr(void) { drs_zstd_stderr = stderr; }

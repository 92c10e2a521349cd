// Conversions between the float types of embeddings, and sums of products over rows of bfloat16.
//
// Values are in the machine's order of bytes; neither source nor target has to be aligned; source and target may not
// overlap. Every level of a kernel gives the same bits. The environment of floating point is the default one (round to
// nearest, no flush to zero).
#ifndef CDRFLOAT_H
#define CDRFLOAT_H

#include <stddef.h>
#include <stdint.h>

/// The sets of instructions that the float kernels are written for.
typedef enum {
    CDR_LEVEL_PLAIN = 0,   // C alone: the reference of the others
    CDR_LEVEL_AVX2 = 1,    // x86-64 with AVX2 and F16C
    CDR_LEVEL_AVX512 = 2,  // x86-64 with AVX-512 F and BW
    CDR_LEVEL_NEON = 3,    // arm64
    CDR_LEVEL_BEST = 4     // for cdr_level_force: the best one that runs here
} cdr_level;

/// Whether this machine runs a level.
int cdr_level_available(cdr_level level);
/// The level that the kernels use: the best one, unless another is forced.
cdr_level cdr_level_current(void);
/// Chooses a level from now on, in all threads; for tests. Returns 0, and changes nothing, where it isn't available.
int cdr_level_force(cdr_level level);

/// From so many bytes of source and target together on, a target that is aligned to its values is written past the
/// cache where the level can (AVX2 and AVX-512). Measured on a machine with 32 MiB of cache, where such stores have
/// half the speed of ordinary ones at 12 MiB from bfloat16 to float32 and the same speed back, and 1.6 times it at 24
/// MiB both ways.
enum { CDR_STREAM_BYTES = 24 << 20 };

/// bfloat16 to float32: exact. The bits of a NaN stay as they are.
void cdr_bf16_to_f32(const void *source, void *target, size_t count);
/// float32 to bfloat16: to nearest, ties to even; what rounds beyond the largest finite value becomes infinity. A NaN
/// keeps its sign and the upper seven bits of its fraction, and becomes quiet (bit 6 is set).
void cdr_f32_to_bf16(const void *source, void *target, size_t count);
/// float16 to float32: exact. A NaN keeps its sign and fraction (as the upper ten bits), and becomes quiet (bit 22).
void cdr_f16_to_f32(const void *source, void *target, size_t count);
/// float32 to float16: to nearest, ties to even, denormals included; 65,520 and more become infinity. A NaN keeps its
/// sign and the upper ten bits of its fraction, and becomes quiet (bit 9).
void cdr_f32_to_f16(const void *source, void *target, size_t count);
/// bfloat16 to float16, as cdr_bf16_to_f32 and then cdr_f32_to_f16: one rounding. Nothing saturates: 65,520 and more
/// become infinity. The three low bits of a NaN's fraction are zero.
void cdr_bf16_to_f16(const void *source, void *target, size_t count);
/// float16 to bfloat16, as cdr_f16_to_f32 and then cdr_f32_to_bf16: one rounding. Every finite value stays finite.
void cdr_f16_to_bf16(const void *source, void *target, size_t count);

/// The sum of a[i] * b[i] over `count` values of bfloat16, the same bits at every level.
///
/// The rule: the values are taken in blocks of 4,096. In a block, lane i % 32 adds, from +0 and in ascending i, each
/// product in float32, product and sum rounded apart. Then, in float64, lane j takes in lane j + 16 for j < 16, and so
/// on with 8, 4, 2 and 1, and lane 0 is added to the float64 total. A NaN comes back as the positive quiet one without
/// payload.
///
/// Without overflow or underflow in a lane the result is within 2^-17 times the sum of |a[i] * b[i]|: a lane adds at
/// most 128 products, each with an error of at most 2^-24 of the sum so far.
double cdr_bf16_dot(const void *a, const void *b, size_t count);
/// The sum of the squares: cdr_bf16_dot of the values with themselves.
double cdr_bf16_squared_norm(const void *values, size_t count);

/// The place of the first value that is NaN or infinite; `count` if there is none.
size_t cdr_find_non_finite_bf16(const void *values, size_t count);
size_t cdr_find_non_finite_f16(const void *values, size_t count);
size_t cdr_find_non_finite_f32(const void *values, size_t count);

/// 1 minus the cosine of a row of float32 and the same row in bfloat16, in float64; 0 if one is all zeros.
double cdr_bf16_cosine_error(const void *exact, const void *rounded, size_t count);

#endif

// The float kernels of one level, and their names. Each file by topic defines its kernels for all levels;
// float_dispatch.c chooses the table.
#ifndef FLOAT_TABLE_H
#define FLOAT_TABLE_H

#include "CDRKernels.h"

typedef void cdr_convert(const void *source, void *target, size_t count);

typedef struct {
    cdr_convert *bf16_to_f32, *f32_to_bf16, *f16_to_f32, *f32_to_f16, *bf16_to_f16, *f16_to_bf16;
    double (*bf16_dot)(const void *a, const void *b, size_t count);
    double (*bf16_squared_norm)(const void *values, size_t count);
} cdr_float_table;

#define CDR_DECLARE_LEVEL(level)                                                                          \
    cdr_convert cdr_bf16_to_f32_##level, cdr_f32_to_bf16_##level, cdr_f16_to_f32_##level,                 \
        cdr_f32_to_f16_##level, cdr_bf16_to_f16_##level, cdr_f16_to_bf16_##level;                         \
    double cdr_bf16_dot_##level(const void *a, const void *b, size_t count);                              \
    double cdr_bf16_squared_norm_##level(const void *values, size_t count)

#define CDR_LEVEL_TABLE(level)                                                                            \
    {                                                                                                     \
        cdr_bf16_to_f32_##level, cdr_f32_to_bf16_##level, cdr_f16_to_f32_##level, cdr_f32_to_f16_##level, \
            cdr_bf16_to_f16_##level, cdr_f16_to_bf16_##level, cdr_bf16_dot_##level,                       \
            cdr_bf16_squared_norm_##level                                                                 \
    }

CDR_DECLARE_LEVEL(plain);
#if defined(__x86_64__)
#include <immintrin.h>
#define CDR_AVX2 __attribute__((target("avx2,f16c")))
#define CDR_AVX512 __attribute__((target("avx512f,avx512bw")))
CDR_DECLARE_LEVEL(avx2);
CDR_DECLARE_LEVEL(avx512);
#elif defined(__aarch64__)
#include <arm_neon.h>
CDR_DECLARE_LEVEL(neon);
#endif

#endif

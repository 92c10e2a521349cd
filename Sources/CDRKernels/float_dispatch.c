// Which level of the float kernels runs: asked of the processor at the first call, and kept.
#include "float_table.h"
#include <stdatomic.h>

static const cdr_float_table plain = CDR_LEVEL_TABLE(plain);
#if defined(__x86_64__)
static const cdr_float_table avx2 = CDR_LEVEL_TABLE(avx2);
static const cdr_float_table avx512 = CDR_LEVEL_TABLE(avx512);
#elif defined(__aarch64__)
static const cdr_float_table neon = CDR_LEVEL_TABLE(neon);
#endif

static const cdr_float_table *table(cdr_level level) {
    switch (level) {
    case CDR_LEVEL_PLAIN: return &plain;
#if defined(__x86_64__)
    case CDR_LEVEL_AVX2: return &avx2;
    case CDR_LEVEL_AVX512: return &avx512;
#elif defined(__aarch64__)
    case CDR_LEVEL_NEON: return &neon;
#endif
    default: return NULL;
    }
}

int cdr_level_available(cdr_level level) {
#if defined(__x86_64__)
    if (level == CDR_LEVEL_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
    if (level == CDR_LEVEL_AVX512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
#endif
    return table(level) != NULL;
}

static cdr_level best(void) {
    for (int level = CDR_LEVEL_NEON; level > CDR_LEVEL_PLAIN; level--)
        if (cdr_level_available((cdr_level)level)) return (cdr_level)level;
    return CDR_LEVEL_PLAIN;
}

/// Null until the first call. Threads that ask at once find the same answer, so that it doesn't matter whose is kept.
static _Atomic(const cdr_float_table *) chosen;

static inline const cdr_float_table *kernels(void) {
    const cdr_float_table *found = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (__builtin_expect(!found, 0)) {
        const cdr_float_table *none = NULL;
        found = table(best());
        // A level that was forced meanwhile stays.
        if (!atomic_compare_exchange_strong(&chosen, &none, found)) found = none;
    }
    return found;
}

cdr_level cdr_level_current(void) {
    const cdr_float_table *current = kernels();
    for (int level = CDR_LEVEL_NEON; level > CDR_LEVEL_PLAIN; level--)
        if (table((cdr_level)level) == current) return (cdr_level)level;
    return CDR_LEVEL_PLAIN;
}

int cdr_level_force(cdr_level level) {
    if (level == CDR_LEVEL_BEST) level = best();
    if (!cdr_level_available(level)) return 0;
    atomic_store(&chosen, table(level));
    return 1;
}

void cdr_bf16_to_f32(const void *source, void *target, size_t count) { kernels()->bf16_to_f32(source, target, count); }
void cdr_f32_to_bf16(const void *source, void *target, size_t count) { kernels()->f32_to_bf16(source, target, count); }
void cdr_f16_to_f32(const void *source, void *target, size_t count) { kernels()->f16_to_f32(source, target, count); }
void cdr_f32_to_f16(const void *source, void *target, size_t count) { kernels()->f32_to_f16(source, target, count); }
void cdr_bf16_to_f16(const void *source, void *target, size_t count) { kernels()->bf16_to_f16(source, target, count); }
void cdr_f16_to_bf16(const void *source, void *target, size_t count) { kernels()->f16_to_bf16(source, target, count); }

double cdr_bf16_dot(const void *a, const void *b, size_t count) { return kernels()->bf16_dot(a, b, count); }

double cdr_bf16_squared_norm(const void *values, size_t count) { return kernels()->bf16_squared_norm(values, count); }

#include "archive_arithmetic.h"
#if defined(__x86_64__)
#define LEVEL __attribute__((target("avx2")))
LEVEL void archive_measure_avx2(const archive_cell *cell, const uint8_t *values, archive_moments *moments) { archive_measure(cell, values, moments); }
LEVEL void archive_classify_avx2(const archive_cell *cell, const uint8_t *values, uint16_t *symbols) { archive_classify(cell, values, symbols); }
const uint8_t *archive_decode_avx2(const archive_cell *cell, uint32_t *states, const uint8_t *raw, const uint8_t *words, const uint8_t *end, uint8_t *values) { return archive_decode_plain(cell, states, raw, words, end, values); }
uint8_t *archive_encode_avx2(const cdr_archive_model *model, uint32_t *states, const uint16_t *symbols, const uint8_t *values, uint8_t *words) { return archive_encode_plain(model, states, symbols, values, words); }
#endif

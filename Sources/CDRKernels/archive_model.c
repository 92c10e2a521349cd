// The model of the encoding "archive": from the payload of an auxiliary page to tables.
#include "archive_table.h"

enum { HEADER = 8, BYTES_A_DIMENSION = 5 };

size_t cdr_archive_model_byte_count(size_t dims) {
    size_t padded = archive_padded(dims);
    return archive_align(sizeof(cdr_archive_model)) + archive_align(padded * sizeof(float)) +
           3 * archive_align(padded * sizeof(int16_t)) + (size_t)CONTEXT_COUNT * FREQUENCY_SUM * sizeof(uint32_t) +
           (size_t)CONTEXT_COUNT * SYMBOL_COUNT * sizeof(uint32_t);
}

size_t cdr_archive_payload_bound(size_t dims) {
    return HEADER + BYTES_A_DIMENSION * dims + (size_t)CONTEXT_COUNT * SYMBOL_COUNT * 2;
}

uint32_t cdr_archive_lane_count(const cdr_archive_model *model) { return model->lane_count; }

cdr_archive_model *archive_lay_out(void *memory, size_t dims) {
    cdr_archive_model *model = memory;
    uint8_t *at = memory;
    size_t padded = archive_padded(dims), halves = archive_align(padded * sizeof(int16_t));
    size_t tables = sizeof(uint32_t) * CONTEXT_COUNT * (FREQUENCY_SUM + SYMBOL_COUNT);
    memset(at, 0, cdr_archive_model_byte_count(dims) - tables);
    model->dims = dims;
    model->padded = padded;
    model->units = (float *)(at += archive_align(sizeof(cdr_archive_model)));
    model->means = (int16_t *)(at += archive_align(padded * sizeof(float)));
    model->scales[0] = (int16_t *)(at += halves);
    model->scales[1] = (int16_t *)(at += halves);
    model->decoding = (uint32_t *)(at += halves);
    model->encoding = model->decoding + (size_t)CONTEXT_COUNT * FREQUENCY_SUM;
    return model;
}

/// Whether the numbers of the dimensions, which begin at `bytes`, are what they may be.
static int read_dimensions(cdr_archive_model *model, const uint8_t *bytes) {
    size_t dims = model->dims;
    const uint8_t *units = bytes + 2 * dims, *first = units + dims, *later = first + dims;
    for (size_t i = 0; i < dims; i++) {
        int unit = (int8_t)units[i];
        if (unit < UNIT_MINIMUM || unit > UNIT_MAXIMUM || first[i] >= SCALE_LIMIT || later[i] >= SCALE_LIMIT) return 0;
        uint32_t bits = (uint32_t)(127 + unit) << 23;
        memcpy(&model->units[i], &bits, 4);
        model->means[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
        model->scales[0][i] = first[i];
        model->scales[1][i] = later[i];
    }
    return 1;
}

/// Reads the frequencies of a context. Returns what is behind them, or null.
static const uint8_t *read_frequencies(const uint8_t *bytes, const uint8_t *end, uint16_t *frequencies) {
    size_t symbol = 0;
    while (symbol < SYMBOL_COUNT) {
        if (bytes == end) return NULL;
        unsigned byte = *bytes++;
        if (byte == 0 || byte >= 128) {
            if (bytes == end) return NULL;
            unsigned low = *bytes++;
            if (byte) {
                frequencies[symbol++] = (uint16_t)((byte & 127) << 8 | low);
                continue;
            }
            if (low >= SYMBOL_COUNT - symbol) return NULL;
            for (unsigned i = 0; i <= low; i++) frequencies[symbol++] = 0;
        } else {
            frequencies[symbol++] = (uint16_t)byte;
        }
    }
    return bytes;
}

/// Whether the frequencies of a context are a model, in which every value can be coded.
static int are_frequencies(const uint16_t *frequencies) {
    unsigned sum = 0;
    for (size_t symbol = 0; symbol < SYMBOL_COUNT; symbol++) {
        unsigned exponent = symbol >> 2 & 15;
        if (exponent == 0 && symbol != ESCAPE && frequencies[symbol]) return 0;
        sum += frequencies[symbol];
    }
    return frequencies[ESCAPE] && frequencies[ESCAPE] < FREQUENCY_SUM && sum == FREQUENCY_SUM;
}

static void fill_tables(cdr_archive_model *model, size_t context, const uint16_t *frequencies) {
    uint32_t *encoding = model->encoding + context * SYMBOL_COUNT;
    uint32_t *slots = model->decoding + context * FREQUENCY_SUM;
    uint32_t begin = 0;
    for (uint32_t symbol = 0; symbol < SYMBOL_COUNT; symbol++) {
        uint32_t frequency = frequencies[symbol];
        uint32_t entry = (symbol >> 6) << 31 | (symbol & 63) << ENTRY_SYMBOL | frequency << ENTRY_FREQUENCY;
        encoding[symbol] = frequency ? begin << 16 | frequency : encoding[ESCAPE];
        if (symbol == ESCAPE) encoding[symbol] |= ENTRY_ESCAPE;
        for (uint32_t i = 0; i < frequency; i++) slots[begin + i] = entry | i;
        begin += frequency;
    }
}

static void fill_ranks(cdr_archive_model *model) {
    for (unsigned mask = 0; mask < 256; mask++) {
        uint64_t ranks = 0;
        for (unsigned i = 0; i < 8; i++) ranks |= (uint64_t)__builtin_popcount(mask & ((1u << i) - 1)) << 8 * i;
        model->ranks[mask] = ranks;
    }
}

int cdr_archive_prepare(const void *payload, size_t byte_count, size_t dims, cdr_archive_model *model) {
    const uint8_t *bytes = payload, *end = bytes + byte_count;
    if (dims < 1 || dims > CDR_ARCHIVE_MAXIMUM_DIMS || byte_count < HEADER + BYTES_A_DIMENSION * dims) return 1;
    if (bytes[1] || bytes[2] || bytes[3]) return 2;
    size_t stored_dims = bytes[4] | (size_t)bytes[5] << 8 | (size_t)bytes[6] << 16 | (size_t)bytes[7] << 24;
    unsigned lanes = bytes[0];
    if (stored_dims != dims || (lanes != 16 && lanes != 32 && lanes != 64)) return 1;
    archive_lay_out(model, dims);
    model->lane_count = lanes;
    if (!read_dimensions(model, bytes + HEADER)) return 1;
    bytes += HEADER + BYTES_A_DIMENSION * dims;
    for (size_t context = 0; context < CONTEXT_COUNT; context++) {
        uint16_t frequencies[SYMBOL_COUNT];
        bytes = read_frequencies(bytes, end, frequencies);
        if (!bytes || !are_frequencies(frequencies)) return 1;
        fill_tables(model, context, frequencies);
    }
    fill_ranks(model);
    return bytes != end;
}

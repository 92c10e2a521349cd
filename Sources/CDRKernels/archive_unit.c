// Units of the encoding "archive": their layout, and which kernels run.
#include "archive_table.h"

static const archive_table plain = ARCHIVE_TABLE(plain);
#if defined(__x86_64__)
static const archive_table avx2 = ARCHIVE_TABLE(avx2);
static const archive_table avx512 = ARCHIVE_TABLE(avx512);
#endif

const archive_table *archive_kernels(void) {
    switch (cdr_level_current()) {
#if defined(__x86_64__)
    case CDR_LEVEL_AVX2: return &avx2;
    case CDR_LEVEL_AVX512: return &avx512;
#endif
    default: return &plain;
    }
}

archive_cell archive_cell_of(const cdr_archive_model *model, int32_t *sums, size_t before, uint32_t weight,
                             uint32_t class) {
    uint32_t factor = before ? (uint32_t)(weight * 1024 / before) : 0;
    return (archive_cell){model, model->scales[before > 0], sums, factor, (int32_t)class - CLASS_BASE};
}

int archive_is_zero(const uint8_t *values, size_t dims) {
    for (size_t i = 0; i < 2 * dims; i++)
        if (values[i]) return 0;
    return 1;
}

// MARK: - Choosing

static int floor_log2(uint64_t number) { return 63 - __builtin_clzll(number | 1); }

/// The weight of least squares, in 64ths.
static uint32_t best_weight(const archive_moments *m) {
    if (m->ym <= 0 || m->mm <= 0) return 0;
    int shift = floor_log2((uint64_t)(m->ym > m->mm ? m->ym : m->mm)) > 50 ? 12 : 0;
    int64_t mm = m->mm >> shift, weight = mm ? ((m->ym >> shift) * 64 + mm / 2) / mm : 0;
    return weight < 255 ? (uint32_t)weight : 255;
}

/// The class of a cell: the octave of the mean square of what a weight leaves, in the scales of the model. These are
/// trained with the same rule, so that it matters little how it rounds.
static uint32_t best_class(const archive_moments *m, uint32_t weight, size_t dims) {
    int64_t largest = m->yy > m->mm ? m->yy : m->mm;
    int shift = floor_log2((uint64_t)largest) - 44;
    if (shift < 0) shift = 0;
    int64_t w = weight;
    int64_t rest = (m->yy >> shift) * 4096 - 128 * w * (m->ym >> shift) + w * w * (m->mm >> shift);
    uint64_t mean = rest > 0 ? (uint64_t)rest / dims : 0;
    if (mean == 0) return 0;
    // The squares are in 64ths of a 64th.
    int class = CLASS_BASE + floor_log2(mean) + shift - 24;
    return (uint32_t)(class < 0 ? 0 : class < CLASS_COUNT ? class : CLASS_COUNT - 1);
}

void archive_choose(const archive_table *kernels, const cdr_archive_model *model, int32_t *sums, size_t before,
                    const uint8_t *values, uint32_t *weight, uint32_t *class) {
    archive_cell mean = archive_cell_of(model, sums, before, 64, CLASS_BASE);
    archive_moments moments;
    kernels->measure(&mean, values, &moments);
    *weight = before ? best_weight(&moments) : 0;
    *class = best_class(&moments, *weight, model->dims);
}

// MARK: - Encoding

/// Where the parts of an encoder's memory begin.
typedef struct {
    size_t raw, sums, symbols, words, byte_count;
} encoder_layout;

static encoder_layout layout_of(size_t dims, size_t cells) {
    size_t padded = archive_padded(dims);
    encoder_layout layout = {0};
    layout.raw = archive_align(2 * cells);
    layout.sums = layout.raw + archive_align(cells * archive_raw_byte_count(dims));
    layout.symbols = layout.sums + archive_align(padded * sizeof(int32_t));
    layout.words = layout.symbols + archive_align(cells * padded * sizeof(uint16_t));
    // A cell is begun only while there are fewer words than plain bytes, and adds at most 4 bytes a value. Kernels may
    // write a little in front of their words.
    layout.byte_count = layout.words + archive_align(2 * cells * dims + 4 * dims + 64);
    return layout;
}

size_t cdr_archive_encoding_byte_count(size_t dims, size_t cell_count) {
    return layout_of(dims, cell_count).byte_count;
}

typedef struct {
    uint8_t *heads, *raw;  // of the cells; of the coded cells
    int32_t *sums;
    uint16_t *symbols;           // of the coded cells, padded
    uint8_t *words, *words_end;  // the words grow downwards
} encoder;

static encoder encoder_in(uint8_t *memory, size_t dims, size_t cells) {
    encoder_layout layout = layout_of(dims, cells);
    uint8_t *end = memory + layout.byte_count;
    return (encoder){memory, memory + layout.raw, (int32_t *)(memory + layout.sums),
                     (uint16_t *)(memory + layout.symbols), end, end};
}

/// The low 5 bits of four values.
static uint32_t raw_of_four(const uint8_t *values) {
    uint64_t four;
    memcpy(&four, values, 8);
    four &= 0x001f001f001f001fu;
    four = (four | four >> 11) & 0x000003ff000003ffu;
    return (uint32_t)((four | four >> 22) & 0xfffff);
}

static void put_raw(const uint8_t *values, size_t dims, uint8_t *raw) {
    size_t i = 0;
    for (; dims - i >= 8; i += 8, raw += RAW_BITS) {
        uint64_t bits = raw_of_four(values + 2 * i) | (uint64_t)raw_of_four(values + 2 * i + 8) << 20;
        uint32_t low = (uint32_t)bits;
        memcpy(raw, &low, 4);
        raw[4] = (uint8_t)(bits >> 32);
    }
    uint64_t bits = 0;
    unsigned shift = 0;
    for (; i < dims; i++, shift += RAW_BITS) bits |= (uint64_t)(values[2 * i] & 31) << shift;
    for (unsigned at = 0; at < shift; at += 8) *raw++ = (uint8_t)(bits >> at);
}

/// Chooses what the cells are coded with, and finds symbols and raw bits. Returns how many cells are coded.
static size_t classify_cells(const cdr_archive_model *model, const archive_table *kernels, const uint8_t *values,
                             size_t rows, size_t variants, encoder *e) {
    size_t coded = 0, before = 0, raw = archive_raw_byte_count(model->dims);
    for (size_t cell = 0; cell < rows * variants; cell++, values += 2 * model->dims) {
        if (cell % variants == 0) {
            before = 0;
            memset(e->sums, 0, model->padded * sizeof(int32_t));
        }
        uint32_t weight = 0, class = ZERO_CELL;
        if (!archive_is_zero(values, model->dims)) {
            archive_choose(kernels, model, e->sums, before, values, &weight, &class);
            archive_cell numbers = archive_cell_of(model, e->sums, before, weight, class);
            uint16_t *symbols = e->symbols + coded * model->padded;
            kernels->classify(&numbers, values, symbols);
            memset(symbols + model->dims, 0, (model->padded - model->dims) * sizeof(uint16_t));
            put_raw(values, model->dims, e->raw + coded * raw);
            before++;
            coded++;
        }
        e->heads[2 * cell] = (uint8_t)weight;
        e->heads[2 * cell + 1] = (uint8_t)class;
    }
    return coded;
}

static size_t hidden_byte_count(const cdr_archive_model *model) {
    size_t raw = archive_raw_byte_count(model->dims), room = 2 * (size_t)model->lane_count;
    return raw < room ? raw : room;
}

/// Codes the cells from the last to the first. Returns 0 if there are too many words.
static int encode_cells(const cdr_archive_model *model, const archive_table *kernels, const uint8_t *values,
                        size_t cells, size_t coded, uint32_t *states, encoder *e) {
    size_t limit = 2 * cells * model->dims;
    for (size_t cell = cells; cell-- > 0;) {
        if (e->heads[2 * cell + 1] == ZERO_CELL) continue;
        if ((size_t)(e->words_end - e->words) >= limit) return 0;
        coded--;
        e->words = kernels->encode(model, states, e->symbols + coded * model->padded, values + 2 * cell * model->dims,
                                   e->words);
    }
    return 1;
}

/// Coding begins with the last raw bytes in the states, where the decoder finds them in the end.
static void hide(const uint8_t *bytes, size_t byte_count, uint32_t *states) {
    uint8_t hidden[2 * MOST_LANES] = {0};
    memcpy(hidden, bytes, byte_count);
    for (size_t lane = 0; lane < MOST_LANES; lane++)
        states[lane] = STATE_MINIMUM | hidden[2 * lane] | (uint32_t)hidden[2 * lane + 1] << 8;
}

size_t cdr_archive_encode(const cdr_archive_model *model, const void *values, size_t row_count, size_t variant_count,
                          void *stored, void *memory) {
    const archive_table *kernels = archive_kernels();
    size_t cells = row_count * variant_count, plain_count = 2 * cells * model->dims;
    encoder e = encoder_in(memory, model->dims, cells);
    uint8_t *at = stored;
    size_t coded = classify_cells(model, kernels, values, row_count, variant_count, &e);
    size_t head_count = 2 * cells;
    if (coded == 0) {
        if (head_count >= plain_count) return 0;
        memcpy(at, e.heads, head_count);
        return head_count;
    }
    size_t hidden = hidden_byte_count(model), state_count = 4 * (size_t)model->lane_count;
    size_t raw_count = coded * archive_raw_byte_count(model->dims) - hidden;
    uint32_t states[MOST_LANES];
    hide(e.raw + raw_count, hidden, states);
    if (!encode_cells(model, kernels, values, cells, coded, states, &e)) return 0;
    size_t word_count = (size_t)(e.words_end - e.words);
    if (head_count + state_count + raw_count + word_count >= plain_count) return 0;
    memcpy(at, e.heads, head_count);
    memcpy(at + head_count, states, state_count);
    memcpy(at + head_count + state_count, e.raw, raw_count);
    memcpy(at + head_count + state_count + raw_count, e.words, word_count);
    return head_count + state_count + raw_count + word_count;
}

// MARK: - Decoding

/// The memory of a decoder: the raw bits of the last coded cell, and the sums.
size_t cdr_archive_decoding_byte_count(size_t dims) {
    return archive_align(archive_raw_byte_count(dims) + 64) + archive_align(archive_padded(dims) * sizeof(int32_t));
}

typedef struct {
    const cdr_archive_model *model;
    const archive_table *kernels;
    const uint8_t *heads, *raw, *words, *end;
    size_t rows, variants, coded, last;  // last: the last coded cell
    uint8_t *last_raw;
    int32_t *sums;
    uint32_t states[MOST_LANES];
} decoder;

/// Checks the heads of the cells, and counts the coded ones.
static int read_heads(decoder *d) {
    int is_first = 1;
    for (size_t cell = 0; cell < d->rows * d->variants; cell++) {
        unsigned weight = d->heads[2 * cell], class = d->heads[2 * cell + 1];
        if (cell % d->variants == 0) is_first = 1;
        if (class != ZERO_CELL && class >= CLASS_COUNT) return 0;
        if (weight && (is_first || class == ZERO_CELL)) return 0;
        if (class == ZERO_CELL) continue;
        is_first = 0;
        d->coded++;
        d->last = cell;
    }
    return 1;
}

/// Whether the bits behind the last value of a cell's raw bits are zero.
static int is_padded_with_zeros(const uint8_t *raw, size_t dims) {
    size_t used = dims * RAW_BITS % 8;
    return !used || !(raw[dims * RAW_BITS / 8] >> used);
}

static int decode_cells(decoder *d, uint8_t *values) {
    const cdr_archive_model *model = d->model;
    size_t before = 0, raw_count = archive_raw_byte_count(model->dims);
    for (size_t cell = 0; cell < d->rows * d->variants; cell++, values += 2 * model->dims) {
        if (cell % d->variants == 0) {
            before = 0;
            memset(d->sums, 0, model->padded * sizeof(int32_t));
        }
        unsigned weight = d->heads[2 * cell], class = d->heads[2 * cell + 1];
        if (class == ZERO_CELL) {
            memset(values, 0, 2 * model->dims);
            continue;
        }
        const uint8_t *raw = cell == d->last ? d->last_raw : d->raw;
        if (!is_padded_with_zeros(raw, model->dims)) return 0;
        archive_cell numbers = archive_cell_of(model, d->sums, before++, weight, class);
        d->words = d->kernels->decode(&numbers, d->states, raw, d->words, d->end, values);
        if (!d->words) return 0;
        d->raw += raw_count;
    }
    return d->words == d->end;
}

/// Takes the last raw bytes out of the states, and puts them into the values of the last coded cell, which were decoded
/// with zeros there.
static int reveal(decoder *d, size_t hidden, uint8_t *values) {
    size_t dims = d->model->dims, raw_count = archive_raw_byte_count(dims), first = raw_count - hidden;
    for (size_t i = 0; i < 2 * (size_t)d->model->lane_count; i++) {
        uint32_t state = d->states[i / 2];
        uint8_t byte = (uint8_t)(state >> 8 * (i % 2));
        if (state >> 16 != 1 || (i >= hidden && byte)) return 0;
        if (i < hidden) d->last_raw[first + i] = byte;
    }
    if (!is_padded_with_zeros(d->last_raw, dims)) return 0;
    values += 2 * d->last * dims;
    for (size_t i = 8 * first / RAW_BITS; i < dims; i++) {
        size_t bit = i * RAW_BITS;
        unsigned pair = d->last_raw[bit / 8] | (unsigned)d->last_raw[bit / 8 + 1] << 8;
        uint16_t value;
        memcpy(&value, values + 2 * i, 2);
        value = (uint16_t)((value & ~31u) | (pair >> bit % 8 & 31));
        memcpy(values + 2 * i, &value, 2);
    }
    return 1;
}

int cdr_archive_decode(const cdr_archive_model *model, const void *stored, size_t stored_count, size_t row_count,
                       size_t variant_count, void *values, void *memory) {
    const uint8_t *bytes = stored;
    size_t cells = row_count * variant_count, raw_count = archive_raw_byte_count(model->dims);
    decoder d = {.model = model, .kernels = archive_kernels(), .heads = bytes, .rows = row_count,
                 .variants = variant_count, .last_raw = memory,
                 .sums = (int32_t *)((uint8_t *)memory + archive_align(raw_count + 64)), .end = bytes + stored_count};
    if (stored_count < 2 * cells || !read_heads(&d)) return 1;
    if (d.coded == 0) {
        memset(values, 0, 2 * cells * model->dims);
        return stored_count != 2 * cells;
    }
    size_t state_count = 4 * (size_t)model->lane_count, hidden = hidden_byte_count(model);
    size_t fixed = 2 * cells + state_count + d.coded * raw_count - hidden;
    if (stored_count < fixed || (stored_count - fixed) % 2) return 1;
    memcpy(d.states, bytes + 2 * cells, state_count);
    for (size_t lane = 0; lane < model->lane_count; lane++)
        if (d.states[lane] < STATE_MINIMUM) return 1;
    d.raw = bytes + 2 * cells + state_count;
    d.words = bytes + fixed;
    memset(d.last_raw, 0, archive_align(raw_count + 64));
    memcpy(d.last_raw, d.words - (raw_count - hidden), raw_count - hidden);
    return !decode_cells(&d, values) || !reveal(&d, hidden, values);
}

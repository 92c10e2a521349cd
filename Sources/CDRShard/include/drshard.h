/* libdrshard: reads, writes and loads drshard's shards. Little-endian 64-bit systems.
 *
 * Every function that can fail returns a drs_code: DRS_OK is 0. It then fills *error, unless error is NULL, with an
 * object that the caller frees with drs_error_free; on success *error is not touched. What it was to give is then not
 * given. No function keeps a pointer that it was given longer than the call takes, unless it says so.
 *
 * Texts are UTF-8 and end with a zero; a path that is not UTF-8 is DRS_INVALID_ARGUMENT. Numbers of rows, columns,
 * variants, epochs and steps count from 0.
 *
 * Handles are freed by the one function named for it, once; NULL is taken, and nothing is done then. Handles may be
 * freed in any order: what needs another one keeps it alive. No call may run with a handle that another thread frees.
 *
 * Threads: a drs_dataset, drs_loader, drs_tokenizer and drs_batch may be used by many threads at once; a drs_writer and
 * a drs_epoch by one at a time. A loader's own threads are started by the first drs_epoch_next, and end with
 * drs_epoch_cancel or drs_epoch_free.
 *
 * fork: a child may go on with every handle that it inherits, with threads of its own; but a drs_writer belongs to the
 * process that made it, and refuses others. Whoever forks must be the thread that uses the epochs, or no thread may be
 * inside a call.
 */
#ifndef DRSHARD_H
#define DRSHARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, as "0.1.0". Static. */
const char *drs_version(void);

/* Frees what a function gave as a text. */
void drs_free(void *text);

/* ---- Errors ---- */

enum drs_code {
    DRS_OK = 0,
    DRS_TRUNCATED = 1,           /* the bytes end before the structure does */
    DRS_CORRUPT = 2,             /* the bytes contradict the format */
    DRS_CHECKSUM_MISMATCH = 3,   /* the bytes do not have the checksum that is stored for them */
    DRS_UNSUPPORTED_VERSION = 4, /* a container version that this library does not know */
    DRS_UNSUPPORTED_FEATURE = 5, /* a feature, encoding or field that it does not know and may not skip */
    DRS_LIMIT_EXCEEDED = 6,      /* a number above what the format or the caller allows */
    DRS_SCHEMA_MISMATCH = 7,     /* files, columns or rows that do not belong together */
    DRS_INVALID_ARGUMENT = 8,    /* the caller asked for something that cannot be */
    DRS_IO = 9,                  /* the operating system could not read or write */
    /* Of drs_epoch_next alone, without an error object. */
    DRS_END = 100,     /* there are no more batches, or the epoch was cancelled */
    DRS_NOT_YET = 101, /* the time is up, and the batch is not there */
};

typedef struct drs_error drs_error;

/* What is known of an error. Texts live as long as the error; NULL, or -1: not known. */
typedef struct drs_error_info {
    int32_t code;
    const char *message; /* place, kind and reason in one line */
    const char *reason;
    const char *path;
    const char *column;
    int64_t row_group;
    int64_t variant;
    int64_t page;
    int64_t row;
    int64_t position; /* bytes from the start of the file */
} drs_error_info;

void drs_error_get(const drs_error *error, drs_error_info *info);
void drs_error_free(drs_error *error);

/* ---- Element types, as FORMAT.md section 6.2 numbers them ---- */

enum drs_element {
    DRS_AS_STORED = 0,
    DRS_U8 = 1,
    DRS_I8 = 2,
    DRS_U16 = 3,
    DRS_I16 = 4,
    DRS_U32 = 5,
    DRS_I32 = 6,
    DRS_U64 = 7,
    DRS_I64 = 8,
    DRS_F16 = 9,
    DRS_BF16 = 10,
    DRS_F32 = 11,
    DRS_F64 = 12,
};

/* States of cells. */
enum drs_state {
    DRS_PRESENT = 0,
    DRS_ABSENT = 1, /* there never was a value */
    DRS_LOST = 2,   /* there was one, and it is damaged beyond repair */
};

/* ---- Data sets ---- */

/* One shard, or all shards of a folder as one list of rows. */
typedef struct drs_dataset drs_dataset;

enum drs_open_flags {
    DRS_OPEN_MAPPED = 1,    /* map the files: only where nobody truncates them meanwhile, which ends the process */
    DRS_OPEN_UNCHECKED = 2, /* do not compare the checksums of values */
};

/* Opens a .drs file, or all of a folder. Cost: reads the ends of the files. */
int32_t drs_dataset_open(const char *path, uint32_t flags, drs_dataset **dataset, drs_error **error);
void drs_dataset_free(drs_dataset *dataset);

int64_t drs_dataset_row_count(const drs_dataset *dataset);

/* What it is, as JSON: {"rows", "rowSetDigest", "shards": [{"path", "rows", "bytes", "rowsPerGroup", "notes": [{"key",
 * "value"}]}], "schema": {...}}; the schema as `drshard inspect --json` prints it. To be freed with drs_free. */
int32_t drs_dataset_describe(const drs_dataset *dataset, char **json, drs_error **error);

/* How a column of the first shard is stored, as drs_writer_options names it. Static. */
int32_t drs_dataset_storage(const drs_dataset *dataset, int32_t column, const char **storage, drs_error **error);

/* Reads `count` cells of a tensor column, in any order: cell i is that of rows[i] and variants[i] (NULL: variant 0), and
 * goes to byte i * stride of target, which has byte_count bytes; stride 0: cells without gaps. element: what floats
 * become (bf16, f16, f32), or DRS_AS_STORED. states, if not NULL, gets `count` of drs_state; cells that are not present
 * become zeros. On failure, what was read before lies in target. */
int32_t drs_dataset_read_cells(
    const drs_dataset *dataset, int32_t column, const int64_t *rows, const int32_t *variants, size_t count,
    int32_t element, void *target, size_t byte_count, size_t stride, uint8_t *states, drs_error **error);

/* Reads cells of a column of tokens as rows of ids as models take them: start, tokens, end, zeros up to the tokenizer's
 * context length; one that is too long is cut, and its last id is the end. ids: [count, context]; lengths: [count]. */
int32_t drs_dataset_read_tokens(
    const drs_dataset *dataset, int32_t column, const int64_t *rows, const int32_t *variants, size_t count,
    int32_t *ids, size_t context, int32_t *lengths, uint8_t *states, drs_error **error);

/* Values of any length. */
typedef struct drs_values drs_values;

/* Reads cells of any column as their canonical values (FORMAT.md section 6.2). */
int32_t drs_dataset_read_values(
    const drs_dataset *dataset, int32_t column, const int64_t *rows, const int32_t *variants, size_t count,
    drs_values **values, drs_error **error);

/* Value i is bytes[offsets[i]] to bytes[offsets[i + 1]]; states has one drs_state for each. All live as long as values. */
void drs_values_get(const drs_values *values, const uint8_t **bytes, const int64_t **offsets, const uint8_t **states);
void drs_values_free(drs_values *values);

/* ---- Writing ---- */

/* Writes one shard. Without drs_writer_finish no file appears under its name. */
typedef struct drs_writer drs_writer;

typedef struct drs_column_storage {
    const char *column;
    const char *storage; /* plain, fast, balanced, archive, token_ranks, operation_table, zstd, lz4 */
} drs_column_storage;

typedef struct drs_writer_options {
    size_t size;                       /* of this struct */
    uint64_t shard_tag;                /* another one for every shard of a data set */
    int64_t rows_per_group;            /* 0: chosen from the budgets */
    int64_t group_byte_budget;         /* of values, images aside: what the writer holds in memory */
    int64_t image_byte_budget;
    int32_t compression_level;         /* of zstd, 1 to 22 */
    int64_t page_byte_count;
    int32_t packs_behind;              /* 1: a row group is packed on a thread while the next one is set */
    const drs_column_storage *storage; /* of columns that are not stored as their type suggests */
    size_t storage_count;
} drs_writer_options;

/* Sets all options to what is usual. */
void drs_writer_options_init(drs_writer_options *options, size_t size);

/* Begins a shard. schema: JSON, as drs_dataset_describe gives it. options: NULL for the usual ones. */
int32_t drs_writer_create(
    const char *path, const char *schema, const drs_writer_options *options, drs_writer **writer, drs_error **error);

/* Goes on with the unfinished shard of a writer that was killed, or freed, behind its last complete row group:
 * drs_writer_row_count says with which row. Schema and options must be those of the first writer. */
int32_t drs_writer_resume(
    const char *path, const char *schema, const drs_writer_options *options, drs_writer **writer, drs_error **error);

/* Rows that are finished, those of resumed row groups among them. */
int64_t drs_writer_row_count(const drs_writer *writer);
int64_t drs_writer_rows_per_group(const drs_writer *writer);

/* Sets a cell of the open row to a canonical value. */
int32_t drs_writer_set(
    drs_writer *writer, int32_t column, int32_t variant, const void *bytes, size_t byte_count, drs_error **error);
/* Sets a cell of the open row to have no value: DRS_ABSENT or DRS_LOST. */
int32_t drs_writer_set_missing(
    drs_writer *writer, int32_t column, int32_t variant, int32_t state, drs_error **error);
/* Finishes the open row, all of whose cells must be set. */
int32_t drs_writer_end_row(drs_writer *writer, drs_error **error);
/* Takes back what was set of the open row. */
void drs_writer_discard_row(drs_writer *writer);

/* Cells of several rows of one column. Cell (row, variant) of a tensor column lies at
 * data + row * row_stride + variant * variant_stride; of other columns it is number row * variants + variant, and lies at
 * data + offsets[number] to data + offsets[number + 1]. */
typedef struct drs_cells {
    int32_t column;
    int32_t element;       /* of the data of a tensor: DRS_AS_STORED, or a float that becomes the column's */
    const void *data;
    int64_t row_stride;
    int64_t variant_stride;
    const int64_t *offsets;
    const uint8_t *states; /* one drs_state for each cell; NULL: all are present */
} drs_cells;

/* Appends rows. All columns must be there, each once. Rows before one that is refused are written. */
int32_t drs_writer_append(
    drs_writer *writer, const drs_cells *columns, size_t column_count, size_t row_count, drs_error **error);

/* A fact about the shard for people, for its footer. */
int32_t drs_writer_note(drs_writer *writer, const char *key, const char *value, drs_error **error);

/* Writes the rest, and puts the file in its place. */
int32_t drs_writer_finish(drs_writer *writer, drs_error **error);
/* Gives the shard up, and removes the unfinished file. */
void drs_writer_discard(drs_writer *writer);
/* Frees the writer; a file that is not finished stays unfinished, and can be resumed. */
void drs_writer_free(drs_writer *writer);

/* ---- Loading ---- */

typedef struct drs_loader drs_loader;

enum drs_filter_kind {
    DRS_FILTER_ONLY = 0,   /* rows with these ids */
    DRS_FILTER_EXCEPT = 1, /* all others */
    DRS_FILTER_SPLIT = 2,  /* rows whose ids fall into parts [from, to) of `count` equal ones */
};

typedef struct drs_filter {
    int32_t kind;
    const uint8_t *ids; /* id_count ids of id_byte_count bytes, one behind the other */
    size_t id_count;
    size_t id_byte_count;
    const char *split;
    int64_t from;
    int64_t to;
    int64_t count;
} drs_filter;

/* A data set that a loader takes rows from. */
typedef struct drs_loader_set {
    const drs_dataset *dataset;
    int64_t weight; /* against the other sets */
    const drs_filter *filters;
    size_t filter_count;
    const char *quarantine; /* the text of a list of rows that are not read; NULL: none */
} drs_loader_set;

/* An axis that a part of a batch draws from. */
typedef struct drs_axis {
    const char *name;
    int64_t weight; /* against the part's other axes */
} drs_axis;

enum drs_content {
    DRS_ROW_IDS = 1,
    DRS_EMBEDDINGS = 2,
    DRS_AUGMENTATIONS = 4,
    DRS_TOKENS = 8,
    DRS_TEXTS = 16,
    DRS_IMAGES = 32,
};

enum drs_order { DRS_ORDER_BLOCKS = 0, DRS_ORDER_GLOBAL = 1, DRS_ORDER_NONE = 2 };
enum drs_variants { DRS_VARIANTS_BALANCED = 0, DRS_VARIANTS_EPOCH = 1, DRS_VARIANTS_INDEPENDENT = 2 };
enum drs_tail { DRS_TAIL_DROP = 0, DRS_TAIL_PAD = 1, DRS_TAIL_SHORT = 2 };

typedef struct drs_loader_options {
    size_t size; /* of this struct */
    uint64_t seed;
    int64_t batch_size;    /* of all ranks together */
    int64_t lanes;         /* 0: chosen from the batch size */
    int64_t block_rows;
    int64_t window_blocks; /* 0: chosen */
    int32_t order;         /* drs_order */
    int32_t variants;      /* drs_variants */
    int32_t tail;          /* drs_tail */
    int64_t epoch_steps;   /* of several sets; 0: as many as their rows fill */
    int64_t rank;
    int64_t world_size;
    uint32_t content;             /* drs_content, added up */
    const drs_axis *views;        /* NULL: the only one of its kind */
    size_t view_count;
    const drs_axis *real;
    size_t real_count;
    const drs_axis *synthetic;
    size_t synthetic_count;
    const char *tokenizer;        /* NULL: the only one */
    int32_t embedding_element;    /* DRS_AS_STORED, DRS_BF16, DRS_F16 or DRS_F32 */
    int32_t joins_embeddings;     /* 1: the embedding columns of a part stand side by side in one array */
    int32_t token_element;        /* DRS_I32, DRS_I64 or DRS_U16 */
    int64_t maximum_lost_rows;    /* rows that may be substituted when they turn out to be damaged; -1: none, the run ends */
    int64_t thread_count;         /* 0: one a core, at most 8 */
    int64_t prefetch_byte_count;  /* of batches that are made ahead, at least */
    int64_t read_ahead_byte_count; /* that the system is asked to fetch ahead; 0: none */
} drs_loader_options;

/* Sets all options to what is usual. */
void drs_loader_options_init(drs_loader_options *options, size_t size);

/* Makes a loader of one or several data sets. options: NULL for the usual ones. */
int32_t drs_loader_create(
    const drs_loader_set *sets, size_t set_count, const drs_loader_options *options, drs_loader **loader,
    drs_error **error);
void drs_loader_free(drs_loader *loader);

/* An array of every batch of a loader, [samples, width]: where it lies in the batch's memory.
 *
 *   row, named_row              i64: rows of the data set, delivered, and named by the order
 *   repetition                  u8: whether a padded last batch repeats the sample
 *   set                         i32: of several sets, which one
 *   row_id                      u8
 *   view, real, synthetic       i32 [samples, 2]: axis (of those that are drawn from) and variant, as delivered
 *   view_drawn, ...             the same, as drawn
 *   image_emb, text_emb, syn_text_emb   embeddings; of several columns that are not joined image_emb/COLUMN and so on
 *   text, syn_text              token ids
 *   text_length, syn_text_length   i32: ids before the zeros
 */
typedef struct drs_array {
    const char *name;
    int32_t element;
    int64_t width;  /* elements of a row */
    int64_t offset; /* bytes from the start of the batch's memory */
    int64_t stride; /* bytes from one row to the next */
} drs_array;

/* The arrays of a loader's batches; they live as long as the loader. */
void drs_loader_arrays(const drs_loader *loader, const drs_array **arrays, size_t *count);

/* The names of the parts of its batches that have values of any length: image, augmentation, caption, syn_caption. They
 * live as long as the loader. */
void drs_loader_value_names(const drs_loader *loader, const char *const **names, size_t *count);

/* Steps and, of this rank, samples of an epoch. */
int32_t drs_loader_size(
    const drs_loader *loader, int64_t epoch, int64_t *step_count, int64_t *sample_count, drs_error **error);

/* What a run that goes on at a step of an epoch has to keep: JSON, ORDER.md section 9. To be freed with drs_free. */
int32_t drs_loader_state(
    const drs_loader *loader, int64_t epoch, int64_t step, char **json, drs_error **error);

/* Checks a state of drs_loader_state against this loader, and says of which epoch and step it is: to go on there. The step
 * of a state that was taken behind an epoch's last batch is the number of its steps. */
int32_t drs_loader_resume(
    const drs_loader *loader, const char *state, int64_t *epoch, int64_t *step, drs_error **error);

/* The quarantine list of a set, with the rows that were found damaged since; *text is NULL if there are none. To be freed
 * with drs_free. */
int32_t drs_loader_quarantine(const drs_loader *loader, size_t set, char **text, drs_error **error);

/* Which row, view and captions each sample of a step is, as JSON: the samples that `drshard explain --json` prints. To be
 * freed with drs_free. */
int32_t drs_loader_explain(
    const drs_loader *loader, int64_t epoch, int64_t step, char **json, drs_error **error);

/* What was done since the loader was made. Times are sums, in nanoseconds. */
typedef struct drs_loader_counts {
    uint64_t batch_count;
    uint64_t sample_count;
    uint64_t delivered_byte_count;
    uint64_t read_byte_count;
    uint64_t read_count;
    uint64_t read_nanoseconds;
    uint64_t wait_nanoseconds; /* that callers waited: the loader is too slow for them */
    uint64_t work_nanoseconds; /* of the loader's threads, together */
    uint64_t idle_nanoseconds;
    uint64_t ready_batch_count; /* that were there when one was asked for, added up */
    uint64_t lost_row_count;    /* rows that could not be read, and were substituted */
    uint64_t live_batch_count;  /* memories of batches that somebody holds now */
} drs_loader_counts;

void drs_loader_count(const drs_loader *loader, drs_loader_counts *counts);

/* The batches of an epoch, in order, made ahead. */
typedef struct drs_epoch drs_epoch;
typedef struct drs_batch drs_batch;

/* The batches of an epoch from a step on. stride: 1, or of several takers each takes every so many steps, from another
 * one on: what others take is not decoded. */
int32_t drs_epoch_start(
    const drs_loader *loader, int64_t epoch, int64_t step, int64_t stride, drs_epoch **started, drs_error **error);

typedef struct drs_batch_info {
    drs_batch *batch;
    int64_t epoch;
    int64_t step;
    int64_t count;     /* samples */
    void *data;        /* of all arrays; nobody but the caller uses it until the batch is freed */
    size_t byte_count; /* of data */
} drs_batch_info;

/* Gives the next batch, to be freed with drs_batch_free; waits for it, so many nanoseconds at most (negative: without
 * end). DRS_END behind the last one; DRS_NOT_YET when the time is up: ask again. Behind an error it says so again; an
 * epoch that starts at the next step passes over it. */
int32_t drs_epoch_next(drs_epoch *epoch, int64_t nanoseconds, drs_batch_info *info, drs_error **error);

/* Ends the epoch, from any thread: one that waits in drs_epoch_next gets DRS_END. */
void drs_epoch_cancel(drs_epoch *epoch);
void drs_epoch_free(drs_epoch *epoch);

/* A value of a sample; bytes is NULL if its cell is not present. */
typedef struct drs_value {
    const void *bytes;
    int64_t byte_count;
} drs_value;

/* The values of all samples of a batch, of a part by its place among drs_loader_value_names; they live as long as the
 * batch. Images and texts are bytes, augmentations and locators canonical values (FORMAT.md section 6.2). */
int32_t drs_batch_values(const drs_batch *batch, size_t part, const drs_value **values, drs_error **error);

/* An array of a batch, by its place among drs_loader_arrays, as a DLManagedTensor of DLPack 0.x on the CPU: its deleter
 * has to be called once, from any thread. It keeps the batch's memory, also when the batch is freed. */
int32_t drs_batch_dlpack(const drs_batch *batch, size_t array, void **managed_tensor, drs_error **error);

void drs_batch_free(drs_batch *batch);

/* A destructor for Python's capsules (PyCapsule_New) that hold a handle of this library, under the name of its type such
 * as "drs_batch", or a tensor of drs_batch_dlpack under the name "dltensor": frees what the capsule holds. For the
 * interpreter alone, which calls it with its lock held. */
void drs_delete_capsule(void *capsule);

/* ---- CLIP's tokenizer ---- */

typedef struct drs_tokenizer drs_tokenizer;

/* vocabulary: the text in bpe_simple_vocab_16e6.txt.gz, as it ships with CLIP and open_clip, unpacked. */
int32_t drs_tokenizer_create(const char *vocabulary, size_t byte_count, drs_tokenizer **tokenizer, drs_error **error);
void drs_tokenizer_free(drs_tokenizer *tokenizer);

/* The ids of a text of byte_count bytes, without start and end, not cut: *count of them, of which `capacity` at most are
 * written to ids. What is not UTF-8 is DRS_INVALID_ARGUMENT. */
int32_t drs_tokenizer_encode(
    const drs_tokenizer *tokenizer, const char *text, size_t byte_count, uint16_t *ids, size_t capacity, size_t *count,
    drs_error **error);

/* Why the ids of a text may differ from open_clip's, which has ftfy repair it first; *reason is NULL if they do not.
 * Static. */
int32_t drs_tokenizer_doubt(const char *text, size_t byte_count, const char **reason, drs_error **error);

#ifdef __cplusplus
}
#endif

#endif

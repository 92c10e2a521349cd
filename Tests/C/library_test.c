/* Uses every function of drshard.h as a program in C would, on a set that `drshard sample` and `convert` made.
 *   library_test SHARDS FOLDER    FOLDER: for what it writes
 * Compiled with the address sanitizer, which finds what is freed twice, not at all, or used after.
 */
#define _DEFAULT_SOURCE
#include <drshard.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            failures++; \
        } \
    } while (0)

/* Ends the program if something that has to work does not. */
static void must(int32_t code, drs_error *error, int line) {
    if (code == DRS_OK) return;
    drs_error_info info = {0};
    drs_error_get(error, &info);
    fprintf(stderr, "line %d: code %d: %s\n", line, code, info.message ? info.message : "(no message)");
    exit(1);
}
#define MUST(call) \
    do { \
        drs_error *error = NULL; \
        int32_t code = (call); \
        must(code, error, __LINE__); \
    } while (0)

/* A call that has to fail with a code, and a message that has a part. */
static void refused(int32_t code, drs_error *error, int32_t expected, const char *part, int line) {
    if (code != expected || error == NULL) {
        fprintf(stderr, "line %d: code %d instead of %d\n", line, code, expected);
        failures++;
    }
    if (error == NULL) return;
    drs_error_info info;
    drs_error_get(error, &info);
    if (info.code != expected || strstr(info.message, part) == NULL) {
        fprintf(stderr, "line %d: \"%s\" has no \"%s\"\n", line, info.message, part);
        failures++;
    }
    drs_error_free(error);
}
#define REFUSED(expected, part, call) \
    do { \
        drs_error *error = NULL; \
        int32_t code = (call); \
        refused(code, error, expected, part, __LINE__); \
    } while (0)

/* The number of the column with a name, by its place in the description. */
static int32_t column_number(const char *json, const char *name) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, "{\"name\": \"%s\", \"role\"", name);
    const char *at = strstr(json, "\"columns\": ");
    const char *end = at ? strstr(at, wanted) : NULL;
    int32_t number = -1;
    while (at != NULL && end != NULL && at <= end) {
        number++;
        at = strstr(at + 1, "\"role\": ");
    }
    return number;
}

static char *described(const drs_dataset *set) {
    char *json = NULL;
    MUST(drs_dataset_describe(set, &json, &error));
    return json;
}

static void reads(const char *path) {
    drs_dataset *set = NULL;
    MUST(drs_dataset_open(path, 0, &set, &error));
    CHECK(drs_dataset_row_count(set) == 60);
    char *json = described(set);
    CHECK(strstr(json, "\"rows\": 60") != NULL && strstr(json, "\"element\": \"bf16\"") != NULL);
    int32_t embedding = column_number(json, "image_emb"), tokens = column_number(json, "tokens");
    int32_t text = column_number(json, "text");
    const char *storage = NULL;
    MUST(drs_dataset_storage(set, embedding, &storage, &error));
    CHECK(strcmp(storage, "balanced") == 0);

    int64_t rows[3] = {59, 0, 31};
    int32_t variants[3] = {9, 0, 4};
    uint16_t stored[3][32];
    float converted[3][40];
    uint8_t states[3] = {7, 7, 7};
    MUST(drs_dataset_read_cells(set, embedding, rows, variants, 3, DRS_AS_STORED, stored, sizeof stored, 0, states, &error));
    MUST(drs_dataset_read_cells(
        set, embedding, rows, variants, 3, DRS_F32, converted, sizeof converted, sizeof converted[0], NULL, &error));
    for (int i = 0; i < 3; i++) {
        CHECK(states[i] == DRS_PRESENT);
        for (int k = 0; k < 32; k++) {
            uint32_t bits = (uint32_t)stored[i][k] << 16;
            CHECK(memcmp(&bits, &converted[i][k], 4) == 0);
        }
    }
    int32_t ids[3][77], lengths[3];
    MUST(drs_dataset_read_tokens(set, tokens, rows, NULL, 3, &ids[0][0], 77, lengths, NULL, &error));
    for (int i = 0; i < 3; i++) CHECK(ids[i][0] == 49406 && ids[i][lengths[i] - 1] == 49407);

    drs_values *values = NULL;
    const uint8_t *bytes = NULL, *value_states = NULL;
    const int64_t *offsets = NULL;
    MUST(drs_dataset_read_values(set, text, rows, NULL, 3, &values, &error));
    drs_values_get(values, &bytes, &offsets, &value_states);
    CHECK(offsets[0] == 0 && offsets[3] > 3 && value_states[2] == DRS_PRESENT && bytes[0] >= 'a' && bytes[0] <= 'z');
    drs_values_free(values);

    /* Sizes above what there can be. */
    const size_t huge = (size_t)1 << 63;
    REFUSED(DRS_INVALID_ARGUMENT, "cells",
            drs_dataset_read_cells(set, embedding, rows, NULL, huge, 0, stored, sizeof stored, 0, NULL, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "bytes of the target",
            drs_dataset_read_cells(set, embedding, rows, NULL, 3, 0, stored, huge, 0, NULL, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "cells", drs_dataset_read_values(set, text, rows, NULL, huge, &values, &error));
    rows[1] = 60;
    REFUSED(DRS_INVALID_ARGUMENT, "60",
            drs_dataset_read_cells(set, embedding, rows, NULL, 3, 0, stored, sizeof stored, 0, NULL, &error));
    rows[1] = -1;
    REFUSED(DRS_INVALID_ARGUMENT, "-1", drs_dataset_read_values(set, text, rows, NULL, 3, &values, &error));
    rows[1] = 0;
    REFUSED(DRS_INVALID_ARGUMENT, "bytes",
            drs_dataset_read_cells(set, embedding, rows, NULL, 3, 0, stored, sizeof stored - 1, 0, NULL, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "99",
            drs_dataset_read_cells(set, 99, rows, NULL, 3, 0, stored, sizeof stored, 0, NULL, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "element type 77",
            drs_dataset_read_cells(set, embedding, rows, NULL, 3, 77, stored, sizeof stored, 0, NULL, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "NULL",
            drs_dataset_read_cells(NULL, embedding, rows, NULL, 3, 0, stored, sizeof stored, 0, NULL, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "78", drs_dataset_read_tokens(set, tokens, rows, NULL, 3, &ids[0][0], 78, lengths, NULL, &error));
    /* Without a place for it an error is only its code. */
    CHECK(drs_dataset_describe(set, NULL, NULL) == DRS_INVALID_ARGUMENT);
    drs_free(json);
    drs_dataset_free(set);
    drs_dataset_free(NULL);
    drs_error_free(NULL);
    drs_values_free(NULL);
}

static void errors(const char *folder) {
    drs_dataset *set = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/none", folder);
    REFUSED(DRS_IO, path, drs_dataset_open(path, 0, &set, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "UTF-8", drs_dataset_open("\xff\xfe", 0, &set, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "NULL", drs_dataset_open(NULL, 0, &set, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "flags", drs_dataset_open(folder, 64, &set, &error));
    snprintf(path, sizeof path, "%s/short.drs", folder);
    FILE *file = fopen(path, "wb");
    fputs("not much", file);
    fclose(file);
    REFUSED(DRS_TRUNCATED, path, drs_dataset_open(path, 0, &set, &error));
    remove(path);
    CHECK(set == NULL);
}

static const char *SCHEMA =
    "{\"axes\": [{\"name\": \"view\", \"kind\": \"views\", \"count\": 2, \"exchangeable\": \"yes\"}],"
    " \"columns\": [{\"name\": \"id\", \"role\": \"row_id\", \"type\": \"tensor\", \"element\": \"u8\", \"dims\": [4]},"
    " {\"name\": \"emb\", \"role\": \"image_embedding\", \"type\": \"tensor\", \"element\": \"bf16\", \"dims\": [3], \"axis\": \"view\"},"
    " {\"name\": \"note\", \"role\": \"text\", \"type\": \"utf8\"}]}";

/* Appends rows [first, end): f32 becomes bf16, the second view of every third row is absent. */
static void append(drs_writer *writer, int first, int end) {
    int count = end - first;
    uint8_t *ids = malloc(4 * count), *states = calloc(2 * count, 1);
    float *emb = malloc(sizeof(float) * 6 * count);
    char *notes = malloc(8 * count);
    int64_t *offsets = calloc(count + 1, sizeof(int64_t));
    for (int i = 0; i < count; i++) {
        int row = first + i;
        memcpy(ids + 4 * i, &row, 4);
        for (int k = 0; k < 6; k++) emb[6 * i + k] = row + 0.5f * k;
        states[2 * i + 1] = row % 3 == 0 ? DRS_ABSENT : DRS_PRESENT;
        offsets[i + 1] = offsets[i] + sprintf(notes + offsets[i], "n%d", row);
    }
    drs_cells cells[3] = {
        {.column = 0, .data = ids, .row_stride = 4},
        {.column = 1, .element = DRS_F32, .data = emb, .row_stride = 24, .variant_stride = 12, .states = states},
        {.column = 2, .data = notes, .offsets = offsets},
    };
    MUST(drs_writer_append(writer, cells, 3, count, &error));
    if (first == 0) {
        REFUSED(DRS_INVALID_ARGUMENT, "id", drs_writer_append(writer, cells, 3, 1, &error));
        REFUSED(DRS_INVALID_ARGUMENT, "columns", drs_writer_append(writer, cells, 2, 1, &error));
        cells[1].element = DRS_U8;
        REFUSED(DRS_INVALID_ARGUMENT, "u8", drs_writer_append(writer, cells, 3, 1, &error));
        cells[2].column = 0;
        cells[1].element = DRS_F32;
        REFUSED(DRS_INVALID_ARGUMENT, "twice", drs_writer_append(writer, cells, 3, 1, &error));
        cells[2].column = 2;
        offsets[1] = -1;
        ids[0] = 77;
        REFUSED(DRS_INVALID_ARGUMENT, "offsets", drs_writer_append(writer, cells, 3, 1, &error));
    }
    free(ids), free(states), free(emb), free(notes), free(offsets);
}

static long file_hash(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return -1;
    unsigned long hash = 5381;
    for (int byte; (byte = fgetc(file)) != EOF;) hash = hash * 33 + (unsigned)byte;
    fclose(file);
    return (long)(hash >> 1);
}

static void writes(const char *folder) {
    char whole[512], resumed[512];
    snprintf(whole, sizeof whole, "%s/whole.drs", folder);
    snprintf(resumed, sizeof resumed, "%s/resumed.drs", folder);
    drs_writer_options options;
    drs_writer_options_init(&options, sizeof options);
    drs_column_storage storage = {"emb", "fast"};
    options.shard_tag = 5;
    options.rows_per_group = 8;
    options.storage = &storage;
    options.storage_count = 1;

    drs_writer *writer = NULL;
    MUST(drs_writer_create(whole, SCHEMA, &options, &writer, &error));
    CHECK(drs_writer_rows_per_group(writer) == 8);
    append(writer, 0, 20);
    MUST(drs_writer_note(writer, "made by", "a test", &error));
    MUST(drs_writer_finish(writer, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "finished", drs_writer_finish(writer, &error));
    drs_writer_free(writer);

    /* Freed without being finished: behind the last complete row group it goes on. */
    MUST(drs_writer_create(resumed, SCHEMA, &options, &writer, &error));
    append(writer, 0, 12);
    drs_writer_free(writer);
    CHECK(file_hash(resumed) == -1);
    MUST(drs_writer_resume(resumed, SCHEMA, &options, &writer, &error));
    CHECK(drs_writer_row_count(writer) == 8);
    append(writer, 8, 20);
    MUST(drs_writer_note(writer, "made by", "a test", &error));
    MUST(drs_writer_finish(writer, &error));
    drs_writer_free(writer);
    CHECK(file_hash(whole) == file_hash(resumed));

    drs_dataset *set = NULL;
    MUST(drs_dataset_open(whole, DRS_OPEN_MAPPED, &set, &error));
    int64_t rows[2] = {7, 6};
    int32_t variants[2] = {1, 1};
    float values[2][3];
    uint8_t states[2];
    MUST(drs_dataset_read_cells(set, 1, rows, variants, 2, DRS_F32, values, sizeof values, 0, states, &error));
    CHECK(values[0][0] == 8.5f && values[0][2] == 9.5f && states[0] == DRS_PRESENT && states[1] == DRS_ABSENT);
    CHECK(values[1][0] == 0);
    drs_dataset_free(set);

    char discarded[512];
    snprintf(discarded, sizeof discarded, "%s/discarded.drs", folder);
    MUST(drs_writer_create(discarded, SCHEMA, NULL, &writer, &error));
    MUST(drs_writer_set(writer, 0, 0, "abcd", 4, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "already", drs_writer_set(writer, 0, 0, "abcd", 4, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "emb", drs_writer_set(writer, 1, 0, "abc", 3, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "emb", drs_writer_end_row(writer, &error));
    MUST(drs_writer_set_missing(writer, 1, 0, DRS_LOST, &error));
    MUST(drs_writer_set_missing(writer, 1, 1, DRS_ABSENT, &error));
    MUST(drs_writer_set(writer, 2, 0, NULL, 0, &error));
    MUST(drs_writer_end_row(writer, &error));
    drs_writer_discard_row(writer);
    drs_writer_discard(writer);
    REFUSED(DRS_INVALID_ARGUMENT, "discarded", drs_writer_end_row(writer, &error));
    drs_writer_free(writer);

    /* A forked child has no part in a writer. */
    MUST(drs_writer_create(discarded, SCHEMA, NULL, &writer, &error));
    append(writer, 40, 44);
    fflush(stderr);
    pid_t child = fork();
    if (child == 0) {
        int32_t code = drs_writer_end_row(writer, NULL);
        drs_writer_discard(writer);
        drs_writer_free(writer);
        _exit(code == DRS_INVALID_ARGUMENT ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    append(writer, 44, 48);
    MUST(drs_writer_finish(writer, &error));
    drs_writer_free(writer);
    MUST(drs_dataset_open(discarded, 0, &set, &error));
    CHECK(drs_dataset_row_count(set) == 8);
    drs_dataset_free(set);
    remove(discarded);

    REFUSED(DRS_INVALID_ARGUMENT, "schema", drs_writer_create(discarded, "{", NULL, &writer, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "row_id", drs_writer_create(discarded, "{\"columns\": []}", NULL, &writer, &error));
    options.storage_count = (size_t)1 << 63;
    REFUSED(DRS_INVALID_ARGUMENT, "storages", drs_writer_create(discarded, SCHEMA, &options, &writer, &error));
    options.size = 3;
    REFUSED(DRS_INVALID_ARGUMENT, "3 bytes", drs_writer_create(discarded, SCHEMA, &options, &writer, &error));
    drs_writer_options_init(&options, sizeof options);
    storage.storage = "none";
    options.storage = &storage;
    options.storage_count = 1;
    REFUSED(DRS_INVALID_ARGUMENT, "token_ranks", drs_writer_create(discarded, SCHEMA, &options, &writer, &error));
    remove(whole), remove(resumed);
}

/* An array of a loader by its name. */
static const drs_array *array_named(const drs_loader *loader, const char *name, size_t *number) {
    const drs_array *arrays = NULL;
    size_t count = 0;
    drs_loader_arrays(loader, &arrays, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(arrays[i].name, name) != 0) continue;
        if (number != NULL) *number = i;
        return arrays + i;
    }
    return NULL;
}

/* A number that hangs on all that an epoch delivers from a step on. */
static unsigned long epoch_hash(const drs_loader *loader, int64_t step, int64_t stride, int *batches) {
    const drs_array *embedding = array_named(loader, "image_emb", NULL), *row = array_named(loader, "row", NULL);
    drs_epoch *epoch = NULL;
    MUST(drs_epoch_start(loader, 0, step, stride, &epoch, &error));
    unsigned long hash = 5381;
    *batches = 0;
    for (;;) {
        drs_batch_info info;
        drs_error *error = NULL;
        int32_t code = drs_epoch_next(epoch, 1000000, &info, &error);
        if (code == DRS_NOT_YET) continue;
        if (code == DRS_END) break;
        must(code, error, __LINE__);
        const uint8_t *data = info.data;
        for (int64_t i = 0; i < info.count * embedding->stride; i++) hash = hash * 33 + data[embedding->offset + i];
        for (int64_t i = 0; i < info.count * 8; i++) hash = hash * 33 + data[row->offset + i];
        drs_batch_free(info.batch);
        (*batches)++;
    }
    drs_epoch_free(epoch);
    return hash;
}

/* What DLPack's header declares. */
typedef struct tensor {
    void *data;
    struct { int32_t type, id; } device;
    int32_t ndim;
    struct { uint8_t code, bits; uint16_t lanes; } dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
    void *manager;
    void (*deleter)(struct tensor *);
} tensor;

static void *waits(void *epoch) {
    drs_batch_info info;
    int32_t code;
    while ((code = drs_epoch_next(epoch, -1, &info, NULL)) == DRS_OK) {
        drs_batch_free(info.batch);
        usleep(1000);
    }
    return (void *)(intptr_t)code;
}

static void loads(const char *path) {
    drs_dataset *set = NULL;
    MUST(drs_dataset_open(path, 0, &set, &error));
    drs_loader_options options;
    drs_loader_options_init(&options, sizeof options);
    options.batch_size = 8;
    options.seed = 3;
    options.content = DRS_EMBEDDINGS | DRS_AUGMENTATIONS | DRS_TOKENS | DRS_TEXTS | DRS_ROW_IDS | DRS_IMAGES;
    options.tail = DRS_TAIL_SHORT;
    drs_loader_set sets[1] = {{.dataset = set, .weight = 1}};
    drs_loader *loader = NULL;
    MUST(drs_loader_create(sets, 1, &options, &loader, &error));
    /* The loader keeps what it needs. */
    drs_dataset_free(set);
    int64_t steps = 0, samples = 0;
    MUST(drs_loader_size(loader, 0, &steps, &samples, &error));
    CHECK(steps == 8 && samples == 60);

    drs_epoch *epoch = NULL;
    MUST(drs_epoch_start(loader, 0, 0, 1, &epoch, &error));
    drs_batch_info info;
    MUST(drs_epoch_next(epoch, -1, &info, &error));
    CHECK(info.step == 0 && info.count == 8 && (uintptr_t)info.data % 64 == 0);
    const char *const *names = NULL;
    size_t count = 0, number = 0;
    drs_loader_value_names(loader, &names, &count);
    CHECK(count == 4);
    for (size_t part = 0; part < count; part++) {
        const drs_value *values = NULL;
        MUST(drs_batch_values(info.batch, part, &values, &error));
        for (int i = 0; i < info.count; i++) CHECK(values[i].bytes != NULL && values[i].byte_count > 0);
        if (strcmp(names[part], "caption") == 0) CHECK(memchr(values[0].bytes, 0, values[0].byte_count) == NULL);
    }
    REFUSED(DRS_INVALID_ARGUMENT, "4", drs_batch_values(info.batch, 4, (const drs_value **)&names, &error));
    /* A tensor keeps its batch. */
    const drs_array *embedding = array_named(loader, "syn_text_emb", &number);
    CHECK(embedding != NULL && embedding->element == DRS_BF16 && embedding->width == 32);
    tensor *managed = NULL;
    MUST(drs_batch_dlpack(info.batch, number, (void **)&managed, &error));
    CHECK(managed->data == (uint8_t *)info.data + embedding->offset && managed->ndim == 2 && managed->shape[0] == 8);
    CHECK(managed->shape[1] == 32 && managed->strides[0] == 32 && managed->dtype.code == 4 && managed->dtype.bits == 16);
    uint8_t kept[64];
    memcpy(kept, managed->data, sizeof kept);
    drs_batch_free(info.batch);
    drs_loader_counts counts;
    drs_loader_count(loader, &counts);
    CHECK(counts.batch_count == 1 && counts.live_batch_count >= 1);

    /* State: behind one batch. */
    char *state = NULL;
    MUST(drs_loader_state(loader, 0, 1, &state, &error));
    int64_t at_epoch = -1, at_step = -1;
    MUST(drs_loader_resume(loader, state, &at_epoch, &at_step, &error));
    CHECK(at_epoch == 0 && at_step == 1);
    char *seed = strstr(state, "\"seed\": 3");
    seed[8] = '4';
    REFUSED(DRS_INVALID_ARGUMENT, "seed", drs_loader_resume(loader, state, &at_epoch, &at_step, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "state", drs_loader_resume(loader, "[]", &at_epoch, &at_step, &error));
    drs_free(state);
    /* Behind the last batch: the epoch's own number of steps. */
    MUST(drs_loader_state(loader, 0, 8, &state, &error));
    MUST(drs_loader_resume(loader, state, &at_epoch, &at_step, &error));
    CHECK(at_epoch == 0 && at_step == 8);
    drs_free(state);
    MUST(drs_loader_explain(loader, 0, 7, &state, &error));
    CHECK(strstr(state, "\"shardRow\"") != NULL);
    drs_free(state);
    char *list = (char *)1;
    MUST(drs_loader_quarantine(loader, 0, &list, &error));
    CHECK(list == NULL);
    REFUSED(DRS_INVALID_ARGUMENT, "step 9", drs_epoch_start(loader, 0, 9, 1, &epoch, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "stride", drs_epoch_start(loader, 0, 0, 0, &epoch, &error));

    /* The same bytes, whoever takes which steps. */
    int batches = 0, even = 0, odd = 0;
    unsigned long whole = epoch_hash(loader, 0, 1, &batches);
    CHECK(batches == 8 && epoch_hash(loader, 0, 1, &batches) == whole);
    epoch_hash(loader, 0, 2, &even);
    epoch_hash(loader, 1, 2, &odd);
    CHECK(even == 4 && odd == 4);

    /* A child goes on with its copy, with threads of its own. */
    fflush(stderr);
    pid_t child = fork();
    if (child == 0) {
        int made = 0;
        _exit(epoch_hash(loader, 0, 1, &made) == whole ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    /* Ended from another thread. */
    drs_epoch *other = NULL;
    MUST(drs_epoch_start(loader, 1, 0, 1, &other, &error));
    pthread_t thread;
    pthread_create(&thread, NULL, waits, other);
    usleep(2000);
    drs_epoch_cancel(other);
    void *code = NULL;
    pthread_join(thread, &code);
    CHECK((intptr_t)code == DRS_END);
    drs_epoch_free(other);

    /* The loader is freed before its epoch, and both before the tensor. */
    drs_loader_free(loader);
    drs_epoch_free(epoch);
    CHECK(memcmp(kept, managed->data, sizeof kept) == 0);
    managed->deleter(managed);
}

static void selects(const char *path) {
    drs_dataset *set = NULL;
    MUST(drs_dataset_open(path, 0, &set, &error));
    drs_loader_options options;
    drs_loader_options_init(&options, sizeof options);
    options.batch_size = 4;
    drs_filter filter = {.kind = DRS_FILTER_SPLIT, .split = "half", .from = 0, .to = 1, .count = 2};
    drs_loader_set sets[2] = {{set, 1, &filter, 1, NULL}, {set, 2, NULL, 0, NULL}};
    drs_loader *loader = NULL;
    int64_t steps = 0, samples = 0;
    MUST(drs_loader_create(sets, 1, &options, &loader, &error));
    MUST(drs_loader_size(loader, 0, &steps, &samples, &error));
    CHECK(samples > 10 && samples < 50);
    drs_loader_free(loader);
    MUST(drs_loader_create(sets, 2, &options, &loader, &error));
    CHECK(array_named(loader, "set", NULL) != NULL);
    drs_loader_free(loader);

    sets[0].filter_count = (size_t)1 << 63;
    REFUSED(DRS_INVALID_ARGUMENT, "filters", drs_loader_create(sets, 1, &options, &loader, &error));
    sets[0].filter_count = 1;
    sets[0].weight = sets[1].weight = INT64_MAX;
    REFUSED(DRS_INVALID_ARGUMENT, "weight", drs_loader_create(sets, 2, &options, &loader, &error));
    sets[0].weight = sets[1].weight = 1;
    options.thread_count = 1000000000;
    REFUSED(DRS_INVALID_ARGUMENT, "threads", drs_loader_create(sets, 1, &options, &loader, &error));
    options.thread_count = 0;
    filter.count = 0;
    REFUSED(DRS_INVALID_ARGUMENT, "split", drs_loader_create(sets, 1, &options, &loader, &error));
    sets[0].filter_count = 0;
    sets[0].quarantine = "no list";
    REFUSED(DRS_CORRUPT, "quarantine", drs_loader_create(sets, 1, &options, &loader, &error));
    sets[0].quarantine = NULL;
    options.batch_size = 1000;
    REFUSED(DRS_INVALID_ARGUMENT, "1000", drs_loader_create(sets, 1, &options, &loader, &error));
    options.batch_size = 8;
    options.world_size = 3;
    REFUSED(DRS_INVALID_ARGUMENT, "ranks", drs_loader_create(sets, 1, &options, &loader, &error));
    drs_axis axis = {"no such", 1};
    options.world_size = 1;
    options.views = &axis;
    options.view_count = 1;
    REFUSED(DRS_INVALID_ARGUMENT, "no such", drs_loader_create(sets, 1, &options, &loader, &error));
    REFUSED(DRS_INVALID_ARGUMENT, "without a data set", drs_loader_create(sets, 0, NULL, &loader, &error));
    drs_dataset_free(set);
    drs_loader_free(NULL), drs_epoch_free(NULL), drs_batch_free(NULL), drs_writer_free(NULL), drs_tokenizer_free(NULL);
}

static void tokenizes(void) {
    /* A small vocabulary: a header, and merges that make "ab" and then "abc" at the end of a word. */
    const char *vocabulary = "#version\na b\nab c</w>\n";
    drs_tokenizer *tokenizer = NULL;
    MUST(drs_tokenizer_create(vocabulary, strlen(vocabulary), &tokenizer, &error));
    uint16_t ids[8];
    size_t count = 0;
    MUST(drs_tokenizer_encode(tokenizer, "ABC abc", 7, ids, 8, &count, &error));
    CHECK(count == 2 && ids[0] == 513 && ids[1] == 513);
    MUST(drs_tokenizer_encode(tokenizer, "abc abc", 7, ids, 1, &count, &error));
    CHECK(count == 2);
    REFUSED(DRS_INVALID_ARGUMENT, "UTF-8", drs_tokenizer_encode(tokenizer, "\xff", 1, ids, 8, &count, &error));
    drs_tokenizer_free(tokenizer);
    REFUSED(DRS_CORRUPT, "vocabulary", drs_tokenizer_create("x\nno", 4, &tokenizer, &error));
    const char *reason = "x";
    MUST(drs_tokenizer_doubt("plain", 5, &reason, &error));
    CHECK(reason == NULL);
    MUST(drs_tokenizer_doubt("\xe2\x80\x9cq\xe2\x80\x9d", 7, &reason, &error));
    CHECK(reason != NULL && strstr(reason, "quotation") != NULL);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    /* Of the header's functions only drs_delete_capsule is not used: it is for the interpreter of Python. */
    CHECK(strcmp(drs_version(), "0.1.0") == 0);
    reads(argv[1]);
    errors(argv[2]);
    writes(argv[2]);
    loads(argv[1]);
    selects(argv[1]);
    tokenizes();
    if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
    return failures == 0 ? 0 : 1;
}

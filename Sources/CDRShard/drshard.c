/* The functions of drshard.h are written in Swift, in DRShardC; but for one, which is about Python. */
#define _GNU_SOURCE
#include "drshard.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* What libzstd.a calls stderr, in libdrshard: Scripts/library.sh says why. */
extern FILE *drs_zstd_stderr __attribute__((visibility("hidden")));
FILE *drs_zstd_stderr;

__attribute__((constructor)) static void set_stderr(void) { drs_zstd_stderr = stderr; }

/* What DLPack's header declares, up to the function that deletes it. */
typedef struct managed_tensor {
    void *data;
    int32_t device[2];
    int32_t ndim;
    uint8_t dtype[4];
    int64_t *shape, *strides;
    uint64_t byte_offset;
    void *manager;
    void (*deleter)(struct managed_tensor *);
} managed_tensor;

static void delete_tensor(void *tensor) { ((managed_tensor *)tensor)->deleter(tensor); }

/* Q: Why in C, and not in Python's destructors? A: An interrupt that comes while one of those runs is lost, and one that
 * runs while an exception is under way fails. */
void drs_delete_capsule(void *capsule) {
    static const struct {
        const char *name;
        void (*delete)(void *);
    } kinds[] = {
        {"drs_batch", (void (*)(void *))drs_batch_free},     {"drs_values", (void (*)(void *))drs_values_free},
        {"drs_epoch", (void (*)(void *))drs_epoch_free},     {"drs_loader", (void (*)(void *))drs_loader_free},
        {"drs_dataset", (void (*)(void *))drs_dataset_free}, {"drs_writer", (void (*)(void *))drs_writer_free},
        {"drs_tokenizer", (void (*)(void *))drs_tokenizer_free}, {"dltensor", delete_tensor},
    };
    /* The interpreter's own, found in the process once: the library links no Python. The interpreter's lock is held. */
    static const char *(*get_name)(void *);
    static void *(*get_pointer)(void *, const char *);
    if (get_pointer == NULL) {
        get_name = (const char *(*)(void *))dlsym(RTLD_DEFAULT, "PyCapsule_GetName");
        get_pointer = (void *(*)(void *, const char *))dlsym(RTLD_DEFAULT, "PyCapsule_GetPointer");
    }
    if (get_name == NULL || get_pointer == NULL) return;
    const char *name = get_name(capsule);
    if (name == NULL) return;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(name, kinds[i].name) != 0) continue;
        void *pointer = get_pointer(capsule, name);
        if (pointer != NULL) kinds[i].delete(pointer);
    }
}

// How long libdeflate and zlib take for the gzip members of tars, alone: everything lies in memory, and what comes out
// goes to one buffer. Prints a line of JSON: members, bytes in and out, seconds of processor time and of the clock.
//   inflate REPEATS TAR...
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum { OUTPUT_BYTE_COUNT = 64 << 20 };

static double seconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct {
    const unsigned char *bytes;
    size_t count;
} member;

static member *members;
static size_t member_count, input_byte_count;
static unsigned char *output;

static void add_tar(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) exit(2);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    unsigned char *tar = malloc((size_t)size);
    if (!tar || fread(tar, 1, (size_t)size, file) != (size_t)size) exit(2);
    fclose(file);
    for (long at = 0; at + 512 <= size && tar[at];) {
        const char *name = (const char *)tar + at;
        long count = strtol(name + 124, NULL, 8);
        size_t length = strnlen(name, 100);
        if (length > 3 && !strncmp(name + length - 3, ".gz", 3)) {
            members = realloc(members, (member_count + 1) * sizeof *members);
            members[member_count++] = (member){tar + at + 512, (size_t)count};
            input_byte_count += (size_t)count;
        }
        at += 512 + ((count + 511) & ~511L);
    }
}

static size_t run_libdeflate(void) {
    size_t total = 0;
    struct libdeflate_decompressor *handle = libdeflate_alloc_decompressor();
    for (size_t i = 0; i < member_count; i++) {
        size_t count = 0;
        if (libdeflate_gzip_decompress(handle, members[i].bytes, members[i].count, output, OUTPUT_BYTE_COUNT, &count))
            exit(3);
        total += count;
    }
    libdeflate_free_decompressor(handle);
    return total;
}

static size_t run_zlib(void) {
    size_t total = 0;
    for (size_t i = 0; i < member_count; i++) {
        z_stream stream = {0};
        if (inflateInit2(&stream, 15 + 16) != Z_OK) exit(3);
        stream.next_in = (unsigned char *)members[i].bytes;
        stream.avail_in = (uInt)members[i].count;
        stream.next_out = output;
        stream.avail_out = OUTPUT_BYTE_COUNT;
        if (inflate(&stream, Z_FINISH) != Z_STREAM_END) exit(3);
        total += stream.total_out;
        inflateEnd(&stream);
    }
    return total;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    output = malloc(OUTPUT_BYTE_COUNT);
    memset(output, 1, OUTPUT_BYTE_COUNT);
    for (int i = 2; i < count; i++) add_tar(arguments[i]);
    for (int repeat = 0; repeat < atoi(arguments[1]); repeat++) {
        for (int which = 0; which < 2; which++) {
            double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
            size_t total = which ? run_zlib() : run_libdeflate();
            cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
            wall = seconds(CLOCK_MONOTONIC) - wall;
            printf("{\"inflater\": \"%s\", \"members\": %zu, \"in\": %zu, \"out\": %zu, \"cpu\": %.6f, \"wall\": %.6f}\n",
                   which ? "zlib" : "libdeflate", member_count, input_byte_count, total, cpu, wall);
        }
    }
    return 0;
}

/* A log on a disk that forgets, stepped by hand; and entries whose bytes follow from group, index and term. */
#ifndef WARREN_TESTS_UNIT_REPLICATION_LOG_LOG_BENCH_H
#define WARREN_TESTS_UNIT_REPLICATION_LOG_LOG_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "replication/log/log.h"
#include "tests/sim/disk.h"

#define BENCH_FOLDER "/node/log"

enum { BENCH_GROUPS = 4, BENCH_FILE_SIZE = 16 << 10, BENCH_SECTOR = 512 };

struct bench {
    struct disk *disk;
    struct executor *executor;
    struct log *log;
    struct log_params params; /* of the next bench_open() */
    unsigned failures, durable_calls;
    struct err err; /* of the last failure or refused open */
};

static inline void bench_failed(void *arg, const struct err *err)
{
    struct bench *b = arg;
    b->failures++;
    b->err = *err;
}

static inline void bench_durable(void *arg)
{
    ((struct bench *)arg)->durable_calls++;
}

static inline void bench_start(struct bench *b)
{
    *b = (struct bench){.disk = disk_create(), .executor = jobs_create()};
    b->params = (struct log_params){.directory = BENCH_FOLDER,
                                    .executor = b->executor,
                                    .group_count = BENCH_GROUPS,
                                    .file_size = BENCH_FILE_SIZE,
                                    .cache_size = 4096,
                                    .failed = bench_failed,
                                    .arg = b};
}

static inline int bench_try_open(struct bench *b)
{
    b->params.fs = disk_fs(b->disk);
    int code = log_open(&b->log, &b->params, &b->err);
    if (code) b->log = NULL;
    else log_on_durable(b->log, bench_durable, b);
    return code;
}

static inline void bench_open(struct bench *b)
{
    int code = bench_try_open(b);
    if (code) print_error("%s\n", b->err.text);
    assert_int_equal(code, 0);
}

static inline void bench_run(struct bench *b)
{
    while (jobs_pending(b->executor)) jobs_step(b->executor);
}

/* Writes what was appended and waits until it is durable. */
static inline void bench_flush(struct bench *b)
{
    log_flush(b->log);
    bench_run(b);
}

/* An orderly stop. */
static inline void bench_close(struct bench *b)
{
    if (!b->log) return;
    bench_run(b);
    log_close(b->log);
    b->log = NULL;
}

static inline void bench_end(struct bench *b)
{
    bench_close(b);
    jobs_destroy(b->executor);
    disk_destroy(b->disk);
}

/* The node goes on with another disk: what a crash left. */
static inline void bench_take_disk(struct bench *b, struct disk *disk)
{
    bench_close(b);
    disk_destroy(b->disk);
    b->disk = disk;
}

static inline void bench_crash(struct bench *b, uint64_t seed)
{
    bench_take_disk(b, disk_after_crash(b->disk, seed));
}

/* The process is killed, the machine lives: nothing more is written, and what was written but not
 * synced can be read. */
static inline void bench_kill(struct bench *b)
{
    disk_fill(b->disk, true);
    bench_close(b);
    disk_fill(b->disk, false);
}

/* --- entries --- */

static inline uint8_t bench_byte(uint32_t group, uint64_t index, uint64_t term, uint32_t at)
{
    return (uint8_t)(group * 71 + index * 13 + term * 7 + at * 31);
}

/* Two parts, as on a leader. */
static inline struct entry *bench_entry(uint32_t group, uint64_t index, uint64_t term, uint32_t size)
{
    struct blob *blob = blob_create(size);
    for (uint32_t i = 0; i < size; i++) blob->data[i] = bench_byte(group, index, term, i);
    struct part parts[2] = {{blob, 0, size / 3}, {blob_ref(blob), size / 3, size - size / 3}};
    return entry_create(ENTRY_COMMAND, index, term, parts, 2);
}

static inline uint64_t bench_append(struct bench *b, uint32_t group, uint64_t index, uint64_t term, uint32_t size)
{
    struct entry *e = bench_entry(group, index, term, size);
    uint64_t lsn = log_append_entry(b->log, group, e);
    entry_unref(e);
    return lsn;
}

/* Entries first .. last, `size` bytes each. */
static inline void bench_append_range(struct bench *b, uint32_t group, uint64_t first, uint64_t last, uint64_t term,
                                      uint32_t size)
{
    for (uint64_t i = first; i <= last; i++) bench_append(b, group, i, term, size);
}

static inline bool bench_holds(struct bench *b, uint32_t group, uint64_t index, uint64_t term, uint32_t size)
{
    if (log_entry_term(b->log, group, index) != term) return false;
    struct entry *e = log_entry(b->log, group, index, &b->err);
    bool same = e && e->index == index && e->term == term && e->type == ENTRY_COMMAND && e->size == size;
    uint32_t at = 0;
    for (uint32_t p = 0; same && p < e->part_count; p++) {
        struct slice bytes = part_slice(e->parts[p]);
        for (size_t i = 0; same && i < bytes.size; i++, at++)
            same = bytes.data[i] == bench_byte(group, index, term, at);
    }
    entry_unref(e);
    return same;
}

static inline struct log_group_state bench_state(struct bench *b, uint32_t group)
{
    struct log_group_state state;
    log_group_state(b->log, group, &state);
    return state;
}

/* The n-th file of the log, oldest first; NULL: there are fewer. */
static inline const char *bench_file(struct bench *b, const char *end, size_t n)
{
    const char *name;
    for (size_t i = 0; (name = disk_name(b->disk, BENCH_FOLDER "/", i)); i++)
        if (strstr(name, end) && n-- == 0) return name;
    return NULL;
}

static inline size_t bench_count_files(struct bench *b, const char *end)
{
    size_t count = 0;
    while (bench_file(b, end, count)) count++;
    return count;
}

#endif

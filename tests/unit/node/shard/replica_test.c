/* A program that is too old for its cluster stops, and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/meta/meta_machine.h"
#include "node/queue/command.h"
#include "node/queue/port_id.h"
#include "node/shard/shard_internal.h"
#include "router/members.h"

enum { NODE = 2 };

struct bench {
    struct node_settings settings;
    struct shard shard;
    struct meta_machine *meta;
    uint64_t index;
};

/* One shard without siblings, its broker, and the meta machine as a replica has it. */
static void bench_open(struct bench *b)
{
    struct logger_settings logger;
    struct err err;
    *b = (struct bench){0};
    logger_settings_init(&logger);
    if (logger_open(&b->settings.logger, &logger, &err)) abort();
    b->shard = (struct shard){.settings = &b->settings, .topology = topology_create(1)};
    struct broker_params params = {.node = NODE,
                                   .epoch = 1,
                                   .shard_count = 1,
                                   .group_count = 2,
                                   .topology = b->shard.topology,
                                   .io = &b->shard.broker_io};
    b->shard.broker = broker_create(&params);
    b->meta = meta_machine_create(b->shard.topology, replicas_topology_applied, &b->shard);
}

/* As an entry of the meta group's log. */
static void apply(struct bench *b, const struct topology_command *c)
{
    struct machine machine = meta_machine_as_machine(b->meta);
    struct chunk_writer writer = {0};
    struct effects effects;
    struct buf bytes = {0};
    effects_init(&effects);
    topology_command_encode(&bytes, c);
    chunk_writer_begin(&writer, port_id(1, 1, 1), b->index, 0);
    command_topology_encode(&writer, buf_slice(&bytes));
    struct blob *chunk = chunk_writer_finish(&writer, 0);
    struct part parts[2] = {entry_header(1000), {chunk, 0, chunk->size}};
    struct entry *e = entry_create(ENTRY_COMMAND, ++b->index, 1, parts, 2);
    machine.ops->apply(machine.self, e, &effects);
    entry_unref(e);
    effects_close(&effects);
    chunk_writer_close(&writer);
    buf_close(&bytes);
}

/* The only member tells that its program knows `level`, and the cluster goes there. */
static void go_to_level(uint16_t level)
{
    static const uint8_t disk[16] = {7};
    struct bench b;
    bench_open(&b);
    struct topology_command tell =
        member_tell_command(NODE, slice_str("n"), slice_str("a"), slice_str(""), slice_of(disk, sizeof disk));
    tell.group = level;
    struct topology_command go = members_level_command(level);
    apply(&b, &tell);
    apply(&b, &go);
    if (topology_level(b.shard.topology) != level) abort();
}

/* In a process of its own: its exit code, and what it wrote to its log. */
static int code_of(uint16_t level, char *text, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        go_to_level(level);
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], text, size - 1);
    text[got > 0 ? got : 0] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void a_cluster_of_a_newer_level_ends_the_process(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(code_of(LEVEL_NOW, text, sizeof text), 0);
    assert_int_equal(code_of(LEVEL_NOW + 1, text, sizeof text), 78);
    assert_non_null(strstr(text, "outdated"));
    assert_non_null(strstr(text, "install the newer program again"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_of_a_newer_level_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "node/shard/resources.h"

#include <stdio.h>
#include <unistd.h>

#include "config/config.h"

/* "max", or a number of bytes; a limit far above the machine's memory is how version 1 says that there is none. */
static uint64_t read_limit(const char *path)
{
    unsigned long long bytes = 0;
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    if (fscanf(f, "%llu", &bytes) != 1) bytes = 0;
    fclose(f);
    return bytes;
}

uint64_t resources_memory(void)
{
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = read_limit("/sys/fs/cgroup/memory.max");
    if (!limit) limit = read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    return limit && limit < all ? limit : all;
}

uint64_t resources_memory_total(const struct config *c)
{
    return c->memory_total ? (uint64_t)c->memory_total : resources_memory();
}

static uint64_t share(const struct config *c, double part)
{
    return (uint64_t)((double)resources_memory_total(c) * part);
}

uint64_t resources_memory_limit(const struct config *c)
{
    return c->memory_high_watermark ? (uint64_t)c->memory_high_watermark : share(c, c->memory_relative);
}

uint64_t resources_disk_limit(const struct config *c)
{
    return c->disk_free_relative > 0 ? share(c, c->disk_free_relative) : (uint64_t)c->disk_free_limit;
}

#include "replication/cluster/replicas.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static const char title[] = "warren replicas 1\n";
static const char *const words[] = {
    [REPLICA_FOUNDER] = "founder", [REPLICA_JOINED] = "joined", [REPLICA_DROPPED] = "dropped"};

static bool take_line(const char *line, struct replica *replicas, uint32_t group_count)
{
    unsigned group;
    char word[16];
    unsigned long long term = 0, index = 0, founders = 0;
    if (sscanf(line, "%u %15s %llu %llu %llu", &group, word, &term, &index, &founders) < 2 || group >= group_count)
        return false;
    for (uint8_t kind = REPLICA_FOUNDER; kind <= REPLICA_DROPPED; kind++)
        if (!strcmp(word, words[kind])) replicas[group] = (struct replica){kind, {term, index}, founders};
    return replicas[group].kind != REPLICA_NONE;
}

int replicas_read(struct fs *fs, const char *path, struct replica *replicas, uint32_t group_count, struct err *err)
{
    uint8_t *data;
    size_t size;
    int code = fs_read_file(fs, path, &data, &size, err);
    if (code) return code;
    memset(replicas, 0, group_count * sizeof *replicas);
    char *text = mem_alloc(size + 1), *rest = NULL;
    memcpy(text, data, size);
    text[size] = 0;
    mem_free(data);
    bool fine = !strncmp(text, title, strlen(title));
    for (char *line = fine ? strtok_r(text + strlen(title), "\n", &rest) : NULL; line && fine;
         line = strtok_r(NULL, "\n", &rest))
        fine = take_line(line, replicas, group_count);
    mem_free(text);
    return fine ? 0 : (int)err_set(err, ERR_CORRUPT, "%s is not a list of replicas, or of another cluster", path);
}

int replicas_write(struct fs *fs, const char *path, const struct replica *replicas, uint32_t group_count,
                   struct err *err)
{
    struct buf b = {0};
    char line[112];
    buf_put(&b, title, strlen(title));
    for (uint32_t group = 0; group < group_count; group++) {
        const struct replica *r = &replicas[group];
        if (r->kind == REPLICA_NONE) continue;
        int size = snprintf(line, sizeof line, "%u %s %llu %llu", group, words[r->kind],
                            (unsigned long long)r->floor.term, (unsigned long long)r->floor.index);
        if (r->founders)
            size += snprintf(line + size, sizeof line - (size_t)size, " %llu", (unsigned long long)r->founders);
        line[size++] = '\n';
        buf_put(&b, line, (size_t)size);
    }
    int code = fs_write_file(fs, path, buf_slice(&b), err);
    buf_close(&b);
    return code;
}

uint32_t replica_founders(const struct replica *r, struct group_member *members)
{
    uint32_t count = 0;
    for (uint8_t node = 1; node < 64 && count < GROUP_MEMBERS_MAX; node++)
        if (r->founders >> node & 1) members[count++] = (struct group_member){.node = node, .role = GROUP_VOTER};
    return count;
}

static void collect(void *arg, const char *name)
{
    buf_put(arg, name, strlen(name) + 1);
}

/* The empty folder stays: it says nothing. */
int replica_remove_files(struct fs *fs, const char *directory, struct err *err)
{
    struct buf names = {0}; /* zero-terminated, one after the other */
    int code = fs->list(fs, directory, collect, &names, err);
    for (size_t at = 0; !code && at < names.size; at += strlen((char *)names.data + at) + 1) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", directory, (char *)names.data + at);
        code = fs->unlink(fs, path, err);
    }
    if (!code && names.size) code = fs->sync_dir(fs, directory, err);
    buf_close(&names);
    return code == ERR_NOT_FOUND ? 0 : code;
}

#include "node/shard/discovery.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "replication/sys/fs.h"

enum { ADDRESSES_MAX = 63, HOST_SIZE = 64, PATH_SIZE = CONFIG_TEXT_MAX + 16, FORMATION_MAX = 64 << 10 };

struct address {
    struct sockaddr_storage raw;
    socklen_t size;
    char text[HOST_SIZE];
};

struct found {
    struct address items[ADDRESSES_MAX];
    size_t count;
};

/* --- addresses --- */

static int by_bytes(const void *a, const void *b)
{
    return memcmp(&((const struct address *)a)->raw, &((const struct address *)b)->raw,
                  sizeof(struct sockaddr_storage));
}

static void add(struct found *f, const struct addrinfo *info)
{
    struct address *a = &f->items[f->count];
    *a = (struct address){.size = info->ai_addrlen};
    memcpy(&a->raw, info->ai_addr, info->ai_addrlen);
    if (getnameinfo(info->ai_addr, info->ai_addrlen, a->text, sizeof a->text, NULL, 0, NI_NUMERICHOST)) return;
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->items[i].text, a->text)) return;
    f->count++;
}

/* A name with both kinds of records has the same machines twice: the older kind counts. */
static void look_up(const char *name, struct found *f)
{
    static const int families[] = {AF_INET, AF_INET6};
    f->count = 0;
    for (size_t i = 0; i < 2 && !f->count; i++) {
        struct addrinfo hints = {.ai_family = families[i], .ai_socktype = SOCK_STREAM}, *list = NULL;
        if (getaddrinfo(name, NULL, &hints, &list)) continue;
        for (struct addrinfo *at = list; at && f->count < ADDRESSES_MAX; at = at->ai_next) add(f, at);
        freeaddrinfo(list);
    }
    qsort(f->items, f->count, sizeof *f->items, by_bytes);
}

static bool is_ours(const struct address *a)
{
    int fd = socket(a->raw.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ours = fd >= 0 && !bind(fd, (const struct sockaddr *)&a->raw, a->size);
    if (fd >= 0) close(fd);
    return ours;
}

/* The place of this machine, from 1; 0: none, or several and cluster.listen does not say which. */
static size_t own_place(const struct config *c, const struct found *f)
{
    size_t ours = 0, count = 0;
    for (size_t i = 0; i < f->count; i++) {
        size_t size = strlen(f->items[i].text);
        const char *listen = c->cluster_listen + (*c->cluster_listen == '[');
        if (!strncmp(listen, f->items[i].text, size) && strchr(":]", listen[size])) return i + 1;
        if (is_ours(&f->items[i])) ours = i + 1, count++;
    }
    return count == 1 ? ours : 0;
}

static void put_address(const struct config *c, const struct address *a, char to[CONFIG_TEXT_MAX])
{
    snprintf(to, CONFIG_TEXT_MAX, a->raw.ss_family == AF_INET6 ? "[%s]:%lld" : "%s:%lld", a->text,
             (long long)c->formation_port);
}

/* --- what was found before --- */

static void path_of(const struct config *c, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/formation", c->data_dir);
}

static int keep(const struct config *c, struct err *err)
{
    char path[PATH_SIZE];
    struct buf text = {0};
    path_of(c, path);
    buf_printf(&text, "node.id = %lld\n", (long long)c->node_id);
    for (int id = 1; id < CONFIG_LIST_MAX; id++)
        if (*c->cluster_peers[id]) buf_printf(&text, "cluster.peers.%d = %s\n", id, c->cluster_peers[id]);
    int code = fs_posix()->mkdir(fs_posix(), c->data_dir, err);
    if (!code) code = fs_write_file(fs_posix(), path, buf_slice(&text), err);
    buf_close(&text);
    return code;
}

/* ERR_NOT_FOUND: this is the first start. */
static int remember(struct config *c, struct err *err)
{
    char path[PATH_SIZE];
    uint8_t *text;
    size_t size;
    path_of(c, path);
    int code = fs_read_file(fs_posix(), path, &text, &size, err);
    if (code) return code;
    code = config_parse(c, slice_of(text, size), path, err);
    mem_free(text);
    return code;
}

/* --- the first start --- */

static void wait_for_addresses(const struct config *c, size_t wanted, struct found *f, void (*note)(const char *text))
{
    struct timespec pause = {.tv_sec = c->discovery_interval_ms / 1000,
                             .tv_nsec = c->discovery_interval_ms % 1000 * 1000000};
    char text[2 * CONFIG_TEXT_MAX];
    for (int64_t i = 0;; i++) {
        size_t before = f->count;
        look_up(c->formation_dns, f);
        if (f->count >= wanted || i >= c->discovery_limit) return;
        snprintf(text, sizeof text, "%s has %zu addresses, waiting for %zu", c->formation_dns, f->count, wanted);
        if (i == 0 || f->count != before) note(text);
        nanosleep(&pause, NULL);
    }
}

static int found_cluster(struct config *c, const struct found *f, struct err *err)
{
    size_t own = own_place(c, f);
    if (f->count != (size_t)c->formation_size)
        return (int)err_set(err, ERR_NOT_FOUND,
                            "cluster_formation.dns.hostname = %s has %zu addresses, "
                            "cluster_formation.target_cluster_size_hint says %lld",
                            c->formation_dns, f->count, (long long)c->formation_size);
    if (!own)
        return (int)err_set(err, ERR_INVALID,
                            "cluster_formation.dns.hostname = %s: none of its addresses is this machine's, or several "
                            "are: name one in cluster.listen",
                            c->formation_dns);
    c->node_id = (int64_t)own;
    for (size_t i = 0; i < f->count; i++) put_address(c, &f->items[i], c->cluster_peers[i + 1]);
    return keep(c, err);
}

/* Two of them are asked, and not this node itself. */
static int join_cluster(struct config *c, const struct found *f, struct err *err)
{
    char address[CONFIG_TEXT_MAX];
    size_t own = own_place(c, f), count = 0;
    struct buf text = {0};
    for (size_t i = 0; i < f->count && count < 2; i++) {
        if (i + 1 == own) continue;
        put_address(c, &f->items[i], address);
        buf_printf(&text, "%s%s", count++ ? "," : "", address);
    }
    buf_put_u8(&text, 0);
    snprintf(c->cluster_join, sizeof c->cluster_join, "%s", (const char *)text.data);
    buf_close(&text);
    return count ? 0
                 : (int)err_set(err, ERR_NOT_FOUND, "cluster_formation.dns.hostname = %s has no address to join",
                                c->formation_dns);
}

int discovery_run(struct config *c, void (*note)(const char *text), struct err *err)
{
    struct found found = {0};
    if (!*c->formation_dns || *c->cluster_join || *c->cluster_peers[c->node_id]) return 0;
    bool later = c->node_id > c->formation_size;
    int code = later ? ERR_NOT_FOUND : remember(c, err);
    if (code != ERR_NOT_FOUND) return code;
    wait_for_addresses(c, later ? 1 : (size_t)c->formation_size, &found, note);
    return later ? join_cluster(c, &found, err) : found_cluster(c, &found, err);
}

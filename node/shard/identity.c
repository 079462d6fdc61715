/* Who a data directory belongs to. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/hash.h"
#include "node/shard/shard_internal.h"

enum { IDENTITY_TEXT_MAX = 1024, EPOCH_TEXT_MAX = 32, EPOCH_MAX = 0xffffff /* what a port's number has room for */ };

static void path_of(const struct node_settings *s, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", s->data_dir, name);
}

/* What must never change while the data is kept. */
static size_t shape_text(const struct node_settings *s, char text[IDENTITY_TEXT_MAX])
{
    return (size_t)snprintf(text, IDENTITY_TEXT_MAX, "node.id = %u\ncluster.groups = %u\nshards = %u\n", s->node,
                            s->placement.group_count - 1 - s->placement.spare_count, s->shard_count);
}

static void on_name(void *arg, const char *name)
{
    if (strncmp(name, "shard-", 6) == 0) *(bool *)arg = true;
}

/* Epoch 0 is there before the identity: an identity without an epoch has lost it. */
static int begin_epochs(const struct node_settings *s, struct err *err)
{
    char path[512];
    uint8_t *found;
    size_t size;
    bool used = false;
    int code = fs_posix()->list(fs_posix(), s->data_dir, on_name, &used, err);
    if (code) return code;
    if (used)
        return (int)err_set(err, ERR_CORRUPT,
                            "%s has data, but its file identity is missing: nobody knows whose data it is. Put the "
                            "file back, or move the data aside and let this machine join as a new node",
                            s->data_dir);
    path_of(s, "epoch", path, sizeof path);
    code = fs_read_file(fs_posix(), path, &found, &size, NULL);
    if (!code) mem_free(found);
    return code == ERR_NOT_FOUND ? identity_write_epoch(s, 0, err) : code;
}

static int create(struct node_settings *s, const char *path, struct err *err)
{
    int code = begin_epochs(s, err);
    if (code) return code;
    char text[IDENTITY_TEXT_MAX];
    size_t size = shape_text(s, text);
    CHECK(getrandom(s->data_id, sizeof s->data_id, 0) == (ssize_t)sizeof s->data_id);
    size += (size_t)snprintf(text + size, sizeof text - size, "data.id = ");
    for (size_t i = 0; i < sizeof s->data_id; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%02x", s->data_id[i]);
    size += (size_t)snprintf(text + size, sizeof text - size, "\n");
    return fs_write_file(fs_posix(), path, slice_of(text, size), err);
}

static bool take_data_id(struct node_settings *s, const char *text)
{
    const char *at = strstr(text, "data.id = ");
    if (!at) return false;
    at += strlen("data.id = ");
    for (size_t i = 0; i < sizeof s->data_id; i++) {
        unsigned byte;
        if (sscanf(at + 2 * i, "%2x", &byte) != 1) return false;
        s->data_id[i] = (uint8_t)byte;
    }
    return true;
}

static int check_removed(const struct node_settings *s, struct err *err)
{
    char path[512];
    uint8_t *found;
    size_t size;
    path_of(s, "removed", path, sizeof path);
    int code = fs_read_file(fs_posix(), path, &found, &size, err);
    if (code) return code == ERR_NOT_FOUND ? 0 : code;
    mem_free(found);
    return (int)err_set(
        err, ERR_REFUSED,
        "%s belongs to a node that was removed from its cluster. To use the machine again give it a new "
        "node.id and cluster.join, and start it once with --reset, which moves the old data aside",
        s->data_dir);
}

int identity_check(struct node_settings *s, struct err *err)
{
    char path[512], wanted[IDENTITY_TEXT_MAX], text[IDENTITY_TEXT_MAX] = {0};
    size_t wanted_size = shape_text(s, wanted), size;
    uint8_t *found;
    int code = check_removed(s, err);
    if (code) return code;
    path_of(s, "identity", path, sizeof path);
    code = fs_read_file(fs_posix(), path, &found, &size, err);
    if (code == ERR_NOT_FOUND) return create(s, path, err);
    if (code) return code;
    memcpy(text, found, size < sizeof text - 1 ? size : sizeof text - 1);
    mem_free(found);
    if (strncmp(text, wanted, wanted_size) != 0)
        return (int)err_set(err, ERR_REFUSED,
                            "%s belongs to another node or another shape of cluster; it says\n%swhile the "
                            "configuration says\n%sUse the data_dir of this node, or correct the configuration",
                            s->data_dir, text, wanted);
    if (take_data_id(s, text)) return 0;
    return (int)err_set(err, ERR_CORRUPT, "%s: data.id is missing or damaged", path);
}

int identity_retire(const struct node_settings *s, struct err *err)
{
    char path[512];
    path_of(s, "removed", path, sizeof path);
    return fs_write_file(fs_posix(), path, slice_str("removed from its cluster\n"), err);
}

/* The number and its checksum: docs/formats/epoch.md. */
static size_t epoch_text(uint32_t epoch, char text[EPOCH_TEXT_MAX])
{
    int digits = snprintf(text, EPOCH_TEXT_MAX, "%u", epoch);
    uint32_t checksum = (uint32_t)hash_slice(slice_of(text, (size_t)digits));
    return (size_t)(digits + snprintf(text + digits, EPOCH_TEXT_MAX - (size_t)digits, " %08x\n", checksum));
}

int identity_write_epoch(const struct node_settings *s, uint32_t epoch, struct err *err)
{
    char path[512], text[EPOCH_TEXT_MAX];
    path_of(s, "epoch", path, sizeof path);
    return fs_write_file(fs_posix(), path, slice_of(text, epoch_text(epoch, text)), err);
}

/* As we write it; or digits and a line's end, as a person does who replaces a lost one. */
static bool read_epoch(struct slice found, uint32_t *epoch)
{
    char text[EPOCH_TEXT_MAX];
    *epoch = 0;
    size_t digits = 0;
    for (; digits < found.size && digits < 8 && found.data[digits] >= '0' && found.data[digits] <= '9'; digits++)
        *epoch = *epoch * 10 + (found.data[digits] - '0');
    if (!digits || *epoch >= EPOCH_MAX) return false;
    bool by_hand = found.size == digits + 1 && found.data[digits] == '\n';
    return by_hand || slice_equal(found, slice_of(text, epoch_text(*epoch, text)));
}

int identity_take_epoch(const struct node_settings *s, uint32_t *epoch, struct err *err)
{
    char path[512];
    uint8_t *found = NULL;
    size_t size = 0;
    path_of(s, "epoch", path, sizeof path);
    int code = fs_read_file(fs_posix(), path, &found, &size, err);
    if (code && code != ERR_NOT_FOUND) return code;
    bool sound = !code && read_epoch(slice_of(found, size), epoch);
    if (!code) mem_free(found);
    if (sound) return identity_write_epoch(s, ++*epoch, err);
    return (int)err_set(
        err, ERR_CORRUPT,
        "%s is %s, and with it the number of this node's last life. Write a higher number into it: other "
        "nodes log the last as `link up node=%u ... epoch=`. Or let this machine join as a new node",
        path, code ? "missing" : "damaged", s->node);
}

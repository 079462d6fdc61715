/* A checkpoint's files on their way to a replica that the log does not reach any more: the source pins them, the sink
 * writes them beside its own and makes them its own at once with the manifest. What goes over the link is the group's
 * business (group/snapshot.c).
 *
 * Thread:   the group's shard; files on the store's executors.
 * Lifetime: *_open() .. *_close(); the store must outlive both. */
#ifndef WARREN_REPLICATION_STORE_TRANSFER_H
#define WARREN_REPLICATION_STORE_TRANSFER_H

#include "replication/store/store.h"

enum { TRANSFER_READ_SIZE = 256 << 10 /* bytes of one range */, TRANSFER_MANIFEST_MAX = 1 << 30 };

struct transfer_source;
struct transfer_sink;

/* A range of a file: segment 0 is the manifest itself. */
struct transfer_range {
    uint32_t segment;
    uint32_t offset;
    uint32_t size;
};

/* NULL: there is no manifest. Its segments stay until the close. */
struct transfer_source *transfer_source_open(struct store *store);
struct slice transfer_source_manifest(const struct transfer_source *s);
/* `done` runs later, once, with a reference to the bytes, or NULL and why. */
typedef void (*transfer_read_cb)(void *arg, struct transfer_range range, struct blob *bytes, const struct err *err);
void transfer_source_read(struct transfer_source *s, struct transfer_range range, transfer_read_cb done, void *arg);
bool transfer_source_idle(const struct transfer_source *s);
void transfer_source_close(struct transfer_source *s); /* idle */

/* `manifest` as the source has it. ERR_CORRUPT, ERR_VERSION. */
int transfer_sink_open(struct transfer_sink **sink, struct store *store, struct slice manifest, struct err *err);
uint64_t transfer_sink_index(const struct transfer_sink *sink); /* of the checkpoint */
/* The next range to ask for; false: everything was asked for. */
bool transfer_sink_next(struct transfer_sink *sink, struct transfer_range *range);
/* Asks again for what was asked for and has not come (the link broke). */
void transfer_sink_rewind(struct transfer_sink *sink);
/* Writes a range; takes no reference. Ranges come in the order in which they were asked for; another one is ignored. */
typedef void (*transfer_sink_cb)(void *arg, const struct err *err);
void transfer_sink_write(struct transfer_sink *sink, struct transfer_range range, struct slice bytes,
                         transfer_sink_cb done, void *arg);
bool transfer_sink_complete(const struct transfer_sink *sink); /* every byte is written */
bool transfer_sink_idle(const struct transfer_sink *sink);
/* Syncs the files and makes the manifest the durable one. From then on the store on disk is the new one; call
 * store_install() when the machine is about to be restored from it. */
void transfer_sink_finish(struct transfer_sink *sink, transfer_sink_cb done, void *arg);
void transfer_sink_close(struct transfer_sink *sink); /* idle; what was not finished goes away */

/* What that manifest says, before store_install(). */
void store_installing(const struct store *store, struct store_manifest *manifest);
/* The manifest that transfer_sink_finish() made durable becomes the one that store_manifest() shows; old segments go
 * when the machine has let them go. */
void store_install(struct store *store);

#endif

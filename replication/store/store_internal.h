/* Inside the store: what its files share. */
#ifndef WARREN_REPLICATION_STORE_INTERNAL_H
#define WARREN_REPLICATION_STORE_INTERNAL_H

#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "replication/store/manifest.h"
#include "replication/store/store.h"

enum {
    SEGMENT_HEADER_SIZE = 16,
    RECORD_HEADER_SIZE = 12, /* le32 size | le64 checksum, right before the content */
    STORE_PATH_MAX = 512,
    STORE_DIRECTORY_MAX = STORE_PATH_MAX - 64,
    STORE_EVACUATE_PERCENT = 30, /* a segment with fewer live bytes than that is rewritten */
};

/* A segment file that exists. */
struct segment {
    uint64_t key; /* lineage << 32 | id */
    uint32_t id;
    uint32_t size;  /* bytes of the file */
    uint64_t live;  /* bytes that the machine still wants, record headers not counted */
    uint32_t users; /* reads under way and transfers: it may not be unlinked */
    bool current;   /* the durable manifest names it */
    bool writing;   /* by the running checkpoint */
    bool evacuating;
    struct file *file; /* open for reading, or NULL */
};

/* Bytes of a segment in memory, from a record's header on; `whole` bytes of them are records that passed their
 * checksums. */
struct block {
    struct list link; /* store.blocks, last used first */
    struct store *store;
    struct job job;
    struct segment *segment;
    uint32_t offset;
    uint32_t wanted; /* bytes to read */
    uint32_t whole;  /* bytes of sound records; 0: not read yet, or damaged at once */
    bool ready;
    bool telling; /* its waiters are being called: it stays */
    struct blob *bytes;
    struct err err;
    struct list waiters; /* struct fetch */
};

struct fetch {
    struct list link;
    struct location where;
    store_fetch_cb ready;
    void *arg;
};

struct store {
    struct store_params params;
    char directory[STORE_DIRECTORY_MAX];
    struct map_u64 segments; /* key -> struct segment */
    uint32_t lineage;        /* which family of segments locations speak of; an installed snapshot begins a new one */
    uint32_t next_segment;
    uint64_t live, disk;
    bool counts_closed; /* the machine goes, its messages stay */
    struct buf manifest_bytes; /* the durable manifest, whole */
    struct manifest manifest;  /* what it says; borrows from manifest_bytes */
    struct checkpoint *running;
    struct map_u64
        moved; /* (segment, offset) of a content that the running checkpoint copies -> where it is still read */
    struct list blocks;
    size_t block_count;
    size_t reads;          /* jobs under way */
    struct store_figures figures; /* what is counted; the rest is looked up */
    struct buf installing; /* a manifest that is durable already and waits for store_install() */
};

/* store.c */
void segment_path(const struct store *store, const struct segment *s, char path[static STORE_PATH_MAX]);
struct segment *segment_find(const struct store *store, uint32_t id); /* of the current lineage */
struct segment *segment_add(struct store *store, uint32_t lineage, uint32_t id, uint32_t size);
void segment_drop_if_unused(struct store *store, struct segment *s);
void segments_drop_unused(struct store *store);
int segment_open(struct store *store, struct segment *s, struct err *err); /* for reading */
/* Makes this the durable manifest of the object; the bytes are taken over. False: it cannot be read (they are kept). */
bool manifest_adopt(struct store *store, struct buf *bytes, struct err *err);
/* Any thread. Writes the manifest's file. *in_doubt: it failed after the new one got its name, so either may be there
 * after a crash, and the files of both must stay. */
int manifest_write(const struct store *store, struct slice manifest, bool *in_doubt, struct err *err);
void segment_forget(struct store *store, struct segment *s); /* its file stays, for the next start to judge */

/* read.c */
void blocks_close(struct store *store);
void blocks_forget(struct store *store, const struct segment *s);
uint64_t record_checksum(uint32_t segment, uint32_t offset, struct slice content);

#endif

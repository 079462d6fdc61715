/* Pages: where messages are, by their number. A level of a queue is a run of pages of PAGE_SLOTS numbers each; a page
 * that is wholly ready, never delivered and stored in segments can be paged out to a few words, and is read back when
 * the head comes to it, or when a message of it expires.
 *
 * A level knows its pages with messages that expire in the order in which the first of them does (page_expiry.c). A
 * page's time is a lower bound, and part of the machine's state: it decides when the page is looked at.
 *
 * Thread: the machine's. Lifetime: of a level level_init() .. level_close(); a page lives until nothing in it does and
 * no checkpoint is at it (`pending`). Contents are references to blobs and places in the store's segments. */
#ifndef WARREN_NODE_QUEUE_PAGE_H
#define WARREN_NODE_QUEUE_PAGE_H

#include "base/blob.h"
#include "base/buf.h"
#include "base/reader.h"
#include "replication/store/store.h"

enum {
    PAGE_SLOTS = 1024,
    PAGE_SEGMENTS_MAX = 4,
    PAGE_INDEX_ITEM = 16,       /* bytes per slot of a paged-out index */
    PAGE_INDEX_ITEM_TIMED = 24, /* of one in which something expires */
    LEVEL_PAGES_MAX = 1 << 26,  /* between the oldest message and the newest; their places take 512 MiB */
};

/* A message's content: in memory, in a segment, or both. */
struct stored {
    struct blob *blob; /* a reference; NULL: only in the segment */
    uint32_t offset;
    uint32_t size;
    uint32_t body;         /* bytes of the message's body: what length limits and listings count */
    struct location where; /* segment 0: nowhere yet */
};
struct part stored_part(const struct stored *s); /* .blob NULL: not in memory */
void stored_drop(struct stored *s, struct store *store);

enum slot_state { SLOT_GONE, SLOT_READY, SLOT_UNACKED, SLOT_DELAYED /* came back and waits for its time */ };
struct slot {
    struct stored content;
    uint64_t expires_ms; /* 0: never; set with level_set_expiry() */
    uint32_t delivery_count;
    uint8_t state;
    bool redelivered;
    bool seen; /* machine_check()'s own: held by a port */
};

struct page {
    uint64_t number;       /* its first slot's / PAGE_SLOTS */
    uint64_t earliest_ms;  /* nothing ready in it expires before; UINT64_MAX: nothing does, it is not in the heap */
    uint32_t expiry_place; /* in level.expiry, while it is there */
    uint16_t expiring;     /* live slots that expire */
    struct slot *slots;    /* offsets base .. base + count - 1; NULL: nothing live, or paged out */
    uint16_t base, count, capacity;
    uint16_t ready, live;
    bool paged_out;
    bool touched;          /* something was delivered or removed: it stays in memory */
    bool orphan;           /* its queue went while a checkpoint was at it, which frees it */
    struct level *level;   /* NULL: orphan */
    uint32_t pending;      /* what a running checkpoint holds of it: contents, and its index */
    struct location index; /* of its slots' places, if written; segment 0: not */
    struct {
        uint32_t segment;
        uint32_t bytes;
    } segments[PAGE_SEGMENTS_MAX]; /* where its contents lie; filled when the index is written */
    uint64_t bytes;                /* of the contents that are ready */
};

/* A level: numbers first_page * PAGE_SLOTS .. next - 1 */
struct level {
    struct page **pages; /* ring; NULL: nothing of it is live any more */
    size_t head, page_count, capacity;
    uint64_t first_page; /* number of pages[head] */
    uint64_t next;       /* number of the next message */
    uint64_t front;      /* no ready message has a lower number */
    uint64_t ready;
    struct page **expiry; /* heap of the pages in which something ready expires */
    size_t expiry_count, expiry_capacity;
    /* Messages whose content is in memory, those of them that are ready, their bytes; pages that are out. */
    uint64_t memory, memory_ready, memory_bytes, pages_out;
};

void level_init(struct level *l);
void level_close(struct level *l, struct store *store);                         /* releases what lies in segments */
struct page *level_page(const struct level *l, uint64_t number);                /* NULL: gone */
struct slot *level_slot(struct level *l, uint64_t number, struct store *store); /* NULL: gone; pages in */
struct slot *level_append(struct level *l, uint64_t *number); /* a new slot, zeroed, READY and counted */
/* True: the oldest message lies so far back that the level takes no more. */
bool level_full(const struct level *l);
/* The slot has a content in memory from here on, or has it no more (its blob is still there). */
void level_memory_add(struct level *l, const struct slot *slot);
void level_memory_drop(struct level *l, const struct slot *slot);
/* The ready message with the lowest number, if its page is in memory; changes nothing. NULL: none, or out. */
const struct slot *level_peek(const struct level *l);
/* The ready message with the lowest number; false: none. */
bool level_front(struct level *l, struct store *store, uint64_t *number, struct slot **slot);
/* State changes keep the counts. `remove` drops the content. */
void level_set_unacked(struct level *l, uint64_t number, struct slot *slot);
void level_set_delayed(struct level *l, uint64_t number, struct slot *slot); /* from unacked */
void level_set_ready(struct level *l, uint64_t number, struct slot *slot);   /* from unacked or delayed */
void level_remove(struct level *l, uint64_t number, struct slot *slot, struct store *store);
/* Takes the content out of the slot instead of dropping it. */
struct stored level_take(struct level *l, uint64_t number, struct slot *slot);
/* Drops pages at the head that have nothing live. */
void level_trim(struct level *l);

/* --- page_expiry.c --- */
/* Of a slot that was just appended; 0: never. */
void level_set_expiry(struct level *l, uint64_t number, struct slot *slot, uint64_t expires_ms);
/* Nothing ready in the level expires before; UINT64_MAX: nothing does. */
uint64_t level_earliest(const struct level *l);
/* Takes up to `count_max` pages whose time is up out of the heap; their numbers, rising, into `pages`. Each is to be
 * looked at and given its time again with level_expiry_back(), if it is still there. */
size_t level_expiry_due(struct level *l, uint64_t now_ms, uint64_t *pages, size_t count_max);
void level_expiry_back(struct level *l, uint64_t page);
/* Puts a page into the heap, or moves it there, by its time; UINT64_MAX: out of it. */
void level_expiry_move(struct level *l, struct page *p, uint64_t earliest_ms);

/* --- page_out.c --- */
bool page_in(struct page *p, struct store *store); /* false: the segment is damaged, and the store has said so */
void page_out(struct page *p);
bool page_may_go_out(const struct page *p);
/* Writes the index of a page that may go out into the checkpoint, if it has none. */
void page_write_index(struct page *p, struct checkpoint *c, struct store *store);
uint32_t page_index_size(const struct page *p);
void page_drop_index(struct page *p, struct store *store);
void page_release_out(struct page *p, struct store *store); /* the contents of a page that is out */

/* The running checkpoint lets go of one thing of it. */
void page_unpin(struct page *p);

/* --- restore --- */
/* A page of a level under restore, numbers rising; gaps are filled. */
struct page *level_restore_page(struct level *l, uint64_t page);
void level_restore_end(struct level *l, uint64_t next); /* the next message's number */
struct slot *page_restore_slot(struct page *p, uint16_t offset);

#endif

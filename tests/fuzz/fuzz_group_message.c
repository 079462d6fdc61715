// room: replication_group
/* A Raft message of a peer: what decodes is encoded to a head that decodes to the same. */
#include "replication/entry.h"
#include "replication/group/message.h"

static void put_entries(struct buf *b, const struct core_message *m)
{
    for (uint32_t i = 0; i < m->entry_count; i++)
        for (uint32_t p = 0; p < m->entries[i]->part_count; p++) buf_put_slice(b, part_slice(m->entries[i]->parts[p]));
}

static void check_same(const struct core_message *a, const struct core_message *b)
{
    CHECK(a->type == b->type && a->version == b->version && a->term == b->term);
    CHECK(a->prev_index == b->prev_index && a->prev_term == b->prev_term && a->commit == b->commit);
    CHECK(a->rejected == b->rejected && a->candidate == b->candidate);
    CHECK(a->last_log_index == b->last_log_index && a->last_log_term == b->last_log_term);
    CHECK(a->disrupt_leader == b->disrupt_leader && a->pre_vote == b->pre_vote && a->granted == b->granted);
    CHECK(a->features == b->features && a->capacity == b->capacity);
    CHECK(a->entry_count == b->entry_count);
    for (uint32_t i = 0; i < a->entry_count; i++) {
        CHECK(a->entries[i]->type == b->entries[i]->type && a->entries[i]->term == b->entries[i]->term);
        CHECK(a->entries[i]->index == b->entries[i]->index);
        CHECK(slice_equal(part_slice(a->entries[i]->parts[0]), part_slice(b->entries[i]->parts[0])));
    }
}

/* What follows in a node: the chunks of each entry are walked. */
static void walk_entries(const struct core_message *m)
{
    for (uint32_t i = 0; i < m->entry_count; i++) {
        struct entry_cursor cursor;
        struct part chunk;
        if (m->entries[i]->type != ENTRY_COMMAND || entry_cursor_init(&cursor, m->entries[i])) continue;
        while (entry_cursor_next(&cursor, &chunk)) CHECK(chunk.size >= sizeof(uint32_t));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blob *bytes = blob_copy(data, size);
    struct core_message m, again;
    if (message_decode(bytes, 0, bytes->size, &m)) {
        struct buf b = {0};
        message_encode(&m, &b);
        put_entries(&b, &m);
        CHECK(b.size <= size); /* a number may be written longer than need be */
        struct blob *copy = blob_copy(b.data, b.size);
        CHECK(message_decode(copy, 0, copy->size, &again));
        check_same(&m, &again);
        walk_entries(&m);
        message_close(&again);
        message_close(&m);
        blob_unref(copy);
        buf_close(&b);
    }
    blob_unref(bytes);
    return 0;
}

#include "replication/group/message.h"

#include "base/mem.h"

enum { MESSAGE_VERSION = 1, FLAG_DISRUPT = 1, FLAG_PRE_VOTE = 2, FLAG_GRANTED = 4 };

void message_encode(const struct core_message *m, struct buf *b)
{
    uint8_t flags =
        (m->disrupt_leader ? FLAG_DISRUPT : 0) | (m->pre_vote ? FLAG_PRE_VOTE : 0) | (m->granted ? FLAG_GRANTED : 0);
    buf_put_u8(b, MESSAGE_VERSION);
    buf_put_u8(b, m->type);
    buf_put_u8(b, m->version);
    buf_put_u8(b, flags);
    buf_put_le64(b, m->term);
    switch (m->type) {
    case CORE_APPEND_ENTRIES:
        buf_put_varint(b, m->prev_index);
        buf_put_varint(b, m->prev_term);
        buf_put_varint(b, m->commit);
        buf_put_varint(b, m->entry_count);
        for (uint32_t i = 0; i < m->entry_count; i++) {
            buf_put_u8(b, m->entries[i]->type);
            buf_put_varint(b, m->entries[i]->term);
            buf_put_varint(b, m->entries[i]->size);
        }
        break;
    case CORE_APPEND_ENTRIES_RESULT:
        buf_put_varint(b, m->rejected);
        buf_put_varint(b, m->last_log_index);
        buf_put_le16(b, m->features);
        buf_put_le16(b, m->capacity);
        break;
    case CORE_REQUEST_VOTE_RESULT:
        buf_put_le16(b, m->features);
        buf_put_le16(b, m->capacity);
        break;
    default: /* request vote, timeout now */
        buf_put_varint(b, m->candidate);
        buf_put_varint(b, m->last_log_index);
        buf_put_varint(b, m->last_log_term);
        break;
    }
}

static bool decode_entries(struct reader *r, struct blob *blob, struct core_message *m)
{
    uint64_t count = reader_varint(r);
    if (r->failed || count > MESSAGE_ENTRIES_MAX || count > reader_left(r)) return false;
    struct reader sizes = *r;
    for (uint64_t i = 0; i < count; i++) { /* skip to where the bytes begin */
        reader_u8(r);
        reader_varint(r);
        reader_varint(r);
    }
    m->entries = count ? mem_zalloc(count * sizeof(struct entry *)) : NULL;
    for (uint64_t i = 0; i < count && !r->failed; i++) {
        uint8_t type = reader_u8(&sizes);
        uint64_t term = reader_varint(&sizes), size = reader_varint(&sizes);
        if (size > reader_left(r) || type < ENTRY_COMMAND || type > ENTRY_CHANGE) return false;
        struct slice bytes = reader_bytes(r, (size_t)size);
        m->entries[i] = entry_from_blob(type, m->prev_index + 1 + i, term, blob, (uint32_t)(bytes.data - blob->data),
                                        (uint32_t)size);
        m->entry_count++;
    }
    return !r->failed && !reader_left(r);
}

static bool decode_fields(struct reader *r, struct blob *blob, struct core_message *m)
{
    switch (m->type) {
    case CORE_APPEND_ENTRIES:
        m->prev_index = reader_varint(r);
        m->prev_term = reader_varint(r);
        m->commit = reader_varint(r);
        return decode_entries(r, blob, m);
    case CORE_APPEND_ENTRIES_RESULT:
        m->rejected = reader_varint(r);
        m->last_log_index = reader_varint(r);
        m->features = reader_le16(r);
        m->capacity = reader_le16(r);
        break;
    case CORE_REQUEST_VOTE_RESULT:
        m->features = reader_le16(r);
        m->capacity = reader_le16(r);
        break;
    case CORE_REQUEST_VOTE:
    case CORE_TIMEOUT_NOW:
        m->candidate = reader_varint(r);
        m->last_log_index = reader_varint(r);
        m->last_log_term = reader_varint(r);
        break;
    default:
        return false; /* snapshots travel as transfers */
    }
    return !r->failed && !reader_left(r);
}

bool message_decode(struct blob *blob, uint32_t offset, uint32_t size, struct core_message *m)
{
    struct reader r = reader_of(slice_of(blob->data + offset, size));
    *m = (struct core_message){0};
    if (reader_u8(&r) != MESSAGE_VERSION) return false;
    m->type = reader_u8(&r);
    m->version = reader_u8(&r);
    uint8_t flags = reader_u8(&r);
    m->disrupt_leader = flags & FLAG_DISRUPT;
    m->pre_vote = flags & FLAG_PRE_VOTE;
    m->granted = flags & FLAG_GRANTED;
    m->term = reader_le64(&r);
    if (decode_fields(&r, blob, m)) return true;
    message_close(m);
    return false;
}

void message_close(struct core_message *m)
{
    for (uint32_t i = 0; i < m->entry_count; i++) entry_unref(m->entries[i]);
    mem_free(m->entries);
    m->entries = NULL;
    m->entry_count = 0;
}

#include "replication/link/frame.h"

#include "base/hash.h"

enum link_frame_state link_frame_peek(struct slice bytes, uint32_t size_max, struct link_frame *frame)
{
    *frame = (struct link_frame){0};
    if (bytes.size < LINK_FRAME_HEAD) return LINK_FRAME_PARTIAL;
    memcpy(&frame->size, bytes.data + LINK_CHECKSUM_FROM, sizeof frame->size);
    frame->type = bytes.data[LINK_FRAME_HEAD - 1];
    if (frame->size > size_max) return LINK_FRAME_TOO_BIG;
    return bytes.size - LINK_FRAME_HEAD < frame->size ? LINK_FRAME_PARTIAL : LINK_FRAME_WHOLE;
}

bool link_frame_intact(struct slice frame)
{
    uint32_t checksum;
    memcpy(&checksum, frame.data, sizeof checksum);
    return checksum == (uint32_t)hash_bytes(frame.data + LINK_CHECKSUM_FROM, frame.size - LINK_CHECKSUM_FROM, 0);
}

static void put_head(struct buf *out, uint8_t type, uint64_t size)
{
    CHECK(size <= UINT32_MAX);
    buf_put_le32(out, 0);
    buf_put_le32(out, (uint32_t)size);
    buf_put_u8(out, type);
}

static void set_checksum(struct buf *out, size_t at)
{
    size_t from = at + LINK_CHECKSUM_FROM;
    buf_set_le32(out, at, (uint32_t)hash_bytes(out->data + from, out->size - from, 0));
}

void link_frame_put(struct buf *out, uint8_t type, struct slice payload)
{
    link_frame_put_parts(out, type, payload, NULL, 0);
}

void link_frame_put_parts(struct buf *out, uint8_t type, struct slice head, const struct part *parts, uint32_t count)
{
    size_t at = out->size;
    put_head(out, type, link_frame_size(head, parts, count));
    buf_put_slice(out, head);
    for (uint32_t i = 0; i < count; i++) buf_put_slice(out, part_slice(parts[i]));
    set_checksum(out, at);
}

void link_frame_put_head(struct buf *out, uint8_t type, struct slice head, const struct part *parts, uint32_t count)
{
    size_t at = out->size;
    put_head(out, type, link_frame_size(head, parts, count));
    struct hash_stream *h = hash_stream_create();
    hash_stream_add(h, out->data + at + LINK_CHECKSUM_FROM, LINK_FRAME_HEAD - LINK_CHECKSUM_FROM);
    if (head.size) hash_stream_add(h, head.data, head.size);
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].size) hash_stream_add(h, parts[i].blob->data + parts[i].offset, parts[i].size);
    buf_set_le32(out, at, (uint32_t)hash_stream_finish(h));
}

uint64_t link_frame_size(struct slice head, const struct part *parts, uint32_t count)
{
    uint64_t size = head.size;
    for (uint32_t i = 0; i < count; i++) size += parts[i].size;
    return size;
}

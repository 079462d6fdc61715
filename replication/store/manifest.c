#include "replication/store/manifest.h"

#include "base/hash.h"

static const char magic[4] = "WMAN";

void manifest_encode(const struct manifest *m, struct buf *b)
{
    size_t from = b->size;
    buf_put(b, magic, sizeof magic);
    buf_put_le32(b, MANIFEST_VERSION);
    buf_put_le64(b, m->index);
    buf_put_le64(b, m->term);
    buf_put_le64(b, m->configuration_index);
    buf_put_counted(b, m->configuration);
    buf_put_le32(b, m->lineage);
    buf_put_le32(b, m->next_segment);
    buf_put_varint(b, m->segment_count);
    buf_put_slice(b, m->segments);
    buf_put_counted(b, m->machine);
    buf_put_le64(b, hash_bytes(b->data + from, b->size - from, 0));
}

static bool ids_are_sound(const struct manifest *m)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < m->segment_count; i++) {
        uint32_t id = manifest_segment(m, i).id;
        if (id <= last || id >= m->next_segment) return false;
        last = id;
    }
    return true;
}

int manifest_decode(struct slice bytes, struct manifest *m, struct err *err)
{
    *m = (struct manifest){0};
    if (bytes.size < 16 || memcmp(bytes.data, magic, sizeof magic) != 0)
        return (int)err_set(err, ERR_CORRUPT, "it is not a manifest (offset 0)");
    struct reader sum = reader_of(slice_of(bytes.data + bytes.size - 8, 8));
    struct slice body = slice_of(bytes.data, bytes.size - 8);
    if (reader_le64(&sum) != hash_slice(body))
        return (int)err_set(err, ERR_CORRUPT, "its checksum is wrong: %zu bytes are damaged or cut off", bytes.size);
    struct reader r = reader_of(body);
    reader_bytes(&r, sizeof magic);
    uint32_t version = reader_le32(&r);
    if (version != MANIFEST_VERSION)
        return (int)err_set(err, ERR_VERSION, "its format version is %u, this build reads %d", version,
                            MANIFEST_VERSION);
    m->index = reader_le64(&r);
    m->term = reader_le64(&r);
    m->configuration_index = reader_le64(&r);
    m->configuration = reader_counted(&r);
    m->lineage = reader_le32(&r);
    m->next_segment = reader_le32(&r);
    uint64_t count = reader_varint(&r);
    if (count > reader_left(&r) / 8) return (int)err_set(err, ERR_CORRUPT, "its list of segments is cut off");
    m->segment_count = (uint32_t)count;
    m->segments = reader_bytes(&r, (size_t)count * 8);
    m->machine = reader_counted(&r);
    if (r.failed || reader_left(&r)) return (int)err_set(err, ERR_CORRUPT, "its parts do not fit its size");
    if (!ids_are_sound(m)) return (int)err_set(err, ERR_CORRUPT, "its segments are out of order");
    return 0;
}

struct manifest_segment manifest_segment(const struct manifest *m, uint32_t i)
{
    struct reader r = reader_of(slice_of(m->segments.data + (size_t)i * 8, 8));
    struct manifest_segment s;
    s.id = reader_le32(&r);
    s.size = reader_le32(&r);
    return s;
}

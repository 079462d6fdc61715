// room: replication_store
/* A manifest from a disk or a peer. The checksum at the end is put right first, or mutations would
 * never get past it. */
#include "base/hash.h"
#include "base/mem.h"
#include "replication/store/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest m, again;
    struct err err;
    manifest_decode(slice_of(data, size), &m, &err);
    if (size < 8) return 0;
    uint8_t *sound = mem_alloc(size);
    memcpy(sound, data, size - 8);
    uint64_t sum = hash_bytes(data, size - 8, 0);
    memcpy(sound + size - 8, &sum, sizeof sum);
    if (!manifest_decode(slice_of(sound, size), &m, &err)) {
        struct buf b = {0};
        uint32_t last = 0;
        manifest_encode(&m, &b);
        CHECK(b.size <= size); /* a length may be written longer than need be */
        CHECK(!manifest_decode(buf_slice(&b), &again, &err));
        CHECK(m.index == again.index && m.term == again.term && m.lineage == again.lineage);
        CHECK(slice_equal(m.configuration, again.configuration) && slice_equal(m.machine, again.machine));
        CHECK(m.segment_count == again.segment_count && slice_equal(m.segments, again.segments));
        for (uint32_t i = 0; i < m.segment_count; i++) {
            CHECK(manifest_segment(&m, i).id > last);
            last = manifest_segment(&m, i).id;
        }
        buf_close(&b);
    }
    mem_free(sound);
    return 0;
}

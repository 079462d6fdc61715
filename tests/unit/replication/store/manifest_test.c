/* The manifest as bytes: whole or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "replication/store/manifest.h"

static void put_segment(struct buf *list, uint32_t id, uint32_t size)
{
    buf_put_le32(list, id);
    buf_put_le32(list, size);
}

/* A manifest that names these segments, as bytes. */
static struct buf encode(const struct buf *list)
{
    struct manifest m = {.index = 1000,
                         .term = 7,
                         .configuration_index = 3,
                         .configuration = slice_str("configuration"),
                         .lineage = 2,
                         .next_segment = 9,
                         .segment_count = (uint32_t)(list->size / 8),
                         .segments = buf_slice(list),
                         .machine = slice_str("machine")};
    struct buf b = {0};
    manifest_encode(&m, &b);
    return b;
}

static int decode_list(const struct buf *list)
{
    struct buf b = encode(list);
    struct manifest m;
    struct err err = {0};
    int code = manifest_decode(buf_slice(&b), &m, &err);
    assert_int_equal(code, err.code);
    buf_close(&b);
    return code;
}

static void a_manifest_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    struct buf list = {0};
    struct manifest m;
    put_segment(&list, 4, 100);
    put_segment(&list, 8, 2000);
    struct buf b = encode(&list);
    assert_int_equal(manifest_decode(buf_slice(&b), &m, NULL), 0);
    assert_int_equal(m.index, 1000);
    assert_int_equal(m.term, 7);
    assert_int_equal(m.configuration_index, 3);
    assert_true(slice_is(m.configuration, "configuration"));
    assert_int_equal(m.lineage, 2);
    assert_int_equal(m.next_segment, 9);
    assert_true(slice_is(m.machine, "machine"));
    assert_int_equal(m.segment_count, 2);
    assert_int_equal(manifest_segment(&m, 0).id, 4);
    assert_int_equal(manifest_segment(&m, 0).size, 100);
    assert_int_equal(manifest_segment(&m, 1).id, 8);
    assert_int_equal(manifest_segment(&m, 1).size, 2000);
    buf_close(&b);
    buf_close(&list);
}

static void a_manifest_may_be_empty(void **state)
{
    (void)state;
    struct buf b = {0};
    struct manifest none = {0}, m;
    manifest_encode(&none, &b);
    assert_int_equal(manifest_decode(buf_slice(&b), &m, NULL), 0);
    assert_int_equal(m.segment_count, 0);
    assert_int_equal(m.machine.size, 0);
    buf_close(&b);
}

static void a_manifest_is_encoded_behind_what_is_there(void **state)
{
    (void)state;
    struct buf b = {0};
    struct manifest none = {0}, m;
    buf_put(&b, "before", 6);
    manifest_encode(&none, &b);
    assert_int_equal(manifest_decode(slice_of(b.data + 6, b.size - 6), &m, NULL), 0);
    buf_close(&b);
}

static void every_cut_and_every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct buf list = {0};
    put_segment(&list, 4, 100);
    struct buf b = encode(&list);
    struct manifest m;
    struct err err;
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *exact = mem_alloc(size + 1);
        memcpy(exact, b.data, size);
        assert_int_equal(manifest_decode(slice_of(exact, size), &m, &err), ERR_CORRUPT);
        mem_free(exact);
    }
    for (size_t bit = 0; bit < b.size * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(manifest_decode(buf_slice(&b), &m, &err), ERR_CORRUPT);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_put_u8(&b, 0);
    assert_int_equal(manifest_decode(buf_slice(&b), &m, &err), ERR_CORRUPT);
    buf_close(&b);
    buf_close(&list);
}

static void another_version_is_named(void **state)
{
    (void)state;
    struct buf list = {0}, b = encode(&list);
    struct manifest m;
    struct err err;
    buf_set_le32(&b, 4, MANIFEST_VERSION + 1);
    buf_set_le64(&b, b.size - 8, hash_bytes(b.data, b.size - 8, 0));
    assert_int_equal(manifest_decode(buf_slice(&b), &m, &err), ERR_VERSION);
    assert_string_equal(err.text, "its format version is 2, this build reads 1");
    buf_close(&b);
}

static void segments_are_listed_once_and_in_order(void **state)
{
    (void)state;
    static const struct {
        uint32_t ids[3];
        int code;
    } lists[] = {{{1, 2, 8}, 0},
                 {{2, 1, 8}, ERR_CORRUPT},
                 {{1, 1, 8}, ERR_CORRUPT},
                 {{0, 1, 2}, ERR_CORRUPT},
                 {{1, 2, 9}, ERR_CORRUPT} /* the next one's id */};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct buf list = {0};
        for (int n = 0; n < 3; n++) put_segment(&list, lists[i].ids[n], 100);
        assert_int_equal(decode_list(&list), lists[i].code);
        buf_close(&list);
    }
}

static void a_list_longer_than_the_bytes_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct manifest m, long_list = {.segment_count = 1u << 30, .next_segment = 1};
    manifest_encode(&long_list, &b);
    assert_int_equal(manifest_decode(buf_slice(&b), &m, NULL), ERR_CORRUPT);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_read_back_as_it_was_written),
        cmocka_unit_test(a_manifest_may_be_empty),
        cmocka_unit_test(a_manifest_is_encoded_behind_what_is_there),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_noticed),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(segments_are_listed_once_and_in_order),
        cmocka_unit_test(a_list_longer_than_the_bytes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

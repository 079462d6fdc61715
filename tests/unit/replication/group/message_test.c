/* Raft's messages as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replication/entry.h"
#include "replication/group/message.h"

static struct entry *text_entry(uint8_t type, uint64_t index, uint64_t term, const char *text)
{
    struct blob *b = blob_copy(text, strlen(text));
    struct entry *e = entry_from_blob(type, index, term, b, 0, b->size);
    blob_unref(b);
    return e;
}

/* The head, and behind it the entries' bytes, as the link carries them. */
static struct blob *encode(const struct core_message *m)
{
    struct buf b = {0};
    message_encode(m, &b);
    for (uint32_t i = 0; i < m->entry_count; i++)
        for (uint32_t p = 0; p < m->entries[i]->part_count; p++) buf_put_slice(&b, part_slice(m->entries[i]->parts[p]));
    struct blob *blob = blob_copy(b.data, b.size);
    buf_close(&b);
    return blob;
}

static struct core_message through(const struct core_message *m)
{
    struct blob *bytes = encode(m);
    struct core_message read;
    assert_true(message_decode(bytes, 0, bytes->size, &read));
    assert_int_equal(read.type, m->type);
    assert_int_equal(read.version, m->version);
    assert_int_equal(read.term, m->term);
    for (uint32_t size = 0; size < bytes->size; size++) {
        struct core_message cut;
        assert_false(message_decode(bytes, 0, size, &cut));
        assert_null(cut.entries);
    }
    struct blob *longer = blob_create(bytes->size + 1);
    memcpy(longer->data, bytes->data, bytes->size);
    longer->data[bytes->size] = 0;
    struct core_message more;
    assert_false(message_decode(longer, 0, longer->size, &more));
    blob_unref(longer);
    blob_unref(bytes); /* the entries keep it */
    return read;
}

static void append_entries_carry_their_entries(void **state)
{
    (void)state;
    struct entry *entries[] = {text_entry(ENTRY_COMMAND, 11, 3, "one"), text_entry(ENTRY_BARRIER, 12, 4, ""),
                               text_entry(ENTRY_CHANGE, 13, 4, "three")};
    struct core_message m = {.type = CORE_APPEND_ENTRIES,
                             .version = 2,
                             .term = 5,
                             .prev_index = 10,
                             .prev_term = 3,
                             .commit = 1u << 20,
                             .entry_count = 3,
                             .entries = entries};
    struct core_message read = through(&m);
    assert_int_equal(read.prev_index, 10);
    assert_int_equal(read.prev_term, 3);
    assert_int_equal(read.commit, 1u << 20);
    assert_int_equal(read.entry_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read.entries[i]->index, entries[i]->index);
        assert_int_equal(read.entries[i]->term, entries[i]->term);
        assert_int_equal(read.entries[i]->type, entries[i]->type);
        assert_true(slice_equal(part_slice(read.entries[i]->parts[0]), part_slice(entries[i]->parts[0])));
        entry_unref(entries[i]);
    }
    message_close(&read);
    assert_int_equal(read.entry_count, 0);
}

static void an_entry_of_many_parts_comes_as_one(void **state)
{
    (void)state;
    struct part parts[] = {{blob_copy("ab", 2), 0, 2}, {blob_copy("xcdx", 4), 1, 2}, {blob_copy("e", 1), 0, 1}};
    struct entry *e = entry_create(ENTRY_COMMAND, 1, 1, parts, 3);
    struct core_message m = {.type = CORE_APPEND_ENTRIES, .entry_count = 1, .entries = &e};
    struct core_message read = through(&m);
    assert_int_equal(read.entries[0]->part_count, 1);
    assert_true(slice_is(part_slice(read.entries[0]->parts[0]), "abcde"));
    message_close(&read);
    entry_unref(e);
}

static void a_heartbeat_has_no_entries(void **state)
{
    (void)state;
    struct core_message m = {.type = CORE_APPEND_ENTRIES, .term = UINT64_MAX, .prev_index = UINT64_MAX - 1};
    struct core_message read = through(&m);
    assert_int_equal(read.entry_count, 0);
    assert_true(read.prev_index == UINT64_MAX - 1);
    message_close(&read);
}

static void a_message_may_lie_within_a_bigger_blob(void **state)
{
    (void)state;
    struct entry *e = text_entry(ENTRY_COMMAND, 1, 1, "entry");
    struct core_message m = {.type = CORE_APPEND_ENTRIES, .entry_count = 1, .entries = &e}, read;
    struct blob *bytes = encode(&m), *bigger = blob_create(bytes->size + 20);
    memset(bigger->data, 0xff, bigger->size);
    memcpy(bigger->data + 7, bytes->data, bytes->size);
    assert_true(message_decode(bigger, 7, bytes->size, &read));
    assert_true(slice_is(part_slice(read.entries[0]->parts[0]), "entry"));
    message_close(&read);
    blob_unref(bytes);
    blob_unref(bigger);
    entry_unref(e);
}

static void results_are_read_back(void **state)
{
    (void)state;
    struct core_message m = {.type = CORE_APPEND_ENTRIES_RESULT,
                             .term = 5,
                             .rejected = 9,
                             .last_log_index = 300,
                             .features = 0x1234,
                             .capacity = 0xfffe};
    struct core_message read = through(&m);
    assert_true(read.rejected == 9 && read.last_log_index == 300);
    assert_true(read.features == 0x1234 && read.capacity == 0xfffe);
    m.type = CORE_REQUEST_VOTE_RESULT;
    m.pre_vote = m.granted = true;
    read = through(&m);
    assert_true(read.pre_vote && read.granted && !read.disrupt_leader);
    assert_true(read.features == 0x1234 && read.capacity == 0xfffe);
}

static void votes_and_hand_overs_are_read_back(void **state)
{
    (void)state;
    static const uint8_t types[] = {CORE_REQUEST_VOTE, CORE_TIMEOUT_NOW};
    for (size_t i = 0; i < sizeof types; i++) {
        struct core_message m = {.type = types[i],
                                 .term = 5,
                                 .candidate = 3,
                                 .last_log_index = 1u << 30,
                                 .last_log_term = 4,
                                 .disrupt_leader = true};
        struct core_message read = through(&m);
        assert_true(read.candidate == 3 && read.last_log_index == 1u << 30 && read.last_log_term == 4);
        assert_true(read.disrupt_leader && !read.pre_vote && !read.granted);
    }
}

static bool decodes(const uint8_t *data, size_t size)
{
    struct blob *b = blob_copy(data, size);
    struct core_message m;
    bool sound = message_decode(b, 0, b->size, &m);
    if (sound) message_close(&m);
    blob_unref(b);
    return sound;
}

static void unknown_versions_and_types_are_refused(void **state)
{
    (void)state;
    struct core_message m = {.type = CORE_REQUEST_VOTE_RESULT};
    struct blob *b = encode(&m);
    assert_true(decodes(b->data, b->size));
    b->data[0]++;
    assert_false(decodes(b->data, b->size));
    b->data[0]--;
    static const uint8_t wrong[] = {0, CORE_INSTALL_SNAPSHOT, CORE_TIMEOUT_NOW + 1, 255};
    for (size_t i = 0; i < sizeof wrong; i++) {
        b->data[1] = wrong[i];
        assert_false(decodes(b->data, b->size));
    }
    blob_unref(b);
}

static void entries_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct {
        uint64_t count;
        uint8_t type;
        uint64_t size;
    } wrong[] = {{MESSAGE_ENTRIES_MAX + 1, ENTRY_COMMAND, 0},
                 {1, ENTRY_COMMAND, 4},
                 {1, ENTRY_COMMAND, UINT64_MAX},
                 {1, 0, 3},
                 {1, ENTRY_CHANGE + 1, 3},
                 {UINT64_MAX, ENTRY_COMMAND, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf b = {0};
        struct core_message head = {.type = CORE_APPEND_ENTRIES};
        message_encode(&head, &b);
        b.size--; /* the count */
        buf_put_varint(&b, wrong[i].count);
        buf_put_u8(&b, wrong[i].type);
        buf_put_varint(&b, 1);
        buf_put_varint(&b, wrong[i].size);
        buf_put(&b, "abc", 3);
        assert_false(decodes(b.data, b.size));
        buf_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_entries_carry_their_entries),
        cmocka_unit_test(an_entry_of_many_parts_comes_as_one),
        cmocka_unit_test(a_heartbeat_has_no_entries),
        cmocka_unit_test(a_message_may_lie_within_a_bigger_blob),
        cmocka_unit_test(results_are_read_back),
        cmocka_unit_test(votes_and_hand_overs_are_read_back),
        cmocka_unit_test(unknown_versions_and_types_are_refused),
        cmocka_unit_test(entries_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

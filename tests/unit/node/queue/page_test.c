/* Pages: numbers, counts, what is dropped at the head and behind it, out to a segment and back in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/queue/page.h"
#include "tests/sim/disk.h"

enum { CONTENT_SIZE = 40, BODY_SIZE = 30 };

struct shelf {
    struct disk *disk;
    struct executor *jobs;
    struct store *store;
    struct level level;
    struct err failed;
};

static void on_failed(void *arg, const struct err *err)
{
    ((struct shelf *)arg)->failed = *err;
}

static int set_up(void **state)
{
    struct shelf *s = mem_zalloc(sizeof *s);
    s->disk = disk_create();
    s->jobs = jobs_create();
    struct store_params params = {.fs = disk_fs(s->disk),
                                  .executor = s->jobs,
                                  .read_executor = s->jobs,
                                  .directory = "/g",
                                  .failed = on_failed,
                                  .arg = s};
    assert_int_equal(store_open(&s->store, &params, NULL), 0);
    level_init(&s->level);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct shelf *s = *state;
    level_close(&s->level, s->store);
    store_close(s->store);
    jobs_destroy(s->jobs);
    disk_destroy(s->disk);
    mem_free(s);
    return 0;
}

static void append(struct shelf *s, unsigned count)
{
    while (count--) {
        uint64_t number;
        struct slot *slot = level_append(&s->level, &number);
        slot->content.blob = blob_create(CONTENT_SIZE);
        memset(slot->content.blob->data, (int)number, CONTENT_SIZE);
        slot->content.size = CONTENT_SIZE;
        slot->content.body = BODY_SIZE;
    }
}

static void remove_number(struct shelf *s, uint64_t number)
{
    struct slot *slot = level_slot(&s->level, number, s->store);
    assert_non_null(slot);
    level_remove(&s->level, number, slot, s->store);
}

static uint64_t front(struct shelf *s)
{
    uint64_t number;
    struct slot *slot;
    return level_front(&s->level, s->store, &number, &slot) ? number : UINT64_MAX;
}

static void messages_are_numbered_from_zero(void **state)
{
    struct shelf *s = *state;
    assert_true(front(s) == UINT64_MAX);
    append(s, 3);
    assert_int_equal(s->level.next, 3);
    assert_int_equal(s->level.ready, 3);
    assert_int_equal(front(s), 0);
    assert_null(level_slot(&s->level, 3, s->store));
}

static void removed_messages_are_skipped(void **state)
{
    struct shelf *s = *state;
    append(s, 5);
    remove_number(s, 0);
    remove_number(s, 2);
    assert_int_equal(front(s), 1);
    assert_null(level_slot(&s->level, 2, s->store));
    remove_number(s, 1);
    assert_int_equal(front(s), 3);
    assert_int_equal(s->level.ready, 2);
}

static void an_unacked_message_is_not_at_the_front_until_it_is_ready_again(void **state)
{
    struct shelf *s = *state;
    append(s, 3);
    struct slot *slot = level_slot(&s->level, 0, s->store);
    level_set_unacked(&s->level, 0, slot);
    assert_int_equal(front(s), 1);
    remove_number(s, 1);
    level_set_ready(&s->level, 0, slot);
    assert_int_equal(front(s), 0);
    remove_number(s, 0);
    assert_int_equal(front(s), 2);
}

static void a_content_can_be_taken_out(void **state)
{
    struct shelf *s = *state;
    append(s, 1);
    struct stored content = level_take(&s->level, 0, level_slot(&s->level, 0, s->store));
    assert_int_equal(s->level.ready, 0);
    assert_int_equal(stored_part(&content).size, CONTENT_SIZE);
    stored_drop(&content, s->store);
}

static void a_shallow_queue_keeps_few_slots_wherever_it_is(void **state)
{
    struct shelf *s = *state;
    for (unsigned i = 0; i < 3 * PAGE_SLOTS + 7; i++) {
        append(s, 1);
        remove_number(s, i);
    }
    assert_int_equal(s->level.page_count, 1);
    append(s, 2);
    struct page *p = level_page(&s->level, s->level.next - 1);
    assert_true(p->capacity <= 4);
    assert_int_equal(front(s), 3 * PAGE_SLOTS + 7);
}

static void pages_with_nothing_live_go_from_the_head(void **state)
{
    struct shelf *s = *state;
    append(s, 2 * PAGE_SLOTS + 10);
    assert_int_equal(s->level.page_count, 3);
    for (unsigned i = 0; i < PAGE_SLOTS; i++) remove_number(s, i);
    assert_int_equal(s->level.page_count, 2);
    assert_int_equal(s->level.first_page, 1);
    assert_null(level_page(&s->level, 5));
    assert_int_equal(front(s), PAGE_SLOTS);
}

static void behind_an_old_message_empty_pages_cost_a_pointer(void **state)
{
    struct shelf *s = *state;
    append(s, 5 * PAGE_SLOTS);
    for (unsigned i = 1; i < 4 * PAGE_SLOTS; i++) remove_number(s, i);
    assert_int_equal(s->level.page_count, 5);
    assert_non_null(level_page(&s->level, 0));
    for (unsigned page = 1; page < 4; page++) assert_null(level_page(&s->level, page * PAGE_SLOTS));
    assert_int_equal(front(s), 0);
    assert_null(level_slot(&s->level, 2 * PAGE_SLOTS, s->store));
    remove_number(s, 0);
    assert_int_equal(s->level.page_count, 1);
    assert_int_equal(front(s), 4 * PAGE_SLOTS);
}

static void an_empty_page_that_is_not_full_yet_stays(void **state)
{
    struct shelf *s = *state;
    append(s, 10);
    for (unsigned i = 0; i < 10; i++) remove_number(s, i);
    assert_int_equal(s->level.page_count, 1);
    append(s, PAGE_SLOTS);
    assert_int_equal(front(s), 10);
    assert_int_equal(s->level.page_count, 2);
}

static void a_level_takes_no_more_when_its_oldest_is_too_far_back(void **state)
{
    struct shelf *s = *state;
    append(s, 1);
    s->level.next = (uint64_t)LEVEL_PAGES_MAX * PAGE_SLOTS - 1;
    assert_false(level_full(&s->level));
    s->level.next++;
    assert_true(level_full(&s->level));
    s->level.next = 1;
}

/* --- out and in --- */

static void on_done(void *arg, const struct err *err)
{
    (void)arg;
    assert_null(err);
}

/* Stores all contents of the level and puts out the pages that may go. */
static void put_out(struct shelf *s)
{
    struct checkpoint *c = store_checkpoint_begin(s->store, 1, 1, 0, (struct slice){0});
    for (uint64_t n = 0; n < s->level.next; n++) {
        struct slot *slot = level_slot(&s->level, n, s->store);
        if (slot && !slot->content.where.segment) slot->content.where = checkpoint_add(c, stored_part(&slot->content));
    }
    for (uint64_t n = 0; n < s->level.next; n += PAGE_SLOTS) page_write_index(level_page(&s->level, n), c, s->store);
    store_checkpoint_run(s->store, c, on_done, NULL);
    while (jobs_pending(s->jobs)) jobs_step(s->jobs);
    for (uint64_t n = 0; n < s->level.next; n += PAGE_SLOTS)
        if (level_page(&s->level, n)->index.segment) page_out(level_page(&s->level, n));
}

static void a_page_goes_out_and_comes_back_as_it_was(void **state)
{
    struct shelf *s = *state;
    append(s, 2 * PAGE_SLOTS + 10);
    put_out(s);
    struct page *p = level_page(&s->level, PAGE_SLOTS);
    assert_true(level_page(&s->level, 0)->paged_out && p->paged_out);
    assert_null(p->slots);
    assert_int_equal(p->bytes, PAGE_SLOTS * BODY_SIZE);
    assert_false(level_page(&s->level, 2 * PAGE_SLOTS)->paged_out); /* not full */
    struct slot *slot = level_slot(&s->level, PAGE_SLOTS + 5, s->store);
    assert_false(p->paged_out);
    assert_int_equal(slot->state, SLOT_READY);
    assert_int_equal(slot->content.body, BODY_SIZE);
    assert_int_equal(slot->content.size, CONTENT_SIZE);
    assert_true(store_has(s->store, slot->content.where));
    assert_null(stored_part(&slot->content).blob);
    assert_int_equal(s->level.ready, 2 * PAGE_SLOTS + 10);
}

/* Slot n of each page expires at 5000 - n; that of the second page's last is the earliest of all. */
static void set_expiries(struct shelf *s, unsigned pages)
{
    for (uint64_t n = 0; n < pages * PAGE_SLOTS; n++)
        level_set_expiry(&s->level, n, level_slot(&s->level, n, s->store), 5000 - n % PAGE_SLOTS);
    level_set_expiry(&s->level, pages * PAGE_SLOTS, level_slot(&s->level, pages * PAGE_SLOTS, s->store), 100);
}

static void what_expires_is_known_of_pages_that_are_out(void **state)
{
    struct shelf *s = *state;
    uint64_t due[4];
    append(s, 2 * PAGE_SLOTS + 1);
    set_expiries(s, 2);
    put_out(s);
    assert_true(level_page(&s->level, 0)->paged_out && level_page(&s->level, PAGE_SLOTS)->paged_out);
    assert_int_equal(level_earliest(&s->level), 100);
    assert_int_equal(level_expiry_due(&s->level, 100, due, 4), 1);
    assert_int_equal(due[0], 2);
    remove_number(s, 2 * PAGE_SLOTS);
    level_expiry_back(&s->level, 2);
    assert_int_equal(level_earliest(&s->level), 5000 - (PAGE_SLOTS - 1));
    assert_int_equal(level_expiry_due(&s->level, 4999, due, 1), 1);
    assert_int_equal(due[0], 0);
    assert_int_equal(level_expiry_due(&s->level, 4999, due, 4), 1);
    assert_int_equal(due[0], 1);
    assert_true(level_earliest(&s->level) == UINT64_MAX);
    assert_int_equal(level_slot(&s->level, 7, s->store)->expires_ms, 4993);
    assert_true(level_page(&s->level, PAGE_SLOTS)->paged_out);
    level_expiry_back(&s->level, 0);
    assert_int_equal(level_earliest(&s->level), 5000 - (PAGE_SLOTS - 1));
}

static void a_page_s_time_follows_what_comes_and_goes(void **state)
{
    struct shelf *s = *state;
    append(s, 3);
    level_set_expiry(&s->level, 1, level_slot(&s->level, 1, s->store), 50);
    level_set_expiry(&s->level, 2, level_slot(&s->level, 2, s->store), 40);
    assert_int_equal(level_earliest(&s->level), 40);
    level_set_unacked(&s->level, 2, level_slot(&s->level, 2, s->store));
    uint64_t page;
    assert_int_equal(level_expiry_due(&s->level, 40, &page, 1), 1);
    level_expiry_back(&s->level, 0);
    assert_int_equal(level_earliest(&s->level), 50);
    level_set_ready(&s->level, 2, level_slot(&s->level, 2, s->store));
    assert_int_equal(level_earliest(&s->level), 40);
    remove_number(s, 1);
    remove_number(s, 2);
    assert_true(level_earliest(&s->level) == UINT64_MAX); /* what is left lives for ever */
}

static void a_page_that_was_touched_stays(void **state)
{
    struct shelf *s = *state;
    append(s, 3 * PAGE_SLOTS);
    struct slot *slot = level_slot(&s->level, 5, s->store);
    level_set_unacked(&s->level, 5, slot);
    level_set_ready(&s->level, 5, slot);
    remove_number(s, PAGE_SLOTS + 1);
    put_out(s);
    assert_false(level_page(&s->level, 0)->paged_out);
    assert_false(level_page(&s->level, PAGE_SLOTS)->paged_out);
    assert_true(level_page(&s->level, 2 * PAGE_SLOTS)->paged_out);
}

static void closing_a_level_gives_back_all_that_it_held_in_segments(void **state)
{
    struct shelf *s = *state;
    append(s, 3 * PAGE_SLOTS + 5);
    put_out(s);
    assert_int_equal(store_live_bytes(s->store),
                     (3 * PAGE_SLOTS + 5) * CONTENT_SIZE + 3 * PAGE_SLOTS * PAGE_INDEX_ITEM);
    level_slot(&s->level, 0, s->store); /* one is in, two are out */
    assert_int_equal(store_live_bytes(s->store),
                     (3 * PAGE_SLOTS + 5) * CONTENT_SIZE + 2 * PAGE_SLOTS * PAGE_INDEX_ITEM);
    level_close(&s->level, s->store);
    assert_int_equal(store_live_bytes(s->store), 0);
}

static void a_damaged_index_is_told_to_the_owner(void **state)
{
    struct shelf *s = *state;
    append(s, PAGE_SLOTS);
    put_out(s);
    struct page *p = level_page(&s->level, 0);
    assert_true(disk_flip(s->disk, disk_name(s->disk, "/g/seg", 0), p->index.offset + 100));
    assert_null(level_slot(&s->level, 0, s->store));
    assert_int_equal(s->failed.code, ERR_CORRUPT);
    assert_true(p->paged_out);
}

/* --- restore --- */

static void restore_slot(struct page *p, uint16_t offset)
{
    *page_restore_slot(p, offset) = (struct slot){.state = SLOT_READY};
    p->live++;
    p->ready++;
}

static void a_restored_level_has_gaps_and_goes_on_where_it_stopped(void **state)
{
    struct shelf *s = *state;
    restore_slot(level_restore_page(&s->level, 2), 7);
    restore_slot(level_restore_page(&s->level, 5), 3);
    s->level.ready = 2;
    level_restore_end(&s->level, 5 * PAGE_SLOTS + 9);
    assert_int_equal(s->level.first_page, 2);
    assert_int_equal(s->level.page_count, 4);
    assert_null(level_page(&s->level, 3 * PAGE_SLOTS));
    assert_int_equal(front(s), 2 * PAGE_SLOTS + 7);
    append(s, 1);
    assert_non_null(level_slot(&s->level, 5 * PAGE_SLOTS + 9, s->store));
    assert_null(level_slot(&s->level, 5 * PAGE_SLOTS + 8, s->store));
    remove_number(s, 2 * PAGE_SLOTS + 7);
    assert_int_equal(front(s), 5 * PAGE_SLOTS + 3);
    assert_int_equal(s->level.first_page, 5);
}

static void a_level_restored_empty_keeps_its_next_number(void **state)
{
    struct shelf *s = *state;
    level_restore_end(&s->level, 12345);
    assert_true(front(s) == UINT64_MAX);
    append(s, 1);
    assert_int_equal(front(s), 12345);
}

static void the_last_page_may_be_far_before_the_next_number(void **state)
{
    struct shelf *s = *state;
    restore_slot(level_restore_page(&s->level, 1), 0);
    s->level.ready = 1;
    level_restore_end(&s->level, 9 * PAGE_SLOTS + 4);
    append(s, 2);
    assert_int_equal(front(s), PAGE_SLOTS);
    remove_number(s, PAGE_SLOTS);
    assert_int_equal(front(s), 9 * PAGE_SLOTS + 4);
    assert_int_equal(s->level.first_page, 9);
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE_TEST(messages_are_numbered_from_zero),
        PAGE_TEST(removed_messages_are_skipped),
        PAGE_TEST(an_unacked_message_is_not_at_the_front_until_it_is_ready_again),
        PAGE_TEST(a_content_can_be_taken_out),
        PAGE_TEST(a_shallow_queue_keeps_few_slots_wherever_it_is),
        PAGE_TEST(pages_with_nothing_live_go_from_the_head),
        PAGE_TEST(behind_an_old_message_empty_pages_cost_a_pointer),
        PAGE_TEST(an_empty_page_that_is_not_full_yet_stays),
        PAGE_TEST(a_level_takes_no_more_when_its_oldest_is_too_far_back),
        PAGE_TEST(a_page_goes_out_and_comes_back_as_it_was),
        PAGE_TEST(what_expires_is_known_of_pages_that_are_out),
        PAGE_TEST(a_page_s_time_follows_what_comes_and_goes),
        PAGE_TEST(a_page_that_was_touched_stays),
        PAGE_TEST(closing_a_level_gives_back_all_that_it_held_in_segments),
        PAGE_TEST(a_damaged_index_is_told_to_the_owner),
        PAGE_TEST(a_restored_level_has_gaps_and_goes_on_where_it_stopped),
        PAGE_TEST(a_level_restored_empty_keeps_its_next_number),
        PAGE_TEST(the_last_page_may_be_far_before_the_next_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ring between two threads: everything arrives once and in order, and a full ring refuses. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ring.h"

enum { ITEMS = 300000, CAPACITY = 64 };

static void *produce(void *arg)
{
    for (uintptr_t i = 1; i <= ITEMS; i++)
        while (!ring_push(arg, (void *)i)) sched_yield();
    return NULL;
}

static void items_cross_threads_once_and_in_order(void **state)
{
    (void)state;
    struct ring *r = ring_create(CAPACITY);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
    for (uintptr_t expected = 1; expected <= ITEMS;) {
        void *item = ring_pop(r);
        if (!item) {
            sched_yield();
            continue;
        }
        assert_int_equal((uintptr_t)item, expected);
        expected++;
    }
    pthread_join(thread, NULL);
    assert_null(ring_pop(r));
    ring_destroy(r);
}

static void a_full_ring_refuses(void **state)
{
    (void)state;
    struct ring *r = ring_create(2);
    int a, b, c;
    assert_true(ring_push(r, &a));
    assert_true(ring_push(r, &b));
    assert_false(ring_push(r, &c));
    assert_ptr_equal(ring_pop(r), &a);
    assert_true(ring_push(r, &c));
    assert_ptr_equal(ring_pop(r), &b);
    assert_ptr_equal(ring_pop(r), &c);
    ring_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_cross_threads_once_and_in_order),
        cmocka_unit_test(a_full_ring_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

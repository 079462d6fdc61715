/* XXH3 as the file formats name it: the values do not depend on the processor that computed them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

enum { SIZE = 3000, NO_VECTORS_MAX = 240 };

static void fill(uint8_t *bytes)
{
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (uint8_t)(i * 31 + i / 256);
}

static void values_are_those_of_xxh3(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];
    fill(bytes);
    assert_int_equal(hash_bytes("", 0, 0), 0x2d06800538d394c2);
    assert_int_equal(hash_bytes("warren", 6, 0), 0x749fdd1f4ff77410);
    assert_int_equal(hash_bytes(bytes, 240, 7), 0x520c62adde6c5e68);
    assert_int_equal(hash_bytes(bytes, 241, 7), 0x8beb9b4b4448525b);
    assert_int_equal(hash_bytes(bytes, SIZE, 7), 0xfcd1393ba493e7a5);
}

static void parts_give_what_the_whole_gives(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];
    fill(bytes);
    for (size_t size = NO_VECTORS_MAX; size < SIZE - 8; size++)
        for (size_t at = 0; at < 8; at += 7) {
            struct hash_stream *h = hash_stream_create();
            hash_stream_add(h, bytes + at, size / 3);
            hash_stream_add(h, bytes + at + size / 3, size - size / 3);
            assert_int_equal(hash_bytes(bytes + at, size, 0), hash_stream_finish(h));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_xxh3),
        cmocka_unit_test(parts_give_what_the_whole_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Maps against an array that is obviously right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/random.h"

enum { KEYS = 512, STEPS = 200000 };

static void behaves_like_an_array_under_random_changes(void **state)
{
    (void)state;
    struct map_u64 m = {0};
    void *model[KEYS] = {0};
    struct random random = {42};
    static char values[KEYS];
    for (int i = 0; i < STEPS; i++) {
        uint64_t key = random_below(&random, KEYS);
        switch (random_below(&random, 3)) {
        case 0:
            assert_ptr_equal(map_u64_set(&m, key * 7919, &values[key]), model[key]);
            model[key] = &values[key];
            break;
        case 1:
            assert_ptr_equal(map_u64_remove(&m, key * 7919), model[key]);
            model[key] = NULL;
            break;
        default:
            assert_ptr_equal(map_u64_get(&m, key * 7919), model[key]);
        }
    }
    size_t count = 0, at = 0, walked = 0;
    for (int i = 0; i < KEYS; i++) count += model[i] != NULL;
    while (map_u64_next(&m, &at, NULL)) walked++;
    assert_int_equal(m.count, count);
    assert_int_equal(walked, count);
    map_u64_close(&m);
}

static void string_keys_are_found_by_content(void **state)
{
    (void)state;
    struct map_str m = {0};
    char keys[KEYS][8];
    for (int i = 0; i < KEYS; i++) {
        keys[i][0] = (char)('a' + i % 26);
        keys[i][1] = (char)('a' + i / 26);
        keys[i][2] = '\0';
        assert_null(map_str_set(&m, slice_str(keys[i]), keys[i]));
    }
    for (int i = 0; i < KEYS; i += 2) assert_ptr_equal(map_str_remove(&m, slice_str(keys[i])), keys[i]);
    for (int i = 0; i < KEYS; i++) {
        char copy[8];
        memcpy(copy, keys[i], sizeof copy);
        assert_ptr_equal(map_str_get(&m, slice_str(copy)), i % 2 ? keys[i] : NULL);
    }
    map_str_close(&m);
}

/* Keys of 32 bytes that begin with the first eight bytes of XXH3's public secret: what comes behind them is multiplied
 * by nothing, and any eight bytes give the same hash. */
static struct slice colliding(uint8_t space[32], uint64_t number)
{
    static const uint8_t secret[] = {0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe};
    memset(space, 'x', 32);
    memcpy(space, secret, sizeof secret);
    memcpy(space + sizeof secret, &number, sizeof number);
    return slice_of(space, 32);
}

static size_t distinct_hashes(struct map_str *m)
{
    uint8_t keys[KEYS][32];
    size_t distinct = 0;
    for (uint64_t i = 0; i < KEYS; i++) map_str_set(m, colliding(keys[i], i), keys[i]);
    for (size_t i = 0; i < m->capacity; i++) {
        bool again = false;
        for (size_t k = 0; k < i && m->slots[i].value; k++)
            again = again || (m->slots[k].value && m->slots[k].hash == m->slots[i].hash);
        distinct += m->slots[i].value && !again;
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        uint8_t copy[32];
        assert_ptr_equal(map_str_get(m, colliding(copy, i)), keys[i]);
    }
    map_str_close(m);
    return distinct;
}

static void nobody_can_choose_keys_for_one_place_of_a_guarded_map(void **state)
{
    (void)state;
    struct map_str plain = {0}, guarded = {0};
    map_str_guard(&guarded);
    assert_int_equal(distinct_hashes(&plain), 1); /* else these are not the keys that an attacker would choose */
    assert_int_equal(distinct_hashes(&guarded), KEYS);
    assert_int_equal(distinct_hashes(&guarded), KEYS); /* also when it was closed in between */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array_under_random_changes),
        cmocka_unit_test(string_keys_are_found_by_content),
        cmocka_unit_test(nobody_can_choose_keys_for_one_place_of_a_guarded_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
        default: assert_ptr_equal(map_u64_get(&m, key * 7919), model[key]);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array_under_random_changes),
        cmocka_unit_test(string_keys_are_found_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

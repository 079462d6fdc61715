/* What counts as UTF-8, at every place of a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

#define BYTES(text) slice_of(text, sizeof(text) - 1)

/* The same between ASCII on both sides, so that it meets the steps of eight bytes everywhere. */
static bool is_valid(struct slice text)
{
    char space[40];
    bool alone = utf8_is_valid(text);
    for (size_t before = 0; before <= 16; before++)
        for (size_t after = 0; after <= 16; after++) {
            memset(space, 'a', sizeof space);
            if (text.size) memcpy(space + before, text.data, text.size);
            assert_int_equal(utf8_is_valid(slice_of(space, before + text.size + after)), alone);
        }
    return alone;
}

static void characters_of_every_size_are_valid(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "a",
                                        "\x7f",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) assert_true(is_valid(slice_str(texts[i])));
    assert_true(is_valid(BYTES("\0")));
    assert_true(utf8_is_valid(slice_of(NULL, 0)));
}

static void everything_else_is_not(void **state)
{
    (void)state;
    static const char *const texts[] = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\xc2\x41",
                                        "\xe0\x9f\xbf",
                                        "\xe2\x82",
                                        "\xe2\x82\x41",
                                        "\xed\xa0\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf0\x9f\x98",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) assert_false(is_valid(slice_str(texts[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_every_size_are_valid),
        cmocka_unit_test(everything_else_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "node/auth/outside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S(text) slice_str(text)

static void questions_are_forms(void **state)
{
    (void)state;
    struct buf q = {0};
    struct slice password = S("p&=+ \xc3\xa4");
    auth_ask_user(&q, S("anna"), &password);
    assert_true(slice_is(buf_slice(&q), "uusername=anna&password=p%26%3D%2B%20%C3%A4"));
    auth_ask_user(&q, S("CN=anna"), NULL);
    assert_true(slice_is(buf_slice(&q), "uusername=CN%3Danna"));
    auth_ask_resource(&q, S("a"), S("x y"), S("/"), "exchange", S(""), AUTH_WRITE);
    assert_true(slice_is(buf_slice(&q),
                         "rusername=a&vhost=%2F&resource=exchange&name=amq.default&permission=write&tags=x%20y"));
    buf_close(&q);
}

static void answers_are_read_as_rabbitmq_does(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum auth_word word;
        const char *tags;
    } cases[] = {
        {200, "allow", AUTH_YES, ""},
        {200, " Allow administrator  management\r\n", AUTH_YES, "administrator  management"},
        {200, "deny", AUTH_NO, ""},
        {200, "allowed", AUTH_NO, ""},
        {200, "", AUTH_NO, ""},
        {200, "allo", AUTH_NO, ""},
        {204, "allow", AUTH_NO, ""},
        {403, "allow", AUTH_NO, ""},
        {0, "", AUTH_NO, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice tags;
        assert_int_equal(auth_outside_read(cases[i].status, S(cases[i].body), &tags), cases[i].word);
        assert_true(slice_is(tags, cases[i].tags));
    }
    assert_int_equal(auth_tag_bits(S("administrator  other, impersonator")),
                     AUTH_TAG_ADMINISTRATOR | AUTH_TAG_IMPERSONATOR);
    assert_int_equal(auth_tag_bits(S("")), 0);
}

static void put(struct auth_outside *o, const char *question, enum auth_word word, const char *tags, uint64_t until_ms)
{
    uint8_t key[AUTH_OUTSIDE_KEY_SIZE];
    auth_outside_key(S(question), key);
    auth_outside_put(o, key, word, S(tags), until_ms);
}

static void an_answer_is_good_for_its_time(void **state)
{
    (void)state;
    struct auth_outside *o = auth_outside_create();
    struct slice tags;
    assert_int_equal(auth_outside_find(o, S("q"), 0, NULL), AUTH_UNKNOWN);
    put(o, "q", AUTH_YES, "a b", 100);
    assert_int_equal(auth_outside_find(o, S("q"), 99, &tags), AUTH_YES);
    assert_true(slice_is(tags, "a b"));
    assert_int_equal(auth_outside_find(o, S("q"), 100, NULL), AUTH_UNKNOWN);
    put(o, "q", AUTH_NO, "", 300);
    assert_int_equal(auth_outside_find(o, S("q"), 200, NULL), AUTH_NO);
    auth_outside_destroy(o);
}

static void answers_do_not_grow_without_end(void **state)
{
    (void)state;
    struct auth_outside *o = auth_outside_create();
    char question[32];
    for (int i = 0; i <= AUTH_OUTSIDE_KEPT_MAX; i++) {
        snprintf(question, sizeof question, "%d", i);
        put(o, question, AUTH_YES, "", 1000);
    }
    assert_int_equal(auth_outside_find(o, S("0"), 0, NULL), AUTH_UNKNOWN);
    assert_int_equal(auth_outside_find(o, S(question), 0, NULL), AUTH_YES);
    auth_outside_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_forms),
        cmocka_unit_test(answers_are_read_as_rabbitmq_does),
        cmocka_unit_test(an_answer_is_good_for_its_time),
        cmocka_unit_test(answers_do_not_grow_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

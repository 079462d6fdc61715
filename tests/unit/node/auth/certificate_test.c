#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/auth/certificate.h"
#include "tests/unit/replication/sys/certificates.h"

static X509 *make(const struct test_subject *s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = test_certificate(s, key, NULL);
    EVP_PKEY_free(key);
    return x;
}

static void subject_is(const struct test_subject *s, const char *wanted)
{
    struct buf text = {0}, issuer = {0};
    X509 *x = make(s);
    certificate_subject(x, &text);
    certificate_issuer(x, &issuer); /* it signed itself */
    if (!slice_is(buf_slice(&text), wanted)) fail_msg("%.*s, wanted %s", (int)text.size, text.data, wanted);
    assert_true(slice_equal(buf_slice(&text), buf_slice(&issuer)));
    buf_close(&text);
    buf_close(&issuer);
    X509_free(x);
}

static void names_are_written_innermost_first_and_escaped(void **state)
{
    (void)state;
    subject_is(&(struct test_subject){.names = {{"C", "DE"}, {"O", "Example"}, {"CN", "client"}}},
               "CN=client,O=Example,C=DE");
    subject_is(&(struct test_subject){.names = {{"CN", "a,b+c\"d\\e<f>g;h=i"}}},
               "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h=i");
    subject_is(&(struct test_subject){.names = {{"CN", " blanks "}}}, "CN=\\ blanks\\ ");
    subject_is(&(struct test_subject){.names = {{"CN", "#number"}}}, "CN=\\#number");
    subject_is(&(struct test_subject){.names = {{"CN", "J\xc3\xbcrgen"}}}, "CN=J\\C3\\BCrgen");
    subject_is(&(struct test_subject){.names = {{"DC", "org"}, {"UID", "me"}, {"emailAddress", "me@example.com"}}},
               "EMAILADDRESS=me@example.com,UID=me,DC=org");
    subject_is(&(struct test_subject){.names = {{"SN", "Doe"}, {"GN", "Jane"}, {"street", "x"}, {"title", "Dr"}}},
               "TITLE=Dr,STREET=x,GIVENNAME=Jane,SN=Doe");
    subject_is(&(struct test_subject){.names = {{"1.2.3.4.5", "odd"}}}, "1.2.3.4.5=odd");
}

static void user_is(const struct test_subject *s, struct certificate_login login, const char *wanted)
{
    struct buf user = {0};
    X509 *x = make(s);
    bool found = certificate_user(x, &login, &user);
    assert_int_equal(found, wanted != NULL);
    if (wanted && !slice_is(buf_slice(&user), wanted)) fail_msg("%.*s, wanted %s", (int)user.size, user.data, wanted);
    buf_close(&user);
    X509_free(x);
}

static void the_user_is_what_the_configuration_chooses(void **state)
{
    const struct test_subject s = {
        .names = {{"O", "Example"}, {"CN", "client"}},
        .alternatives = "DNS:a.example,email:me@example.com,DNS:b.example,URI:urn:me,IP:10.0.0.7,IP:2001:db8::1,"
                        "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:me@domain"};
    const struct test_subject bare = {.names = {{"O", "Example"}}};
    const struct test_subject twice = {.names = {{"CN", "one"}, {"CN", "two"}}};
    struct certificate_login l = {.from = CERTIFICATE_DISTINGUISHED_NAME};
    (void)state;
    user_is(&s, l, "CN=client,O=Example");
    l.from = CERTIFICATE_COMMON_NAME;
    user_is(&s, l, "client");
    user_is(&bare, l, NULL);
    user_is(&twice, l, "one,two");
    l.from = CERTIFICATE_ALTERNATIVE_NAME;
    user_is(&s, l, "a.example");
    l.index = 1;
    user_is(&s, l, "b.example");
    l.index = 2;
    user_is(&s, l, NULL);
    user_is(&bare, l, NULL);
    l = (struct certificate_login){CERTIFICATE_ALTERNATIVE_NAME, CERTIFICATE_EMAIL, 0};
    user_is(&s, l, "me@example.com");
    l.kind = CERTIFICATE_URI;
    user_is(&s, l, "urn:me");
    l.kind = CERTIFICATE_IP;
    user_is(&s, l, "10.0.0.7");
    l.index = 1;
    user_is(&s, l, "2001:db8::1");
    l = (struct certificate_login){CERTIFICATE_ALTERNATIVE_NAME, CERTIFICATE_OTHER, 0};
    user_is(&s, l, "me@domain");
}

/* The classic trick: whoever compares up to the zero takes it for admin. */
static void a_zero_in_a_name_stays_in_it(void **state)
{
    struct buf user = {0};
    X509 *x = make(&(struct test_subject){.names = {{"O", "x"}}});
    const struct certificate_login l = {.from = CERTIFICATE_COMMON_NAME};
    (void)state;
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)"admin\0.evil", 11,
                               -1, 0);
    assert_true(certificate_user(x, &l, &user));
    assert_true(slice_equal(buf_slice(&user), slice_of("admin\0.evil", 11)));
    buf_close(&user);
    X509_free(x);
}

static void validity_is_a_pair_of_times(void **state)
{
    struct buf text = {0};
    X509 *x = make(&(struct test_subject){.names = {{"CN", "x"}}});
    (void)state;
    ASN1_TIME_set_string(X509_getm_notBefore(x), "20260102030405Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x), "20510102030405Z");
    certificate_validity(x, &text);
    assert_true(slice_is(buf_slice(&text), "2026-01-02T03:04:05Z - 2051-01-02T03:04:05Z"));
    buf_close(&text);
    X509_free(x);
}

static void the_words_of_the_configuration_are_known(void **state)
{
    struct certificate_login l;
    struct err err;
    (void)state;
    assert_int_equal(certificate_login_parse(&l, "subject_alternative_name", "email", 3, &err), 0);
    assert_int_equal(l.from, CERTIFICATE_ALTERNATIVE_NAME);
    assert_int_equal(l.kind, CERTIFICATE_EMAIL);
    assert_int_equal(l.index, 3);
    assert_int_equal(certificate_login_parse(&l, "subject_alt_name", "other_name", 0, &err), 0);
    assert_int_equal(l.from, CERTIFICATE_ALTERNATIVE_NAME);
    assert_int_equal(certificate_login_parse(&l, "face", "dns", 0, &err), ERR_INVALID);
    assert_int_equal(certificate_login_parse(&l, "common_name", "face", 0, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_written_innermost_first_and_escaped),
        cmocka_unit_test(the_user_is_what_the_configuration_chooses),
        cmocka_unit_test(a_zero_in_a_name_stays_in_it),
        cmocka_unit_test(validity_is_a_pair_of_times),
        cmocka_unit_test(the_words_of_the_configuration_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

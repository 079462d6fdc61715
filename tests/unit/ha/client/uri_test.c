#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ha/client/uri.h"

static struct client_uri parsed(const char *text)
{
    struct client_uri uri;
    struct err err;
    if (client_uri_parse(slice_str(text), &uri, &err)) fail_msg("%s: %s", text, err.text);
    return uri;
}

static void shows(const char *text, const char *public)
{
    struct client_uri uri = parsed(text);
    struct buf b = {0};
    client_uri_public(&b, &uri);
    buf_put_u8(&b, 0);
    assert_string_equal((char *)b.data, public);
    buf_close(&b);
    client_uri_close(&uri);
}

static void every_part_is_read(void **state)
{
    (void)state;
    struct client_uri uri = parsed("amqp://us%65r:p%40ss@host.example:1234/v%2Fhost?heartbeat=7&connection_timeout=1500"
                                   "&channel_max=12&auth_mechanism=amqplain&auth_mechanism=external&color=red");
    assert_false(uri.tls);
    assert_false(uri.local);
    assert_string_equal(uri.user, "user");
    assert_string_equal(uri.password, "p@ss");
    assert_string_equal(uri.host, "host.example");
    assert_int_equal(uri.port, 1234);
    assert_string_equal(uri.vhost, "v/host");
    assert_int_equal(uri.heartbeat_s, 7);
    assert_int_equal(uri.timeout_ms, 1500);
    assert_int_equal(uri.channel_max, 12);
    assert_int_equal(uri.mechanisms, CLIENT_AMQPLAIN | CLIENT_EXTERNAL);
    client_uri_close(&uri);
}

static void what_is_missing_has_a_default(void **state)
{
    (void)state;
    struct client_uri uri = parsed("amqp://host");
    assert_null(uri.user);
    assert_null(uri.password);
    assert_int_equal(uri.port, 5672);
    assert_string_equal(uri.vhost, "/");
    assert_int_equal(uri.heartbeat_s, CLIENT_URI_UNSET);
    assert_int_equal(uri.timeout_ms, 60000);
    assert_int_equal(uri.mechanisms, CLIENT_PLAIN | CLIENT_AMQPLAIN);
    client_uri_close(&uri);
    uri = parsed("amqp://host/");
    assert_string_equal(uri.vhost, "");
    client_uri_close(&uri);
}

static void tls_has_its_own_parameters(void **state)
{
    (void)state;
    struct client_uri uri =
        parsed("AMQPS://host?cacertfile=/a%20b.pem&certfile=/c.pem&keyfile=/k.pem&password=pw"
               "&verify=verify_none&server_name_indication=other&depth=3&fail_if_no_peer_cert=true");
    assert_true(uri.tls);
    assert_int_equal(uri.port, 5671);
    assert_string_equal(uri.cacertfile, "/a b.pem");
    assert_string_equal(uri.certfile, "/c.pem");
    assert_string_equal(uri.keyfile, "/k.pem");
    assert_string_equal(uri.key_password, "pw");
    assert_string_equal(uri.server_name, "other");
    assert_false(uri.verify);
    assert_int_equal(uri.depth, 3);
    client_uri_close(&uri);
    uri = parsed("amqps://host");
    assert_true(uri.verify);
    client_uri_close(&uri);
}

static void without_a_host_it_is_the_local_broker(void **state)
{
    (void)state;
    struct client_uri uri = parsed("amqp:///v");
    assert_true(uri.local);
    assert_string_equal(uri.vhost, "v");
    client_uri_close(&uri);
    uri = parsed("amqp://");
    assert_true(uri.local);
    assert_string_equal(uri.vhost, "/");
    client_uri_close(&uri);
    uri = parsed("amqp://somebody@/v");
    assert_true(uri.local);
    assert_string_equal(uri.user, "somebody");
    client_uri_close(&uri);
}

static void addresses_may_be_ipv6(void **state)
{
    (void)state;
    struct client_uri uri = parsed("amqp://a:b@[::1]:5673/v");
    assert_string_equal(uri.host, "::1");
    assert_int_equal(uri.port, 5673);
    client_uri_close(&uri);
    uri = parsed("amqp://[fe80::1]");
    assert_string_equal(uri.host, "fe80::1");
    assert_int_equal(uri.port, 5672);
    client_uri_close(&uri);
}

static void secrets_are_not_shown(void **state)
{
    (void)state;
    shows("amqp://user:secret@host:1/v%2Fw?certfile=x&keyfile=y", "amqp://host:1/v%2Fw");
    shows("amqps://user:secret@[::1]", "amqps://[::1]:5671/%2F");
    shows("amqp://", "amqp://");
    shows("amqp:///a", "amqp:///a");
}

static void refused(const char *text, const char *why)
{
    struct client_uri uri;
    struct err err;
    assert_int_equal(client_uri_parse(slice_str(text), &uri, &err), ERR_INVALID);
    assert_string_equal(err.text, why);
}

static void nonsense_is_refused_in_words(void **state)
{
    (void)state;
    refused("http://host", "the URI does not begin with amqp:// or amqps://");
    refused("", "the URI does not begin with amqp:// or amqps://");
    refused("amqp://host:0", "the port is not a number from 1 to 65535");
    refused("amqp://host:65536", "the port is not a number from 1 to 65535");
    refused("amqp://host:", "the port is not a number from 1 to 65535");
    refused("amqp://host:12x", "the port is not a number from 1 to 65535");
    refused("amqp://:5672", "a port without a host");
    refused("amqp://[::1", "an IPv6 address has no closing bracket");
    refused("amqp://[::1]x", "something stands between the address and the port");
    refused("amqp://host/a/b", "a slash in a vhost is written %2F");
    refused("amqp://host/%zz", "a percent sign is not followed by two hexadecimal digits");
    refused("amqp://host/%1", "a percent sign is not followed by two hexadecimal digits");
    refused("amqp://host/%00", "a percent sign is not followed by two hexadecimal digits");
    refused("amqp://host?heartbeat=x", "heartbeat is not a number: x");
    refused("amqp://host?heartbeat=65536", "heartbeat is more than 65535 seconds");
    refused("amqp://host?channel_max=70000", "channel_max is more than 65535");
    refused("amqp://host?heartbeat", "a query parameter has no value");
    refused("amqp://host?verify=maybe", "verify is verify_peer or verify_none, not maybe");
    refused("amqp://host?auth_mechanism=magic", "auth_mechanism magic is not known: plain, amqplain or external");
    refused("amqps:///v", "amqps needs a host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_read),           cmocka_unit_test(what_is_missing_has_a_default),
        cmocka_unit_test(tls_has_its_own_parameters),   cmocka_unit_test(without_a_host_it_is_the_local_broker),
        cmocka_unit_test(addresses_may_be_ipv6),        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(nonsense_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "node/net/proxy_protocol.h"
#include "node/net/range.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const char *text_of(const struct sockaddr_storage *s, char text[static 80])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *four = (const struct sockaddr_in *)s;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)s;
    bool is_v4 = s->ss_family == AF_INET;
    assert_true(is_v4 || s->ss_family == AF_INET6);
    inet_ntop(s->ss_family, is_v4 ? (const void *)&four->sin_addr : (const void *)&six->sin6_addr, host, sizeof host);
    snprintf(text, 80, "%s %u", host, ntohs(is_v4 ? four->sin_port : six->sin6_port));
    return text;
}

static enum proxy_verdict read_text(const char *text, struct proxy_header *h)
{
    return proxy_protocol_read(slice_str(text), h);
}

static void binary(struct buf *b, uint8_t command, uint8_t family, const void *rest, size_t size)
{
    buf_clear(b);
    buf_put(b, SIGNATURE, 12);
    buf_put_u8(b, command);
    buf_put_u8(b, family);
    buf_put_be16(b, (uint16_t)size);
    buf_put(b, rest, size);
}

static void a_line_names_both_ends(void **state)
{
    struct proxy_header h;
    char text[80];
    (void)state;
    assert_int_equal(read_text("PROXY TCP4 192.0.2.1 198.51.100.2 56324 5672\r\nAMQP", &h), PROXY_WHOLE);
    assert_int_equal(h.size, 46);
    assert_true(h.proxied);
    assert_string_equal(text_of(&h.source, text), "192.0.2.1 56324");
    assert_string_equal(text_of(&h.destination, text), "198.51.100.2 5672");
    assert_int_equal(read_text("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", &h), PROXY_WHOLE);
    assert_string_equal(text_of(&h.source, text), "2001:db8::1 65535");
    assert_int_equal(read_text("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", &h), PROXY_WHOLE);
    assert_string_equal(text_of(&h.source, text), "192.0.2.1 1");
}

static void a_line_of_an_unknown_client_leaves_the_sockets_address(void **state)
{
    struct proxy_header h;
    (void)state;
    assert_int_equal(read_text("PROXY UNKNOWN\r\n", &h), PROXY_WHOLE);
    assert_false(h.proxied);
    assert_int_equal(read_text("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", &h), PROXY_WHOLE);
    assert_false(h.proxied);
    assert_int_equal(read_text("PROXY UNKNOWN more words than an address has, all to be ignored\r\n", &h), PROXY_WHOLE);
    assert_false(h.proxied);
}

static void wrong_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        ("PROXY UNKNOWN "
         "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000")};
    struct proxy_header h;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (read_text(lines[i], &h) != PROXY_WRONG) fail_msg("not refused: %s", lines[i]);
}

static void a_header_may_come_byte_by_byte(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 5672\r\n";
    static const uint8_t four[12] = {192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x16, 0x28};
    struct proxy_header h;
    struct buf b = {0};
    (void)state;
    for (size_t size = 0; size < sizeof line - 1; size++)
        assert_int_equal(proxy_protocol_read(slice_of(line, size), &h), PROXY_MORE);
    binary(&b, 0x21, 0x11, four, sizeof four);
    for (size_t size = 0; size < b.size; size++)
        assert_int_equal(proxy_protocol_read(slice_of(b.data, size), &h), PROXY_MORE);
    assert_int_equal(proxy_protocol_read(buf_slice(&b), &h), PROXY_WHOLE);
    buf_close(&b);
}

static void binary_headers_name_both_ends_and_what_follows_is_skipped(void **state)
{
    uint8_t rest[60] = {192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x16, 0x28, 0x04, 0, 1, 'x'}; /* and a TLV */
    struct proxy_header h;
    struct buf b = {0};
    char text[80];
    (void)state;
    binary(&b, 0x21, 0x11, rest, 16);
    buf_put(&b, "AMQP", 4);
    assert_int_equal(proxy_protocol_read(buf_slice(&b), &h), PROXY_WHOLE);
    assert_int_equal(h.size, 32);
    assert_string_equal(text_of(&h.source, text), "192.0.2.1 56324");
    assert_string_equal(text_of(&h.destination, text), "198.51.100.2 5672");
    memset(rest, 0, sizeof rest);
    rest[0] = 0x20;
    rest[15] = 7;
    rest[33] = 9;
    binary(&b, 0x21, 0x21, rest, 40);
    assert_int_equal(proxy_protocol_read(buf_slice(&b), &h), PROXY_WHOLE);
    assert_string_equal(text_of(&h.source, text), "2000::7 9");
    buf_close(&b);
}

static void local_and_other_families_leave_the_sockets_address(void **state)
{
    static const uint8_t rest[216];
    static const struct {
        uint8_t command, family;
        size_t size;
    } cases[] = {{0x20, 0x00, 0}, {0x20, 0x11, 12}, {0x21, 0x00, 5}, {0x21, 0x31, 216}, {0x21, 0x12, 12}};
    struct proxy_header h;
    struct buf b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        binary(&b, cases[i].command, cases[i].family, rest, cases[i].size);
        assert_int_equal(proxy_protocol_read(buf_slice(&b), &h), PROXY_WHOLE);
        assert_int_equal(h.size, b.size);
        assert_false(h.proxied);
    }
    buf_close(&b);
}

static void wrong_binary_headers_are_refused(void **state)
{
    static const uint8_t rest[PROXY_HEADER_MAX];
    static const struct {
        uint8_t command, family;
        size_t size;
    } cases[] = {{0x11, 0x11, 12},
                 {0x22, 0x11, 12},
                 {0x21, 0x41, 12},
                 {0x21, 0x13, 12},
                 {0x21, 0x11, 11},
                 {0x21, 0x21, 35},
                 {0x21, 0x11, PROXY_HEADER_MAX - 15}};
    struct proxy_header h;
    struct buf b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        binary(&b, cases[i].command, cases[i].family, rest, cases[i].size);
        assert_int_equal(proxy_protocol_read(buf_slice(&b), &h), PROXY_WRONG);
    }
    buf_close(&b);
}

static void other_beginnings_are_told_by_their_first_byte(void **state)
{
    struct proxy_header h;
    (void)state;
    assert_int_equal(read_text("A", &h), PROXY_ABSENT);
    assert_int_equal(read_text("POST / HTTP/1.1", &h), PROXY_ABSENT);
    assert_int_equal(read_text("\x16\x03\x01", &h), PROXY_ABSENT);
    assert_int_equal(read_text("\r\n\r\nGET", &h), PROXY_ABSENT);
}

/* --- ranges --- */

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) memcpy(&s, &four, sizeof four);
    else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) memcpy(&s, &six, sizeof six);
    return s;
}

static void ranges_hold_what_they_say(void **state)
{
    static const struct {
        const char *range, *address;
        bool holds;
    } cases[] = {{"10.0.0.0/8", "10.255.1.2", true},
                 {"10.0.0.0/8", "11.0.0.0", false},
                 {"10.1.2.128/25", "10.1.2.200", true},
                 {"10.1.2.128/25", "10.1.2.100", false},
                 {"10.1.2.3", "10.1.2.3", true},
                 {"10.1.2.3", "10.1.2.4", false},
                 {"0.0.0.0/0", "200.1.1.1", true},
                 {"0.0.0.0/0", "2001::1", false},
                 {"::/0", "200.1.1.1", true},
                 {"2001:db8::/33", "2001:db8:7fff::1", true},
                 {"2001:db8::/33", "2001:db8:8000::1", false},
                 {"10.0.0.0/8", "::ffff:10.0.0.1", true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_range range;
        struct sockaddr_storage s = address(cases[i].address);
        assert_int_equal(net_range_parse(cases[i].range, &range, NULL), 0);
        if (net_range_holds(&range, &s) != cases[i].holds) fail_msg("%s %s", cases[i].range, cases[i].address);
    }
}

static void words_that_are_no_range_are_refused(void **state)
{
    static const char *const words[] = {
        "",          "10",           "10.0.0.0/33",
        "10.0.0.0/", "10.0.0.0/-1",  "::/129",
        "localhost", "10.0.0.0/8/8", "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222/1"};
    struct net_range range;
    struct err err;
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_int_equal(net_range_parse(words[i], &range, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_both_ends),
        cmocka_unit_test(a_line_of_an_unknown_client_leaves_the_sockets_address),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(a_header_may_come_byte_by_byte),
        cmocka_unit_test(binary_headers_name_both_ends_and_what_follows_is_skipped),
        cmocka_unit_test(local_and_other_families_leave_the_sockets_address),
        cmocka_unit_test(wrong_binary_headers_are_refused),
        cmocka_unit_test(other_beginnings_are_told_by_their_first_byte),
        cmocka_unit_test(ranges_hold_what_they_say),
        cmocka_unit_test(words_that_are_no_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Source: "The PROXY protocol, versions 1 & 2" (haproxy, doc/proxy-protocol.txt), section 2. */
#include "node/net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char line_start[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

enum { BINARY_HEAD = 16, LINE_WORDS = 6 };
enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };                  /* version and command */
enum { FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILIES_END = 0x33 }; /* family and transport */

static enum proxy_verdict read_binary(struct slice bytes, struct proxy_header *h);
static enum proxy_verdict read_line(struct slice bytes, struct proxy_header *h);

static bool begins(struct slice bytes, const void *with, size_t size)
{
    return memcmp(bytes.data, with, bytes.size < size ? bytes.size : size) == 0;
}

enum proxy_verdict proxy_protocol_read(struct slice bytes, struct proxy_header *h)
{
    *h = (struct proxy_header){0};
    if (!bytes.size) return PROXY_MORE;
    if (begins(bytes, signature, sizeof signature)) return read_binary(bytes, h);
    if (begins(bytes, line_start, sizeof line_start)) return read_line(bytes, h);
    return PROXY_ABSENT;
}

/* --- version 2 --- */

static void set_v4(struct sockaddr_storage *s, const uint8_t *address, const uint8_t *port)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    memcpy(&four.sin_addr, address, 4);
    memcpy(&four.sin_port, port, 2);
    memcpy(s, &four, sizeof four);
}

static void set_v6(struct sockaddr_storage *s, const uint8_t *address, const uint8_t *port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (memcmp(address, mapped, sizeof mapped) == 0) { /* IPv4 is shown as what it is */
        set_v4(s, address + sizeof mapped, port);
        return;
    }
    memcpy(&six.sin6_addr, address, 16);
    memcpy(&six.sin6_port, port, 2);
    memcpy(s, &six, sizeof six);
}

/*   signature (12)   version|command   family|transport   be16 size   addresses, TLVs (size)   */
static enum proxy_verdict read_binary(struct slice bytes, struct proxy_header *h)
{
    const uint8_t *b = bytes.data;
    if (bytes.size < BINARY_HEAD) return PROXY_MORE;
    size_t size = (size_t)b[14] << 8 | b[15];
    if ((b[12] != COMMAND_LOCAL && b[12] != COMMAND_PROXY) || b[13] >= FAMILIES_END || (b[13] & 15) > 2)
        return PROXY_WRONG;
    if (BINARY_HEAD + size > PROXY_HEADER_MAX) return PROXY_WRONG;
    if (bytes.size < BINARY_HEAD + size) return PROXY_MORE;
    h->size = BINARY_HEAD + size;
    b += BINARY_HEAD;
    if (bytes.data[12] == COMMAND_LOCAL) return PROXY_WHOLE;
    if (bytes.data[13] == FAMILY_TCP4) {
        if (size < 12) return PROXY_WRONG;
        set_v4(&h->source, b, b + 8);
        set_v4(&h->destination, b + 4, b + 10);
        h->proxied = true;
    } else if (bytes.data[13] == FAMILY_TCP6) {
        if (size < 36) return PROXY_WRONG;
        set_v6(&h->source, b, b + 32);
        set_v6(&h->destination, b + 16, b + 34);
        h->proxied = true;
    }
    return PROXY_WHOLE;
}

/* --- version 1: "PROXY TCP4 source destination port port\r\n", or "PROXY UNKNOWN ...\r\n" --- */

static bool read_port(const char *word, uint8_t port[static 2])
{
    unsigned value = 0;
    if (!*word || (*word == '0' && word[1])) return false;
    for (; *word; word++) {
        if (*word < '0' || *word > '9') return false;
        value = value * 10 + (unsigned)(*word - '0');
        if (value > UINT16_MAX) return false;
    }
    port[0] = (uint8_t)(value >> 8);
    port[1] = (uint8_t)value;
    return true;
}

static bool read_address(bool six, const char *address, const char *port, struct sockaddr_storage *s)
{
    uint8_t bytes[16], port_bytes[2];
    if (inet_pton(six ? AF_INET6 : AF_INET, address, bytes) != 1 || !read_port(port, port_bytes)) return false;
    if (six) set_v6(s, bytes, port_bytes);
    else set_v4(s, bytes, port_bytes);
    return true;
}

/* Whatever follows the word is to be ignored. */
static bool is_unknown(const char *line)
{
    static const char words[] = "PROXY UNKNOWN";
    size_t length = sizeof words - 1;
    return !strncmp(line, words, length) && (!line[length] || line[length] == ' ');
}

static bool read_words(char *line, struct proxy_header *h)
{
    char *words[LINE_WORDS];
    int count = 0;
    if (is_unknown(line)) return true;
    for (char *word = line; word && count < LINE_WORDS; count++) {
        words[count] = word;
        word = strchr(word, ' ');
        if (word) *word++ = 0;
        if (count + 1 == LINE_WORDS && word) return false;
    }
    bool six = count >= 2 && !strcmp(words[1], "TCP6");
    if (count != LINE_WORDS || (!six && strcmp(words[1], "TCP4"))) return false;
    h->proxied =
        read_address(six, words[2], words[4], &h->source) && read_address(six, words[3], words[5], &h->destination);
    return h->proxied;
}

static enum proxy_verdict read_line(struct slice bytes, struct proxy_header *h)
{
    char line[PROXY_LINE_MAX];
    size_t seen = bytes.size < PROXY_LINE_MAX ? bytes.size : PROXY_LINE_MAX;
    const uint8_t *end = memchr(bytes.data, '\n', seen);
    if (!end) return seen == PROXY_LINE_MAX ? PROXY_WRONG : PROXY_MORE;
    size_t size = (size_t)(end - bytes.data);
    if (end[-1] != '\r' || memchr(bytes.data, 0, size)) return PROXY_WRONG;
    h->size = size + 1;
    memcpy(line, bytes.data, size - 1);
    line[size - 1] = 0;
    return read_words(line, h) ? PROXY_WHOLE : PROXY_WRONG;
}

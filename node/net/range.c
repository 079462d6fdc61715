#include "node/net/range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { MAPPED_BITS = 96 }; /* in front of an IPv4 address */

static void map_v4(uint8_t to[static 16], const void *four)
{
    memset(to, 0, 10);
    to[10] = to[11] = 0xff;
    memcpy(to + 12, four, 4);
}

/* Digits alone, at most `high`. */
static bool read_bits(const char *text, unsigned high, unsigned *bits)
{
    *bits = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        *bits = *bits * 10 + (unsigned)(*text - '0');
        if (*bits > high) return false;
    }
    return true;
}

int net_range_parse(const char *text, struct net_range *range, struct err *err)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t four[4];
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : strlen(text);
    unsigned bits = 0;
    if (size >= sizeof address) goto invalid;
    memcpy(address, text, size);
    address[size] = 0;
    bool is_v4 = inet_pton(AF_INET, address, four) == 1;
    if (is_v4) map_v4(range->address, four);
    else if (inet_pton(AF_INET6, address, range->address) != 1) goto invalid;
    unsigned high = is_v4 ? 32 : 128;
    if (!slash) bits = high;
    else if (!read_bits(slash + 1, high, &bits)) goto invalid;
    range->bits = bits + (is_v4 ? MAPPED_BITS : 0);
    return 0;
invalid:
    return (int)err_set(err, ERR_INVALID, "%s: give an address or a range as 10.0.0.0/8", text);
}

bool net_range_holds(const struct net_range *range, const struct sockaddr_storage *address)
{
    uint8_t bytes[16];
    if (address->ss_family == AF_INET) map_v4(bytes, &((const struct sockaddr_in *)address)->sin_addr);
    else if (address->ss_family == AF_INET6) memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    else return false;
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(bytes, range->address, whole) != 0) return false;
    return !rest || ((bytes[whole] ^ range->address[whole]) >> (8 - rest)) == 0;
}

/* A range of IP addresses, `10.0.0.0/8`. Pure. Thread: any. */
#ifndef WARREN_NODE_NET_RANGE_H
#define WARREN_NODE_NET_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sockaddr_storage;

struct net_range {
    uint8_t address[16]; /* IPv4 as IPv6 holds it: ::ffff:a.b.c.d */
    unsigned bits;       /* that count, of 128 */
};

/* `address/bits`, or an address alone; IPv4 or IPv6. ERR_INVALID in words. */
int net_range_parse(const char *text, struct net_range *range, struct err *err);
bool net_range_holds(const struct net_range *range, const struct sockaddr_storage *address);

#endif

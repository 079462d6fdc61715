/* load_definitions: a file that is brought in when the node has started and the cluster has a leader for everything.
 *
 * It may be a folder of files. Every node may name it; what is there already stays as it is. Thread: one of its own, for as long as it takes.
 * Lifetime: boot_open() .. boot_close(), which waits for it. */
#ifndef WARREN_NODE_HTTP_BOOT_H
#define WARREN_NODE_HTTP_BOOT_H

#include "node/http/http_internal.h"

struct boot;

/* Reads all at once, so that a file that is no JSON keeps the node from starting. */
int boot_open(struct boot **b, struct http *h, const char *path, struct err *err);
void boot_close(struct boot *b);

#endif

/* load_definitions: files that are brought in when the node has started and the cluster has a leader for everything.
 *
 * Every node may name them, and one brings them in: the leader of the meta group. A node whose files the leader has,
 * too (by content), waits until the leader has done them; what only this node has, it brings in itself.
 * Thread: one of its own, for as long as it takes. Lifetime: boot_open() .. boot_close(), which waits for it. */
#ifndef WARREN_NODE_HTTP_BOOT_H
#define WARREN_NODE_HTTP_BOOT_H

#include "node/http/http_internal.h"

struct boot;

void boot_open(struct boot **b, struct http *h, const struct http_definitions *definitions);
void boot_start(struct boot *b); /* when questions can be asked */
void boot_close(struct boot *b);

/* For the node that asks: {"node": 1, "files": {"content's hash": is it done?}}; new. Any thread. */
json_t *boot_state(struct http *h);

#endif

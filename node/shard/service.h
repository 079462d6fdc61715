/* What the service manager that started us wants to hear (systemd's notify protocol, sd_notify(3)). Without one,
 * nothing happens.
 *
 * Thread: the main thread. */
#ifndef WARREN_NODE_SHARD_SERVICE_H
#define WARREN_NODE_SHARD_SERVICE_H

#include "node/shard/node.h"

void service_ready(void);     /* listeners accept; whether there is a majority is another question (/health/ready) */
void service_reloading(void); /* followed by service_ready() */
void service_stopping(void);
/* How often service_alive() is wanted; 0: never. */
unsigned service_alive_ms(void);
/* Says that we live, after each shard's loop has answered: a loop that hangs lets the watchdog bite. */
void service_alive(struct node *n);

#endif

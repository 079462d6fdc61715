/* One link at work on the runner's loop: its machine, its two transports, its timer.
 *
 * Thread: the loop's. Lifetime: worker_open() .. worker_close() (at once: what closes later does not touch it any
 * more). */
#ifndef WARREN_HA_RUNNER_WORKER_H
#define WARREN_HA_RUNNER_WORKER_H

#include <jansson.h>

#include "ha/federation/exchange_link.h"
#include "ha/federation/queue_link.h"
#include "ha/runner/plan.h"
#include "ha/runner/transport.h"

struct worker;

struct worker_host {
    struct uv_loop_s *loop;
    const char *cluster_name;
    void *self;
    void (*local)(void *self, int fd);                                            /* as transport_host.local */
    void (*note)(void *self, const struct worker *w, bool bad, const char *line); /* a change of state, for the log */
};

/* NULL: the item's text is no sound definition; `err` says why. `host` is borrowed. */
struct worker *worker_open(const struct plan_item *item, const struct worker_host *host, struct err *err);
/* `gone`: there is no such link any more, so what it made elsewhere may go. */
void worker_close(struct worker *w, bool gone);

bool worker_is(const struct worker *w, const struct plan_item *item);           /* same kind and names */
bool worker_is_unchanged(const struct worker *w, const struct plan_item *item); /* and the same text */
const struct plan_item *worker_item(const struct worker *w);
bool worker_is_done(const struct worker *w); /* delete-after came true */
/* --- federation --- */
/* Exchange links: all bindings of the exchange (exchange_link.h). */
struct exchange_link *worker_exchange_link(const struct worker *w); /* NULL: it is none */
struct queue_link *worker_queue_link(const struct worker *w);       /* NULL: it is none */
void worker_turn(struct worker *w);                                 /* after it was told something */
void worker_restart(struct worker *w);
json_t *worker_status(const struct worker *w); /* a new object, in the shape of RabbitMQ's API */

#endif

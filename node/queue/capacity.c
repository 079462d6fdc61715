/* Consumer capacity: the share of the last seconds in which a queue with consumers could have given them a message at
 * once. By the entries' clock, so a queue in which nothing happens keeps its figure. */
#include "node/queue/machine_internal.h"

enum { CAPACITY_WINDOW_MS = 10000 /* when so much is counted, what is old loses half of its weight */ };

static void count(struct queue_machine *m, struct queue *q)
{
    uint64_t passed_ms = m->now_ms - q->counted_ms;
    if (!q->counted_ms || m->now_ms < q->counted_ms) passed_ms = 0;
    *(q->blocked ? &q->blocked_ms : &q->free_ms) += passed_ms;
    q->counted_ms = m->now_ms;
    if (q->free_ms + q->blocked_ms < CAPACITY_WINDOW_MS) return;
    q->free_ms /= 2;
    q->blocked_ms /= 2;
}

void capacity_block(struct queue_machine *m, struct queue *q, bool blocked)
{
    if (q->blocked == blocked) return;
    if (q->consumer_count) count(m, q);
    else q->free_ms = q->blocked_ms = q->counted_ms = 0; /* without consumers nothing is counted */
    q->blocked = blocked;
}

double capacity_of(const struct queue_machine *m, const struct queue *q)
{
    uint64_t passed_ms = q->counted_ms && m->now_ms > q->counted_ms ? m->now_ms - q->counted_ms : 0;
    uint64_t blocked_ms = q->blocked_ms + (q->blocked ? passed_ms : 0);
    uint64_t free_ms = q->free_ms + (q->blocked ? 0 : passed_ms);
    if (!q->consumer_count) return 0;
    return free_ms + blocked_ms ? (double)free_ms / (double)(free_ms + blocked_ms) : !q->blocked;
}

/* A new cluster is set up once: its meta leader proposes what it starts with, and whoever comes second is refused. */
#include "node/broker/broker_internal.h"

static void seeded(void *arg, const struct broker_changed *changed)
{
    struct broker *b = arg;
    (void)changed; /* one without an answer is proposed again by the next tick of whoever leads then */
    b->seeding = false;
}

void seed_tick(struct host *h)
{
    struct broker *b = h->broker;
    if (b->seeding || !b->io->seed || registry_is_seeded(b->params.topology)) return;
    struct buf items = {0};
    b->io->seed(b->io->self, &items);
    struct topology_command command = registry_seed_command(buf_slice(&items));
    b->seeding = true;
    broker_change(b, &command, seeded, b);
    buf_close(&items);
}

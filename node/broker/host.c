/* A group of this shard, seen from its leader's side: chunks and hellos in, effects out. */
#include "node/broker/broker_internal.h"

#include "base/check.h"

void host_init(struct host *h, struct broker *b, uint32_t id)
{
    h->broker = b;
    h->id = id;
    list_init(&h->waiting);
    list_init(&h->held);
    list_init(&h->dead_letters);
    effects_init(&h->answers);
    h->outbox_nodes = mem_zalloc(BROKER_NODES_MAX * sizeof *h->outbox_nodes);
    h->outbox_shards = mem_zalloc(b->params.shard_count * sizeof *h->outbox_shards);
    h->dead_letter_ports = mem_zalloc(b->params.group_count * sizeof *h->dead_letter_ports);
}

static void drop_waiting(struct host *h)
{
    LIST_FOR_SAFE(&h->waiting, link)
    {
        list_remove(link);
        mail_destroy(LIST_ITEM(link, struct mail, link));
    }
}

static void stop_leading(struct host *h)
{
    h->leads = false;
    drop_waiting(h);
    load_abandon(h);
    meta_wait_abandon(h);
    dead_letter_stop(h);
    chunk_writer_close(&h->system);
}

void host_close(struct host *h)
{
    stop_leading(h);
    effects_close(&h->answers);
    map_u64_close(&h->backlogs);
    mem_free(h->outbox_nodes);
    mem_free(h->outbox_shards);
    mem_free(h->dead_letter_ports);
    mem_free(h);
}

void host_leading(struct host *h, uint64_t term, bool leads)
{
    if (h->leads) stop_leading(h);
    h->term = term;
    h->leads = leads;
    if (!leads) return;
    h->configure_wanted = h->reconcile_wanted = true;
    h->settings_version = 0;
    h->reconcile_at_ms = h->broker->now_ms + BROKER_RECONCILE_MS;
    dead_letter_start(h);
    if (!h->meta) return;
    lives_tick(h); /* before anything that clients ask of this leader: what they declare is of its time */
    host_system_flush(h);
}

static void hello(struct host *h, struct mail *m)
{
    effects_clear(&h->answers);
    if (h->queues) queue_machine_hello(h->queues, m->port, m->b, m->a, &h->answers);
    else meta_machine_hello(h->meta, m->port, m->b, m->a, &h->answers);
    carry_welcome(h, m->port, &h->answers);
    effects_clear(&h->answers);
}

/* True: the mail is done with (proposed or refused for good). */
static bool offer(struct host *h, struct mail *m)
{
    int code = group_propose(h->group, m->part);
    if (code == ERR_BUSY) return false;
    if (code == 0) m->part.blob = NULL; /* the reference moved */
    mail_destroy(m);
    return true;
}

void host_mail(struct host *h, struct mail *m)
{
    if (!h->leads || m->term != h->term) {
        mail_destroy(m); /* the port learns who leads now, and says hello there */
    } else if (m->type == MAIL_HELLO) {
        hello(h, m);
        mail_destroy(m);
    } else if (!list_empty(&h->waiting) || !offer(h, m)) {
        list_append(&h->waiting, &m->link);
    }
}

void host_system_flush(struct host *h)
{
    if (!h->leads || chunk_writer_empty(&h->system)) return;
    struct blob *blob = chunk_writer_finish(&h->system, 0);
    struct mail *m = mail_create(MAIL_CHUNK);
    m->group = h->id;
    m->term = h->term;
    m->part = (struct part){blob, 0, blob->size};
    host_mail(h, m);
}

void host_turn(struct host *h)
{
    if (!h->leads) return;
    host_system_flush(h);
    while (!list_empty(&h->waiting)) {
        struct mail *m = LIST_ITEM(h->waiting.next, struct mail, link);
        list_remove(&m->link);
        if (offer(h, m)) continue;
        list_prepend(&h->waiting, &m->link);
        break;
    }
    if (h->queues) dead_letter_turn(h);
}

bool host_has_work(const struct host *h)
{
    return h->leads && (!chunk_writer_empty(&h->system) || (h->queues && dead_letter_has_work(h)));
}

/* Called by the group after each apply while it leads. */
void broker_effects(struct broker *b, uint32_t group)
{
    struct host *h = b->hosts[group];
    carry_effects(h, h->effects);
    effects_clear(h->effects);
}

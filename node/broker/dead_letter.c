/* Dead lettering, at least once: the leader of the source group publishes each waiting dead letter to its targets
 * through ports of the group itself (the dead letter's number is the command's number, so a new leader repeats
 * nothing), and removes the message when all target groups have applied it. Headers: death.c. */
#include "base/hash.h"
#include "node/broker/broker_internal.h"
#include "node/broker/death.h"
#include "node/broker/publish.h"
#include "router/route.h"

enum {
    DEAD_LETTER_WINDOW = 256,      /* taken up and not yet removed, per source group */
    DEAD_LETTER_AGAIN_MS = 1000,   /* a letter that a target has refused waits so long, at least ... */
    DEAD_LETTER_AGAIN_EACH_MS = 4, /* ... and the longer the more of them wait */
    DEAD_LETTER_AGAIN_MAX_MS = 60000
};

/* A queue that a letter was sent to which may be tried again. */
struct dead_letter_target {
    uint32_t group;
    uint64_t queue;
    bool refused;
};

struct dead_letter {
    struct list link;
    struct host *host; /* NULL: abandoned while its content was being read */
    uint64_t number;
    uint64_t queue;
    uint8_t reason;
    struct buf names; /* DEAD_DUE, DEAD_HISTORY: vhost and exchange; else le64 ids of the only queues it goes to */
    uint64_t target;  /* DEAD_HISTORY: the queue, or 0 */
    struct dead_letter_target *targets; /* if it may be tried again */
    size_t target_count, target_capacity;
    bool again;
    struct part content; /* holds a reference once ready */
    bool ready, reading, sent;
    unsigned pending; /* target groups that have not applied it */
};

static void drop(struct dead_letter *d)
{
    list_remove(&d->link);
    blob_unref(d->content.blob);
    buf_close(&d->names);
    mem_free(d->targets);
    if (d->host) d->host->dead_letter_count--;
    mem_free(d);
}

void dead_letter_start(struct host *h)
{
    h->dead_letter_cursor = 0;
    h->dead_letter_wake = h->queues != NULL;
}

void dead_letter_stop(struct host *h)
{
    LIST_FOR_SAFE(&h->dead_letters, link)
    {
        struct dead_letter *d = LIST_ITEM(link, struct dead_letter, link);
        if (!d->reading) {
            drop(d);
            continue;
        }
        list_remove(&d->link);
        d->host = NULL;
    }
    h->dead_letter_count = 0;
    for (uint32_t group = 0; group < h->broker->params.group_count; group++) {
        if (h->dead_letter_ports[group]) port_free(h->dead_letter_ports[group]);
        h->dead_letter_ports[group] = NULL;
    }
}

static void read_done(void *arg, struct part content, const struct err *err)
{
    struct dead_letter *d = arg;
    d->reading = false;
    if (!d->host) {
        drop(d);
        return;
    }
    d->ready = true;
    if (content.blob) d->content = (struct part){blob_ref(content.blob), content.offset, content.size};
    else
        broker_note(d->host->broker, 0, "store content_unreadable group=%u queue=%llu error=\"%s\"", d->host->id,
                    (unsigned long long)d->queue, err ? err->text : "");
}

static void take_up(struct host *h, const struct effect *e)
{
    struct dead_letter *d = mem_zalloc(sizeof *d);
    d->host = h;
    d->number = e->number;
    d->queue = e->queue;
    d->reason = e->code;
    buf_put_slice(&d->names, e->text);
    d->target = e->a;
    list_append(&h->dead_letters, &d->link);
    h->dead_letter_count++;
    h->dead_letter_cursor = e->number;
    struct part content = e->content.blob ? e->content : store_cached(h->store, e->location);
    if (content.blob) {
        d->content = (struct part){blob_ref(content.blob), content.offset, content.size};
        d->ready = true;
        return;
    }
    d->reading = true;
    store_fetch(h->store, e->location, read_done, d);
}

static void take_up_more(struct host *h)
{
    if (!h->dead_letter_wake || h->dead_letter_count >= DEAD_LETTER_WINDOW) return;
    effects_clear(&h->answers);
    queue_machine_dead_letters(h->queues, h->dead_letter_cursor, DEAD_LETTER_WINDOW - h->dead_letter_count,
                               &h->answers);
    if (!h->answers.count) h->dead_letter_wake = false;
    for (size_t i = 0; i < h->answers.count; i++) take_up(h, &h->answers.items[i]);
    effects_clear(&h->answers);
}

/* --- sending --- */

static struct port *target_port(struct host *h, uint32_t group)
{
    struct port *p = h->dead_letter_ports[group];
    if (p) return p;
    p = port_open_as(h->broker, port_id_of_group(h->id), group, PORT_OF_DEAD_LETTERS);
    p->host = h;
    return h->dead_letter_ports[group] = p;
}

/* True when every target group has said what it already has of ours. */
static bool targets_known(struct host *h, const struct route *route)
{
    bool known = true;
    for (size_t i = 0; i < route->count; i++) known &= target_port(h, route->targets[i].group)->state == PORT_SYNCED;
    for (size_t i = 0; i < route->store_count; i++)
        known &= target_port(h, route->stores[i].group)->state == PORT_SYNCED;
    return known;
}

static void note_targets(struct dead_letter *d, const struct publish_share *share)
{
    d->targets = mem_grow(d->targets, &d->target_capacity, d->target_count + share->queue_count, sizeof *d->targets);
    for (uint32_t i = 0; i < share->queue_count; i++)
        d->targets[d->target_count++] = (struct dead_letter_target){.group = share->group, .queue = share->queues[i]};
}

static void refused_by(struct dead_letter *d, uint32_t group)
{
    for (size_t i = 0; i < d->target_count; i++)
        if (d->targets[i].group == group) d->targets[i].refused = d->again = true;
}

static void send_share(void *arg, const struct publish *m, const struct publish_share *share)
{
    struct dead_letter *d = arg;
    struct port *p = target_port(d->host, share->group);
    if (m->flags & ENQUEUE_WHOLE) note_targets(d, share);
    if (d->number <= p->applied) { /* an earlier leader saw to it */
        if (port_was_refused(p, d->number)) refused_by(d, share->group);
        return;
    }
    command_enqueue_marked_encode(port_write_numbered(p, d->number), d->number, m->flags, m->priority, m->ttl_ms,
                                  share->queues, share->queue_count, share->marks, &m->content);
    port_tag(p, d->number);
    port_written(p);
    d->pending++;
}

static void leave_out_cycles(struct topology *t, const struct death *death, struct route *route)
{
    size_t kept = 0;
    for (size_t i = 0; i < route->count; i++)
        if (!death_is_cycle(t, death, route->targets[i].queue)) route->targets[kept++] = route->targets[i];
    route->count = kept;
}

static void send_to_targets(struct dead_letter *d, struct route *route, const struct death *death)
{
    struct publish m = {.vhost = death->vhost,
                        .content = death->content,
                        .flags =
                            (death->persistent ? ENQUEUE_PERSISTENT : 0) | (death->at_least_once ? ENQUEUE_WHOLE : 0),
                        .priority = death->priority,
                        .ttl_ms = death->ttl_ms,
                        .marks = death->marked ? &death->marks : NULL};
    if (d->reason < DEAD_DUE) leave_out_cycles(d->host->broker->params.topology, death, route);
    publish_shares(route, &m, send_share, d);
}

static bool compose(struct broker *b, const struct dead_letter *d, struct death *death)
{
    if (!d->content.blob) return false;
    if (d->reason >= DEAD_DUE)
        return death_compose_kept(death, buf_slice(&d->names), part_slice(d->content), d->reason == DEAD_DUE);
    const struct queue_record *record = topology_queue_by_id(b->params.topology, d->queue);
    return record && death_compose(death, b->params.topology, record, part_slice(d->content), d->reason,
                                   b->io->clock_ms(b->io->self));
}

static bool find_refusers(struct broker *b, const struct dead_letter *d, struct route *route)
{
    struct reader r = reader_of(buf_slice(&d->names));
    while (reader_left(&r)) {
        const struct queue_record *queue = topology_queue_by_id(b->params.topology, reader_le64(&r));
        if (queue) route_add(route, queue->group, queue->id);
    }
    return route->count > 0;
}

static bool find_route(struct broker *b, const struct dead_letter *d, const struct death *death, struct route *route)
{
    if (d->reason < DEAD_DUE && d->names.size) return find_refusers(b, d, route);
    if (!d->target) return death_route(b->params.topology, death, route);
    const struct queue_record *queue = topology_queue_by_id(b->params.topology, d->target);
    if (queue) route_add(route, queue->group, queue->id);
    return queue != NULL;
}

/* False: the targets are not known yet; come back. */
static bool send_one(struct host *h, struct dead_letter *d)
{
    struct broker *b = h->broker;
    struct route route = {0};
    struct death death = {.random = hash_u64((uint64_t)h->id << 48 ^ d->number)};
    bool sent = true;
    if (compose(b, d, &death)) {
        bool found = find_route(b, d, &death, &route) && (route.count || route.store_count);
        sent = !found || targets_known(h, &route);
        if (sent && found) send_to_targets(d, &route, &death);
        d->again |= !found && death.at_least_once && !d->names.size;
    }
    death_close(&death);
    route_close(&route);
    d->sent = sent;
    return sent;
}

/* It waits in the machine, and is taken up anew with another number. */
static void try_again(struct host *h, const struct dead_letter *d)
{
    struct buf targets = {0};
    uint64_t after_ms = DEAD_LETTER_AGAIN_MS + queue_machine_postponed(h->queues) * DEAD_LETTER_AGAIN_EACH_MS;
    for (size_t i = 0; i < d->target_count; i++)
        if (d->targets[i].refused) buf_put_le64(&targets, d->targets[i].queue);
    struct command_dead_letter_again again = {
        .number = d->number,
        .after_ms = (uint32_t)(after_ms < DEAD_LETTER_AGAIN_MAX_MS ? after_ms : DEAD_LETTER_AGAIN_MAX_MS),
        .targets = buf_slice(&targets)};
    command_dead_letter_again_encode(&h->system, &again);
    buf_close(&targets);
}

static void remove_done(struct host *h)
{
    while (!list_empty(&h->dead_letters)) {
        struct dead_letter *d = LIST_ITEM(h->dead_letters.next, struct dead_letter, link);
        if (!d->sent || d->pending) break;
        if (chunk_writer_empty(&h->system)) chunk_writer_begin(&h->system, 0, 0, 0);
        if (d->again) try_again(h, d);
        else command_dead_lettered_encode(&h->system, d->number, d->number);
        drop(d);
        h->dead_letter_wake = true;
    }
}

/* What cannot be routed is dropped: a judgement for a topology that is up to date only. After a restart the meta
 * group may come up last. */
static bool may_judge(struct broker *b)
{
    if (broker_topology_is_fresh(b)) return true;
    broker_topology_refresh(b);
    return false;
}

void dead_letter_turn(struct host *h)
{
    take_up_more(h);
    remove_done(h); /* which takes no judgement */
    if (list_empty(&h->dead_letters) || !may_judge(h->broker)) return;
    LIST_FOR(&h->dead_letters, link)
    {
        struct dead_letter *d = LIST_ITEM(link, struct dead_letter, link);
        if (d->sent) continue;
        if (!d->ready || !send_one(h, d)) break; /* in order, so that numbers rise */
    }
    remove_done(h);
}

bool dead_letter_has_work(const struct host *h)
{
    if (h->dead_letter_wake && h->dead_letter_count < DEAD_LETTER_WINDOW) return true;
    if (list_empty(&h->dead_letters)) return false;
    const struct dead_letter *first = LIST_ITEM(h->dead_letters.next, struct dead_letter, link);
    return first->sent && !first->pending;
}

void dead_letter_confirmed(struct host *h, uint32_t group, uint64_t number, bool ok)
{
    LIST_FOR(&h->dead_letters, link)
    {
        struct dead_letter *d = LIST_ITEM(link, struct dead_letter, link);
        if (d->number > number) return;
        if (d->number == number && d->pending) d->pending--;
        if (d->number == number && !ok) refused_by(d, group);
    }
}

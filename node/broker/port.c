/* A port: this shard's end of a conversation with one group. Numbers commands, keeps chunks until they are applied,
 * sends them again after a change of leader (docs/architecture.md, "Ports"). */
#include "node/broker/broker_internal.h"
#include "node/queue/port_table.h"

#include "base/check.h"

static uint64_t new_port_id(struct broker *b)
{
    uint32_t counter = b->free_counter_count ? b->free_counters[--b->free_counter_count] : ++b->port_counter;
    CHECK(counter < 1u << 26);
    return port_id(b->params.node, b->epoch, counter << 6 | b->params.shard);
}

static void give_back_port_id(struct broker *b, uint64_t id)
{
    if (port_id_epoch(id) != b->epoch) return;
    b->free_counters =
        mem_grow(b->free_counters, &b->free_counter_capacity, b->free_counter_count + 1, sizeof *b->free_counters);
    b->free_counters[b->free_counter_count++] = port_id_counter(id) >> 6;
}

struct port *port_open(struct broker *b, uint32_t group, uint8_t kind)
{
    struct port *p = port_open_as(b, new_port_id(b), group, kind);
    map_u64_set(&b->ports, p->id, p);
    return p;
}

struct port *port_open_as(struct broker *b, uint64_t id, uint32_t group, uint8_t kind)
{
    struct port *p = mem_zalloc(sizeof *p);
    p->broker = b;
    p->id = id;
    p->group = group;
    p->kind = kind;
    list_init(&p->questions);
    list_init(&p->dirty_link);
    list_init(&p->group_link);
    list_append(&b->ports_of_group[group], &p->group_link);
    port_hello_soon(p);
    return p;
}

static void drop_tags(struct port *p)
{
    if (p->channel) p->channel->connection->unanswered_bytes -= p->sent_bytes;
    p->tag_count = p->refused_count = 0;
}

void port_free(struct port *p)
{
    struct broker *b = p->broker;
    LIST_FOR_SAFE(&p->questions, link)
    question_free(LIST_ITEM(link, struct question, port_link));
    drop_tags(p);
    for (size_t i = 0; i < p->sent_count; i++) blob_unref(p->sent[(p->sent_head + i) & (p->sent_capacity - 1)].blob);
    list_remove(&p->group_link);
    list_remove(&p->dirty_link);
    chunk_writer_close(&p->writer);
    mem_free(p->sent);
    mem_free(p->tags);
    mem_free(p->refused);
    if (map_u64_get(&b->ports, p->id) == p) {
        map_u64_remove(&b->ports, p->id);
        give_back_port_id(b, p->id);
    }
    mem_free(p);
}

static void write_close(struct port *p);

void port_close(struct port *p)
{
    drop_tags(p);
    p->channel = NULL;
    LIST_FOR_SAFE(&p->questions, link)
    question_forget(LIST_ITEM(link, struct question, port_link));
    if (p->last_number == 0) { /* the group has never heard of it */
        port_free(p);
        return;
    }
    p->closing = true;
    if (p->applied >= p->last_number) write_close(p); /* else after what is under way */
}

/* CLOSE goes alone, when all before it is known to be applied. A group forgets a port with its CLOSE: were the first
 * chunk sent again after that, to a new leader, it would look like a new port's and its messages would be there
 * twice. So a port that may be forgotten is one that has told of its past (`known` in its hello, `previous` in its
 * chunk), and is answered with GONE. */
static void write_close(struct port *p)
{
    p->close_written = true;
    command_empty_encode(port_write(p), COMMAND_CLOSE);
    port_written(p);
}

/* --- writing --- */

static void finish_chunk(struct port *p);

static struct chunk_writer *open_writer(struct port *p, uint8_t flags)
{
    if (!p->writer_open) {
        chunk_writer_begin(&p->writer, p->id, p->last_number, flags);
        p->writer_open = true;
        list_remove(&p->dirty_link);
        list_append(&p->broker->dirty_ports, &p->dirty_link);
    }
    return &p->writer;
}

struct chunk_writer *port_write(struct port *p)
{
    struct chunk_writer *w = open_writer(p, 0);
    p->last_number++;
    return w;
}

struct chunk_writer *port_write_numbered(struct port *p, uint64_t number)
{
    struct chunk_writer *w = open_writer(p, CHUNK_SPARSE);
    CHECK(number > p->last_number);
    p->last_number = number;
    return w;
}

void port_written(struct port *p)
{
    if (p->writer.bytes.size >= BROKER_CHUNK_SIZE_MAX) finish_chunk(p);
}

void port_tag(struct port *p, uint64_t tag)
{
    if (p->tag_count == p->tag_capacity) {
        size_t capacity = p->tag_capacity ? p->tag_capacity * 2 : 16;
        struct port_tag *bigger = mem_alloc(capacity * sizeof *bigger);
        for (size_t i = 0; i < p->tag_count; i++) bigger[i] = p->tags[(p->tag_head + i) & (p->tag_capacity - 1)];
        mem_free(p->tags);
        p->tags = bigger;
        p->tag_capacity = capacity;
        p->tag_head = 0;
    }
    p->tags[(p->tag_head + p->tag_count++) & (p->tag_capacity - 1)] = (struct port_tag){p->last_number, tag};
}

static void keep_sent(struct port *p, struct blob *blob)
{
    if (p->sent_count == p->sent_capacity) {
        size_t capacity = p->sent_capacity ? p->sent_capacity * 2 : 4;
        struct sent_chunk *bigger = mem_alloc(capacity * sizeof *bigger);
        for (size_t i = 0; i < p->sent_count; i++) bigger[i] = p->sent[(p->sent_head + i) & (p->sent_capacity - 1)];
        mem_free(p->sent);
        p->sent = bigger;
        p->sent_capacity = capacity;
        p->sent_head = 0;
    }
    p->sent[(p->sent_head + p->sent_count++) & (p->sent_capacity - 1)] = (struct sent_chunk){blob, p->last_number};
    p->sent_bytes += blob->size;
    if (p->channel) p->channel->connection->unanswered_bytes += blob->size;
}

static void post_chunk(struct port *p, struct blob *blob)
{
    struct mail *m = mail_create(MAIL_CHUNK);
    m->group = p->group;
    m->port = p->id;
    m->part = (struct part){blob_ref(blob), 0, blob->size};
    broker_post_to_group(p->broker, m);
}

static void say_hello(struct port *p)
{
    struct mail *m = mail_create(MAIL_HELLO);
    m->group = p->group;
    m->port = p->id;
    m->a = p->in_hand;
    m->b = p->applied > 0 && p->kind != PORT_OF_DEAD_LETTERS;
    p->state = PORT_HELLO_SENT;
    broker_post_to_group(p->broker, m);
}

static void finish_chunk(struct port *p)
{
    p->writer_open = false;
    struct blob *blob = chunk_writer_finish(&p->writer, p->received);
    p->received_told = p->received;
    p->received_bytes_told = p->received_bytes;
    keep_sent(p, blob);
    if (p->state == PORT_SYNCED) post_chunk(p, blob);
}

/* May free the port. */
void port_flush(struct port *p)
{
    list_remove(&p->dirty_link);
    if (p->writer_open) finish_chunk(p);
    if (p->state == PORT_UNSYNCED && p->broker->leaders[p->group].node) say_hello(p);
}

/* --- staying in step with the leader --- */

/* The hello goes with the next flush: whoever is in the middle of a walk over ports must not see them change. */
void port_hello_soon(struct port *p)
{
    p->state = PORT_UNSYNCED;
    p->retold = p->settled = 0;
    list_remove(&p->dirty_link);
    list_append(&p->broker->dirty_ports, &p->dirty_link);
}

/* The leader has told all that the port may have missed: what is not applied goes again, in order. */
void port_welcomed(struct port *p)
{
    if (p->state != PORT_HELLO_SENT) return;
    p->state = PORT_SYNCED;
    for (size_t i = 0; i < p->sent_count; i++) post_chunk(p, p->sent[(p->sent_head + i) & (p->sent_capacity - 1)].blob);
    if (p->kind != PORT_OF_META) return;
    LIST_FOR_SAFE(&p->questions, link)
    {
        struct question *q = LIST_ITEM(link, struct question, port_link);
        if (q->number <= p->applied) question_ask_again(q); /* its reply is lost for good; changes may be asked twice */
    }
}

bool port_was_refused(const struct port *p, uint64_t number)
{
    for (size_t i = 0; i < p->refused_count; i++)
        if (p->refused[i] == number) return true;
    return false;
}

/* A group looks again at those that an earlier leader of its sent: they are among its newest. */
static void forget_refused(struct port *p)
{
    if (p->kind != PORT_OF_DEAD_LETTERS) p->refused_count = 0;
    if (p->refused_count <= 2 * PORT_REFUSED_KEPT_OF_GROUP) return;
    p->refused_count -= PORT_REFUSED_KEPT_OF_GROUP;
    memmove(p->refused, p->refused + PORT_REFUSED_KEPT_OF_GROUP, p->refused_count * sizeof *p->refused);
}

static void confirm_up_to(struct port *p, uint64_t number)
{
    while (p->tag_count && p->tags[p->tag_head].number <= number) {
        struct port_tag tag = p->tags[p->tag_head];
        p->tag_head = (p->tag_head + 1) & (p->tag_capacity - 1);
        p->tag_count--;
        bool ok = !p->refused_count || !port_was_refused(p, tag.number);
        if (p->kind == PORT_OF_DEAD_LETTERS) dead_letter_confirmed(p->host, p->group, tag.tag, ok);
        if (p->channel) session_confirm(p->channel->connection->session, p->channel->number, tag.tag, ok);
    }
    forget_refused(p);
}

static void applied(struct port *p, uint64_t number)
{
    if (number <= p->applied) return;
    p->applied = number;
    while (p->sent_count && p->sent[p->sent_head].last <= number) {
        struct sent_chunk *chunk = &p->sent[p->sent_head];
        p->sent_head = (p->sent_head + 1) & (p->sent_capacity - 1);
        p->sent_count--;
        p->sent_bytes -= chunk->blob->size;
        if (p->channel) p->channel->connection->unanswered_bytes -= chunk->blob->size;
        blob_unref(chunk->blob);
    }
    confirm_up_to(p, number);
    if (p->channel) channel_touched(p->channel);
    if (p->last_number < number) p->last_number = number; /* a group's port goes on where an earlier leader stopped */
}

/* A client that is not told of cancelled consumers loses its channel, and this port may be gone with it. */
static void cancelled(struct port *p, const struct effect *e)
{
    if (!p->channel) return;
    struct broker_connection *connection = p->channel->connection;
    session_consumer_cancelled(connection->session, p->channel->number, p->group, e->consumer, e->a);
    connection_touched(connection);
}

static void gone(struct port *p)
{
    struct broker *b = p->broker;
    if (p->closing) {
        port_free(p);
        return;
    }
    uint32_t epoch = port_id_epoch(p->id);
    if (p->kind == PORT_OF_DEAD_LETTERS) return;
    if (epoch == b->epoch) b->io->epoch_gone(b->io->self, epoch);
}

void port_effect(struct port *p, const struct effect *e)
{
    switch (e->type) {
    case EFFECT_APPLIED:
        applied(p, e->number);
        if (!p->closing || p->applied < p->last_number) return;
        if (p->close_written) port_free(p);
        else write_close(p);
        return;
    case EFFECT_REFUSED:
        if (e->number <= p->applied || port_was_refused(p, e->number)) return;
        p->refused = mem_grow(p->refused, &p->refused_capacity, p->refused_count + 1, sizeof *p->refused);
        p->refused[p->refused_count++] = e->number;
        return;
    case EFFECT_DELIVER:
        port_deliver(p, e);
        return;
    case EFFECT_SETTLED:
        port_settled(p, e);
        return;
    case EFFECT_REPLY:
        LIST_FOR_SAFE(&p->questions, link)
        {
            struct question *q = LIST_ITEM(link, struct question, port_link);
            if (q->number == e->number) {
                question_replied(q, e);
                return;
            }
        }
        return;
    case EFFECT_CANCELLED:
        cancelled(p, e);
        return;
    case EFFECT_RESYNC:
        if (p->state == PORT_SYNCED) port_hello_soon(p);
        return;
    case EFFECT_GONE:
        gone(p);
        return;
    default:
        return;
    }
}

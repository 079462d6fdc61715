/* Questions: what a channel asked and waits for. A change of a queue has two halves, one at the meta group and one at
 * the queue's group; the answer is given when both are done. */
#include "node/broker/broker_internal.h"

#include <stdio.h>

#include "base/check.h"

struct question *question_new(struct broker *b, struct backend_channel *c, uint8_t kind)
{
    struct question *q = mem_zalloc(sizeof *q);
    q->broker = b;
    q->kind = kind;
    q->channel = c;
    q->deadline_ms = b->now_ms + b->params.question_timeout_ms;
    list_init(&q->port_link);
    list_init(&q->broker_link);
    list_append(&b->questions, &q->broker_link);
    if (c) c->question = q;
    return q;
}

void question_on(struct question *q, struct port *p)
{
    list_remove(&q->port_link);
    q->port = p;
    q->number = p->last_number;
    q->era = p->broker->topology_era;
    list_append(&p->questions, &q->port_link);
    port_written(p);
}

void question_ask(struct backend_channel *c, struct port *p, uint8_t kind)
{
    question_on(question_new(p->broker, c, kind), p);
}

void question_free(struct question *q)
{
    if (q->channel) q->channel->question = NULL;
    list_remove(&q->port_link);
    list_remove(&q->broker_link);
    buf_close(&q->command);
    if (q->of_broker) q->broker->refreshing = false;
    if (q->done) q->done(q->done_arg, &(struct broker_changed){.reply_code = 541, .text = "the node stops"});
    mem_free(q);
}

void question_forget(struct question *q)
{
    if (q->channel) q->channel->question = NULL;
    q->channel = NULL;
    /* A declare or delete that is half done goes on to its end. */
    bool halves = q->kind == QUESTION_CHANGE || q->kind == QUESTION_DELETE || q->kind == QUESTION_HOUSEKEEPING;
    if (!halves || (q->port && q->port->closing)) question_free(q);
}

static void answer(struct question *q, const struct backend_reply *reply)
{
    struct backend_channel *c = q->channel;
    q->channel = NULL;
    list_remove(&q->port_link); /* the session may close the channel, and with it its ports and what is asked there */
    list_remove(&q->broker_link);
    if (q->done) {
        char text[TOPOLOGY_TEXT_MAX];
        snprintf(text, sizeof text, "%.*s", (int)reply->text.size, (const char *)reply->text.data);
        q->done(q->done_arg, &(struct broker_changed){reply->reply_code, reply->created, text});
        q->done = NULL;
    }
    if (c) {
        c->question = NULL;
        session_reply(c->connection->session, c->number, reply);
        /* its connection stays until the turn's end */
    }
    question_free(q);
}

static void touch_and_answer(struct question *q, const struct backend_reply *reply)
{
    struct broker_connection *connection = q->channel ? q->channel->connection : NULL;
    struct port *own_port = q->own_port ? q->port : NULL;
    answer(q, reply);
    if (own_port) port_close(own_port);
    if (connection && connection->touched) connection->touched(connection->touched_arg);
}

/* --- changes --- */

static void send_change(struct question *q, struct broker *b)
{
    struct port *p = broker_meta_port(b);
    command_topology_encode(port_write(p), buf_slice(&q->command));
    question_on(q, p);
}

void question_ask_again(struct question *q)
{
    struct broker *b = q->port->broker;
    if (q->kind == QUESTION_REFRESH) {
        command_empty_encode(port_write(q->port), COMMAND_NOTHING);
        question_on(q, q->port);
    } else if (q->change_type == TOPOLOGY_QUEUE_DECLARE && !q->channel && !q->done) {
        question_free(q); /* its connection's end may stand behind it already: a queue made now would stay for ever */
    } else {
        send_change(q, b);
    }
}

bool broker_topology_is_fresh(struct broker *b)
{
    uint8_t leader = b->leaders[0].node;
    if (leader == b->params.node && b->params.shard == 0) return true; /* a leader has applied all before it leads */
    return leader && b->topology_fresh_era == b->topology_era &&
           (leader == b->params.node || b->io->connected(b->io->self, leader));
}

void broker_topology_refresh(struct broker *b)
{
    if (b->refreshing) return;
    struct question *q = question_new(b, NULL, QUESTION_REFRESH);
    struct port *p = broker_meta_port(b);
    q->of_broker = b->refreshing = true;
    command_empty_encode(port_write(p), COMMAND_NOTHING);
    question_on(q, p);
}

void question_housekeeping(struct broker *b, const struct topology_command *command)
{
    struct question *q = question_new(b, NULL, QUESTION_HOUSEKEEPING);
    q->change_type = command->type;
    topology_command_encode(&q->command, command);
    send_change(q, b);
}

void broker_change(struct broker *b, const struct topology_command *command,
                   void (*done)(void *arg, const struct broker_changed *changed), void *arg)
{
    struct question *q = question_new(b, NULL, QUESTION_CHANGE);
    q->change_type = command->type;
    q->done = done;
    q->done_arg = arg;
    topology_command_encode(&q->command, command);
    send_change(q, b);
}

void question_change(struct broker *b, struct backend_channel *c, const struct topology_command *command,
                     uint8_t delete_flags)
{
    struct question *q = question_new(b, c, QUESTION_CHANGE);
    q->change_type = command->type;
    topology_command_encode(&q->command, command);
    const struct queue_record *record = NULL;
    if (command->type == TOPOLOGY_QUEUE_DELETE)
        record = topology_queue(b->params.topology, command->vhost, command->name);
    struct topology_result result = {0};
    if (record) topology_examine(b->params.topology, command, &result);
    if (!record || result.reply_code) {
        send_change(q, b); /* the topology answers alone */
        return;
    }
    q->kind = QUESTION_DELETE;
    q->deletes_anyway = !delete_flags;
    q->queue_id = record->id;
    q->group = record->group;
    struct port *p = channel_port(c, record->group);
    command_delete_encode(port_write(p), record->id, delete_flags);
    question_on(q, p);
}

/* The topology has the queue: now its group makes it. */
static void configure_queue(struct question *q, struct broker *b, const struct effect *e)
{
    q->queue_id = e->a;
    q->group = (uint32_t)(e->b >> 1);
    q->created = e->b & 1;
    struct topology_command command;
    struct command_configure configure = {.queue = q->queue_id};
    CHECK(topology_command_decode(buf_slice(&q->command), &command));
    struct queue_record record = {.vhost = command.vhost,
                                  .name = command.name,
                                  .auto_delete = command.auto_delete,
                                  .arguments = command.arguments};
    if (!queue_record_settings(b->params.topology, &record, &configure.settings) || q->group == 0 ||
        q->group >= b->params.group_count) {
        touch_and_answer(q, &(struct backend_reply){.reply_code = 541, .code = REPLY_INVALID});
        return;
    }
    q->kind = QUESTION_CONFIGURE;
    struct port *p = channel_port(q->channel, q->group);
    command_configure_encode(port_write(p), &configure);
    question_on(q, p);
}

/* A new binding: the exchange's home group sends what it kept. False: it keeps nothing. */
static bool bind_history(struct question *q, struct broker *b)
{
    struct topology *t = b->params.topology;
    struct topology_command command;
    CHECK(topology_command_decode(buf_slice(&q->command), &command));
    if (command.type != TOPOLOGY_BIND || !topology_keeps_history(t, command.vhost, command.source)) return false;
    const struct queue_record *queue = command.to_exchange ? NULL : topology_queue(t, command.vhost, command.name);
    struct command_history bind = {.vhost = command.vhost, .exchange = command.source, .destination = command.name};
    if (!queue && !command.to_exchange) return false;
    if (queue) bind.queue = queue->id;
    uint32_t group = topology_home_group(t, command.vhost, command.source);
    q->kind = QUESTION_HISTORY;
    q->created = true;
    q->own_port = !q->channel;
    struct port *p = q->channel ? channel_port(q->channel, group) : port_open(b, group, PORT_OF_CHANNEL);
    command_history_encode(port_write(p), COMMAND_HISTORY_BIND, &bind);
    question_on(q, p);
    return true;
}

static void change_replied(struct question *q, struct broker *b, const struct effect *e)
{
    if (e->code == REPLY_REFUSED) {
        struct backend_reply reply = {.reply_code = (uint16_t)e->a, .code = e->code, .text = e->text};
        if (q->deleted_messages && e->a == 404) reply.reply_code = 0, reply.a = q->deleted_messages;
        touch_and_answer(q, &reply);
    } else if (e->code == REPLY_OK && q->change_type == TOPOLOGY_QUEUE_DECLARE && q->channel) {
        configure_queue(q, b, e);
    } else if (e->code == REPLY_OK && (e->b & 1) && (q->channel || q->done) && bind_history(q, b)) {
        return; /* answered when that is done */
    } else {
        struct backend_reply reply = {.reply_code = e->code == REPLY_OK ? 0 : 541,
                                      .code = e->code,
                                      .a = q->deleted_messages,
                                      .queue_id = e->a,
                                      .group = (uint32_t)(e->b >> 1),
                                      .created = e->b & 1};
        touch_and_answer(q, &reply);
    }
}

static void delete_replied(struct question *q, struct broker *b, const struct effect *e)
{
    if (e->code == REPLY_IN_USE || e->code == REPLY_NOT_EMPTY) {
        touch_and_answer(q, &(struct backend_reply){.reply_code = 406, .code = e->code});
        return;
    }
    q->deleted_messages = e->code == REPLY_OK ? e->a : 0;
    q->kind = QUESTION_CHANGE;
    struct topology_command command;
    CHECK(topology_command_decode(buf_slice(&q->command), &command));
    command.queue_id = q->queue_id;
    struct buf again = {0};
    topology_command_encode(&again, &command);
    buf_close(&q->command);
    q->command = again;
    send_change(q, b);
}

/* The topology has the queue and its group has not heard of it yet: whoever declares it is half done (or died there). A
 * second declaration makes it as well. */
static bool declare_it_here(struct question *q, struct broker *b)
{
    const struct queue_record *record = q->channel ? topology_queue_by_id(b->params.topology, q->queue_id) : NULL;
    struct command_configure configure = {.queue = q->queue_id};
    if (!record || !queue_record_settings(b->params.topology, record, &configure.settings)) return false;
    q->kind = QUESTION_CONFIGURE;
    struct port *p = channel_port(q->channel, q->group);
    command_configure_encode(port_write(p), &configure);
    question_on(q, p);
    return true;
}

static uint16_t reply_code_of(uint8_t code)
{
    switch (code) {
    case REPLY_OK:
    case REPLY_EMPTY:
        return 0;
    case REPLY_NOT_FOUND:
        return 404;
    case REPLY_EXCLUSIVE:
        return 403;
    case REPLY_IN_USE:
    case REPLY_NOT_EMPTY:
        return 406;
    default:
        return 541;
    }
}

void question_replied(struct question *q, const struct effect *e)
{
    struct broker *b = q->port->broker;
    switch (q->kind) {
    case QUESTION_CHANGE:
        change_replied(q, b, e);
        return;
    case QUESTION_DELETE:
        delete_replied(q, b, e);
        return;
    case QUESTION_HOUSEKEEPING:
        question_free(q);
        return;
    case QUESTION_REFRESH:
        /* The leader does not wait for ever until this node has applied what it asks for: it may still be behind. */
        if (e->code == REPLY_OK && topology_index(b->params.topology) >= e->a) b->topology_fresh_era = q->era;
        break;
    case QUESTION_STAT:
        if (e->code == REPLY_NOT_FOUND && declare_it_here(q, b)) return;
        break;
    default:
        break;
    }
    struct backend_reply reply = {.reply_code = reply_code_of(e->code),
                                  .code = e->code,
                                  .a = e->a,
                                  .b = e->b,
                                  .queue_id = q->queue_id,
                                  .group = q->group,
                                  .created = q->created,
                                  .text = e->text};
    touch_and_answer(q, &reply);
}

static void ask_later(struct question *q)
{
    struct broker *b = q->broker;
    list_remove(&q->broker_link);
    q->deadline_ms = b->now_ms + b->params.question_timeout_ms;
    list_append(&b->questions, &q->broker_link);
}

/* Nobody leads the queue's group, perhaps never again: the topology lets go of the queue. A leader that comes back
 * deletes what the topology does not have (delete_gone()). */
static void delete_without_its_group(struct question *q)
{
    static const struct effect unheard = {.code = REPLY_NOT_FOUND};
    struct topology_command command;
    CHECK(topology_command_decode(buf_slice(&q->command), &command));
    broker_note(
        q->broker, 1,
        "queue deleted_without_leader vhost=\"%.*s\" queue=\"%.*s\" group=%u action=\"what it held goes when the "
        "group has a leader again\"",
        (int)command.vhost.size, (const char *)command.vhost.data, (int)command.name.size,
        (const char *)command.name.data, q->group);
    ask_later(q);
    delete_replied(q, q->broker, &unheard);
}

void questions_tick(struct broker *b)
{
    static const char text[] = "INTERNAL_ERROR - no answer in time: is a majority of the nodes up?";
    while (!list_empty(&b->questions)) {
        struct question *q = LIST_ITEM(b->questions.next, struct question, broker_link);
        if (q->deadline_ms > b->now_ms) return;
        if (q->kind == QUESTION_HOUSEKEEPING) { /* must be done some time */
            ask_later(q);
            continue;
        }
        if (q->kind == QUESTION_DELETE && q->deletes_anyway && !b->leaders[q->group].node) {
            delete_without_its_group(q);
            continue;
        }
        touch_and_answer(q, &(struct backend_reply){.reply_code = 541, .code = REPLY_INVALID, .text = slice_str(text)});
    }
}

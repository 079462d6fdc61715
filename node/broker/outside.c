/* What an HTTP server says about users: asked for channels that wait, and kept for this shard. */
#include "node/broker/broker_internal.h"

enum auth_word backend_outside(void *self, struct slice question, struct slice *tags)
{
    return broker_outside_find(((struct broker_connection *)self)->broker, question, tags);
}

enum auth_word broker_outside_find(const struct broker *b, struct slice question, struct slice *tags)
{
    return auth_outside_find(b->outside, question, b->now_ms, tags);
}

void backend_ask(void *self, struct backend_channel *c, struct slice question)
{
    struct broker *b = ((struct broker_connection *)self)->broker;
    c->outside_id = ++b->outside_last;
    list_remove(&c->outside_link);
    list_append(&b->outside_waiting, &c->outside_link);
    b->io->ask(b->io->self, c->outside_id, question);
}

static struct backend_channel *waiting(const struct broker *b, uint64_t id)
{
    LIST_FOR(&b->outside_waiting, link)
    {
        struct backend_channel *c = LIST_ITEM(link, struct backend_channel, outside_link);
        if (c->outside_id == id) return c;
    }
    return NULL; /* it was closed meanwhile */
}

void broker_outside_learn(struct broker *b, const uint8_t key[AUTH_OUTSIDE_KEY_SIZE], enum auth_word word,
                          struct slice tags, uint64_t keep_ms)
{
    auth_outside_put(b->outside, key, word, tags, b->now_ms + keep_ms);
}

void broker_outside_answered(struct broker *b, uint64_t id)
{
    struct backend_channel *c = waiting(b, id);
    if (!c) return;
    struct broker_connection *connection = c->connection;
    list_remove(&c->outside_link);
    session_reply(connection->session, c->number, &(struct backend_reply){0});
    connection_touched(connection);
}

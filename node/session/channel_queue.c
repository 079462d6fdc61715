/* queue.declare, purge and delete. */
#include "node/session/channel_internal.h"
#include "router/policy.h"
#include "router/registry.h"
#include "router/replicas.h"

static const char reply_to_prefix[] = "amq.rabbitmq.reply-to";

static void remember_queue(struct channel *ch, struct slice name)
{
    ch->last_queue_size = (uint8_t)name.size;
    if (name.size) memcpy(ch->last_queue, name.data, name.size);
}

bool channel_queue_expand_name(struct channel *ch, struct slice *name)
{
    if (name->size) return true;
    if (!ch->last_queue_size) {
        channel_fail(ch, AMQP_NOT_FOUND, "no previously declared queue");
        return false;
    }
    *name = slice_of(ch->last_queue, ch->last_queue_size);
    return true;
}

static const struct queue_record *look_up(struct channel *ch, struct slice name)
{
    const struct backend *backend = ch->session->backend;
    return topology_queue(backend->topology(backend->self), buf_slice(&ch->session->vhost), name);
}

static bool is_locked(const struct channel *ch, const struct queue_record *q)
{
    return q->exclusive && q->owner != ch->session->token;
}

const struct queue_record *channel_queue_find(struct channel *ch, const struct amqp_method *m, struct slice name)
{
    const struct queue_record *q = look_up(ch, name);
    if (!q) {
        if (!channel_question_refresh_first(ch, m)) channel_fail_no_queue(ch, name);
        return NULL;
    }
    if (is_locked(ch, q)) {
        channel_fail_locked(ch, name);
        return NULL;
    }
    return q;
}

static void send_declare_ok(struct channel *ch, struct slice name, uint64_t ready, uint64_t consumers)
{
    struct amqp_method ok = amqp_method_of(AMQP_QUEUE_DECLARE_OK);
    ok.queue_declare_ok.queue = name;
    ok.queue_declare_ok.message_count = ready > UINT32_MAX ? UINT32_MAX : (uint32_t)ready;
    ok.queue_declare_ok.consumer_count = consumers > UINT32_MAX ? UINT32_MAX : (uint32_t)consumers;
    channel_send(ch, &ok);
}

void channel_queue_declared(struct channel *ch, const struct question *q, const struct backend_reply *reply)
{
    struct slice name = buf_slice(&q->name);
    remember_queue(ch, name);
    ch->stats.queues_declared++;
    ch->stats.queues_created += reply->created;
    if (!q->no_wait) send_declare_ok(ch, name, reply->a, reply->b);
}

/* The queue is there and fits: only its counts are asked for, and not even those for a client that
 * waits for no answer. */
static void stat(struct channel *ch, const struct queue_record *q, struct slice name, bool no_wait)
{
    struct session *s = ch->session;
    if (no_wait) {
        remember_queue(ch, name);
        return;
    }
    uint32_t group = q->group;
    uint64_t id = q->id;
    channel_question_open(ch, QUESTION_QUEUE_DECLARE, name, no_wait);
    s->backend->stat(s->backend->self, ch->backend, group, id);
}

/* Direct reply-to: whoever asks whether the pseudo queue is there sees one consumer and no messages. */
static void declare_reply_to(struct channel *ch, const struct amqp_method *m, struct slice name)
{
    if (!slice_is(name, reply_to_prefix) && !look_up(ch, name)) {
        if (!channel_question_refresh_first(ch, m)) channel_fail_no_queue(ch, name);
        return;
    }
    remember_queue(ch, name);
    if (!m->queue_declare.no_wait) send_declare_ok(ch, name, 0, 1);
}

static void declare_passive(struct channel *ch, const struct amqp_method *m, struct slice name)
{
    const struct queue_record *q = channel_queue_find(ch, m, name);
    if (q) stat(ch, q, name, m->queue_declare.no_wait);
}

/* Where the leader shall be: an argument's word, or else a policy's, under their new or old names, or the node's. */
static bool wants_local_leader(struct topology *t, const struct queue_record *q, bool by_default)
{
    static const char *const keys[] = {"x-queue-leader-locator", "x-queue-master-locator"};
    struct slice word;
    for (size_t i = 0; i < 2; i++)
        if (amqp_table_find_string(q->arguments, keys[i], &word)) return slice_is(word, "client-local");
    struct policy_match policy;
    policy_of_queue(t, q, &policy);
    for (size_t i = 0; i < 2; i++) {
        const char *text = json_string_value(policy_key_value(&policy, keys[i] + 2));
        if (text) return !strcmp(text, "client-local");
    }
    return by_default;
}

/* 0: the topology chooses. */
static uint32_t group_for(struct channel *ch, struct slice name, struct slice arguments)
{
    const struct backend *backend = ch->session->backend;
    struct topology *t = backend->topology(backend->self);
    struct queue_record q = {.vhost = buf_slice(&ch->session->vhost), .name = name, .arguments = arguments};
    bool local = wants_local_leader(t, &q, ch->session->settings->leaders_local) && topology_wants_usual(t, &q);
    uint32_t group = local ? topology_emptiest_group(t, backend->leads, backend->self) : 0;
    /* A group without a majority, or whose replicas are lost, would leave the declare without an answer. */
    return group || !backend->led ? group : topology_group_instead(t, &q, backend->led, backend->self);
}

/* In the cluster and in the vhost, as this shard knows them. */
static bool has_room(struct channel *ch, struct slice name)
{
    const struct session *s = ch->session;
    struct topology *t = s->backend->topology(s->backend->self);
    uint64_t most = s->settings->cluster_queue_max;
    if (most && topology_queue_count(t) >= most) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED,
                     "cannot declare queue '%.*s': queue limit in cluster (%llu) is reached", SLICE_ARG(name),
                     (unsigned long long)most);
        return false;
    }
    struct topology_command plain = {
        .type = TOPOLOGY_QUEUE_DECLARE, .vhost = buf_slice(&s->vhost), .name = name, .group = 1};
    struct topology_result result;
    topology_examine(t, &plain, &result);
    if (!result.reply_code || !s->backend->topology_is_fresh(s->backend->self)) return true;
    channel_fail_text(ch, result.reply_code, slice_str(result.text));
    return false;
}

/* A queue that does not name its type has its vhost's, or else the node's; a type that does not go with its flags is no
 * quorum queue's. Without a default the queue stays without a type. The arguments are as given, or made in `space`. */
static struct slice typed_arguments(const struct session *s, const struct amqp_queue_declare *d, struct buf *space)
{
    struct amqp_value given;
    if (amqp_table_find(d->arguments, "x-queue-type", &given)) return d->arguments;
    const char *type = vhost_default_queue_type(s->backend->topology(s->backend->self), buf_slice(&s->vhost));
    if (!type) type = s->settings->default_queue_type;
    if (!type || !*type) return d->arguments;
    if (!d->durable || d->exclusive || d->auto_delete) type = "classic";
    buf_put(space, d->arguments.data, d->arguments.size);
    amqp_table_put_string(space, "x-queue-type", slice_str(type));
    return buf_slice(space);
}

static void declare(struct channel *ch, const struct amqp_method *m, struct slice name, struct slice arguments)
{
    const struct amqp_queue_declare *d = &m->queue_declare;
    struct session *s = ch->session;
    const struct queue_record *q = look_up(ch, name);
    if (!q &&
        (!has_room(ch, name) || !channel_may_dead_letter(ch, m, "queue", name, arguments, "x-dead-letter-exchange") ||
         !channel_queue_arguments_check(ch, name, arguments)))
        return;
    struct topology_command c = {
        .type = TOPOLOGY_QUEUE_DECLARE,
        .vhost = buf_slice(&s->vhost),
        .name = name,
        .durable = d->durable && !d->exclusive, /* an exclusive queue does not outlive its connection */
        .exclusive = d->exclusive,
        .auto_delete = d->auto_delete,
        .compares_labels = s->settings->compares_labels,
        .connection = s->token,
        .group = q ? 0 : group_for(ch, name, arguments),
        .arguments = arguments,
    };
    if (q && s->backend->topology_is_fresh(s->backend->self)) {
        struct topology_result result;
        topology_examine(s->backend->topology(s->backend->self), &c, &result);
        if (result.reply_code) {
            channel_fail_text(ch, result.reply_code, slice_str(result.text));
            return;
        }
        if (!result.renewed) {
            stat(ch, q, name, d->no_wait);
            return;
        }
    }
    channel_change_submit(ch, QUESTION_QUEUE_DECLARE, &c, d->no_wait, 0);
}

void channel_queue_declare(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_queue_declare *d = &m->queue_declare;
    struct session *s = ch->session;
    uint8_t space[NAME_SIZE_MAX];
    struct slice name = session_name_strip(d->queue, space);
    if (session_name_begins(name, reply_to_prefix)) {
        declare_reply_to(ch, m, name);
        return;
    }
    if (d->passive) {
        declare_passive(ch, m, name);
        return;
    }
    if (!name.size) name = session_name_generate(s, "amq.gen-", space);
    else if (session_name_is_reserved(name)) {
        channel_fail(ch, AMQP_ACCESS_REFUSED, "queue name '%.*s' contains reserved prefix 'amq.*'", SLICE_ARG(name));
        return;
    }
    if (!channel_may(ch, m, AUTH_CONFIGURE, "queue", name)) return;
    struct buf typed = {0};
    declare(ch, m, name, typed_arguments(s, d, &typed));
    buf_close(&typed);
}

void channel_queue_purge(struct channel *ch, const struct amqp_method *m)
{
    struct session *s = ch->session;
    struct slice name = m->queue_purge.queue;
    if (!channel_queue_expand_name(ch, &name)) return;
    if (!channel_may(ch, m, AUTH_READ, "queue", name)) return;
    const struct queue_record *q = channel_queue_find(ch, m, name);
    if (!q) return;
    uint32_t group = q->group;
    uint64_t id = q->id;
    channel_question_open(ch, QUESTION_QUEUE_PURGE, name, m->queue_purge.no_wait);
    s->backend->purge(s->backend->self, ch->backend, group, id);
}

void channel_queue_delete(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_queue_delete *d = &m->queue_delete;
    struct session *s = ch->session;
    uint8_t space[NAME_SIZE_MAX];
    struct slice name = d->queue;
    if (!channel_queue_expand_name(ch, &name)) return;
    name = session_name_strip(name, space);
    if (!channel_may(ch, m, AUTH_CONFIGURE, "queue", name)) return;
    const struct queue_record *q = look_up(ch, name);
    if (!q) { /* deleting what is not there succeeds */
        if (channel_question_refresh_first(ch, m) || d->no_wait) return;
        struct amqp_method ok = amqp_method_of(AMQP_QUEUE_DELETE_OK);
        channel_send(ch, &ok);
        return;
    }
    if (is_locked(ch, q)) {
        channel_fail_locked(ch, name);
        return;
    }
    struct topology_command c = {
        .type = TOPOLOGY_QUEUE_DELETE,
        .vhost = buf_slice(&s->vhost),
        .name = name,
        .connection = s->token,
        .queue_id = q->id,
    };
    uint8_t flags = (uint8_t)((d->if_unused ? DELETE_IF_UNUSED : 0) | (d->if_empty ? DELETE_IF_EMPTY : 0));
    channel_change_submit(ch, QUESTION_QUEUE_DELETE, &c, d->no_wait, flags);
}

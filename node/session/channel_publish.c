/* A message from basic.publish to its queues.
 *
 * The common message (one body frame, all three frames in one read, the same exchange and key as the last) is never
 * copied here: its slices point into the input until the backend has packed them. */
#include "node/session/channel_internal.h"
#include "router/queue_arguments.h"

static void complete(struct channel *ch);
static void reset(struct channel *ch);

enum { CONTENT_HEADER_WEIGHT_AT = 2 };

bool channel_publish_begin(struct channel *ch, const struct amqp_method *m)
{
    struct session *s = ch->session;
    struct publishing *p = &ch->publishing;
    const struct amqp_basic_publish *publish = &m->basic_publish;
    if (session_blocked(s)) return false;
    if (channel_confirms_full(&ch->confirms)) return false;
    if (publish->immediate) {
        channel_fail(ch, AMQP_NOT_IMPLEMENTED, "immediate=true");
        return true;
    }
    p->state = CONTENT_HEADER;
    p->mandatory = publish->mandatory;
    p->owned = false;
    p->exchange = publish->exchange;
    p->routing_key = publish->routing_key;
    p->properties = p->body = slice_of(NULL, 0);
    if (s->borrower && s->borrower != ch) channel_publish_own(s->borrower);
    s->borrower = ch;
    return true;
}

/* Puts bytes behind what the store has, and finds the slices again: exchange, key, properties, body. */
static void store(struct publishing *p, struct slice bytes, struct slice *member)
{
    buf_put_slice(&p->store, bytes);
    member->size += bytes.size;
    const uint8_t *at = p->store.data;
    p->exchange.data = at;
    p->routing_key.data = at += p->exchange.size;
    p->properties.data = at += p->routing_key.size;
    p->body.data = at + p->properties.size;
}

void channel_publish_own(struct channel *ch)
{
    struct publishing *p = &ch->publishing;
    if (p->owned || (p->state == CONTENT_NONE && !p->held)) return;
    struct publishing borrowed = *p;
    p->owned = true;
    p->exchange.size = p->routing_key.size = p->properties.size = p->body.size = 0;
    buf_clear(&p->store);
    buf_reserve(&p->store, 1); /* empty members have an address too */
    store(p, borrowed.exchange, &p->exchange);
    store(p, borrowed.routing_key, &p->routing_key);
    store(p, borrowed.properties, &p->properties);
    store(p, borrowed.body, &p->body);
}

void channel_publish_header(struct channel *ch, const struct amqp_frame *f)
{
    struct session *s = ch->session;
    struct publishing *p = &ch->publishing;
    struct amqp_content_header header;
    if (!amqp_content_header_decode(f->payload, &header)) {
        session_fail_frame(s, f, AMQP_FRAME_ERROR, "cannot decode");
        return;
    }
    if (f->payload.data[CONTENT_HEADER_WEIGHT_AT] | f->payload.data[CONTENT_HEADER_WEIGHT_AT + 1]) {
        session_fail(s, AMQP_UNEXPECTED_FRAME,
                     "expected content header for class %u, got non content header frame instead", AMQP_CLASS_BASIC);
        return;
    }
    if (header.class_id != AMQP_CLASS_BASIC) {
        session_fail(s, AMQP_UNEXPECTED_FRAME, "expected content header for class %u, got one for class %u instead",
                     AMQP_CLASS_BASIC, header.class_id);
        return;
    }
    if (header.body_size > s->settings->message_size_max) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "message size %llu is larger than configured max size %llu",
                     (unsigned long long)header.body_size, (unsigned long long)s->settings->message_size_max);
        return;
    }
    if (p->owned) store(p, header.properties, &p->properties);
    else p->properties = header.properties;
    p->body_size = header.body_size;
    p->state = CONTENT_BODY;
    if (!header.body_size) complete(ch);
}

void channel_publish_body(struct channel *ch, struct slice part)
{
    struct publishing *p = &ch->publishing;
    if (part.size > p->body_size - p->body.size) {
        session_fail(ch->session, AMQP_FRAME_ERROR, "content body of %llu octets or more, declared were %llu",
                     (unsigned long long)(p->body.size + part.size), (unsigned long long)p->body_size);
        return;
    }
    if (part.size == p->body_size) p->body = part; /* in one piece: it may stay where it is */
    else {
        channel_publish_own(ch);
        store(p, part, &p->body);
    }
    if (p->body.size == p->body_size) complete(ch);
}

void channel_publishing_close(struct channel *ch)
{
    buf_close(&ch->publishing.store);
    ch->publishing = (struct publishing){0};
    route_close(&ch->memory.route);
    ch->memory = (struct route_memory){0};
}

static void reset(struct channel *ch)
{
    struct publishing *p = &ch->publishing;
    p->state = CONTENT_NONE;
    p->held = false;
    if (ch->session->borrower == ch) ch->session->borrower = NULL;
    if (p->store.capacity > SESSION_CONTENT_KEPT_MAX) buf_close(&p->store);
}

/* RabbitMQ's words for an expiration that is no number of milliseconds, as Erlang terms; NULL: fine. */
static const char *parse_expiration(struct slice text, uint64_t *ttl_ms, char why[SESSION_TEXT_SIZE])
{
    size_t at = text.size && (text.data[0] == '-' || text.data[0] == '+'), digits = at;
    uint64_t n = 0;
    for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        if (n <= QUEUE_TIME_MS_MAX) n = n * 10 + (uint64_t)(text.data[at] - '0');
    if (at == digits) return "no_integer";
    if (at < text.size) {
        snprintf(why, SESSION_TEXT_SIZE, "{leftover_string,\"%.*s\"}", (int)(text.size - at),
                 (const char *)text.data + at);
        return why;
    }
    const char *what = n && text.data[0] == '-' ? "value_negative" : n > QUEUE_TIME_MS_MAX ? "value_too_large" : NULL;
    if (what) {
        snprintf(why, SESSION_TEXT_SIZE, "{%s,%.*s}", what, SLICE_ARG(text));
        return why;
    }
    *ttl_ms = n;
    return NULL;
}

/* Checks of the properties that end the channel, in RabbitMQ's order; false: it ended. */
static bool check_properties(struct channel *ch, const struct amqp_properties_brief *brief, uint64_t *ttl_ms)
{
    struct session *s = ch->session;
    char space[SESSION_TEXT_SIZE];
    if ((brief->flags & AMQP_HAS_USER_ID) && !channel_may_claim_user(ch, brief->user_id)) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "user_id property set to '%.*s' but authenticated user was '%.*s'",
                     SLICE_ARG(brief->user_id), SLICE_ARG(s->user));
        return false;
    }
    if (brief->flags & AMQP_HAS_EXPIRATION) {
        const char *why = parse_expiration(brief->expiration, ttl_ms, space);
        if (why) {
            channel_fail(ch, AMQP_PRECONDITION_FAILED, "invalid expiration '%.*s': %s", SLICE_ARG(brief->expiration),
                         why);
            return false;
        }
    }
    return true;
}

/* The message waits, and is looked at again later: all of it is the channel's. */
static void keep(struct channel *ch)
{
    struct publishing *p = &ch->publishing;
    p->held = true;
    struct slice body = p->body;
    bool outside = p->owned && body.size && body.data != p->properties.data + p->properties.size;
    channel_publish_own(ch);
    if (outside) { /* the head was kept earlier, the body is still in the input */
        p->body.size = 0;
        store(p, body, &p->body);
    }
}

/* The message waits for the topology; it is looked at again when that is up to date. False: it is, judge now. */
static bool hold(struct channel *ch)
{
    const struct backend *backend = ch->session->backend;
    if (ch->refreshed || backend->topology_is_fresh(backend->self)) return false;
    keep(ch);
    CHECK(channel_question_refresh_first(ch, NULL));
    return true;
}

static bool is_internal(struct channel *ch)
{
    const struct session *s = ch->session;
    struct slice exchange = ch->publishing.exchange;
    const struct exchange *x =
        exchange.size ? topology_exchange(s->backend->topology(s->backend->self), buf_slice(&s->vhost), exchange)
                      : NULL;
    return x && x->internal;
}

static void refuse_internal(struct channel *ch)
{
    channel_fail(ch, AMQP_ACCESS_REFUSED, "cannot publish to internal exchange '%.*s' in vhost '%.*s'",
                 SLICE_ARG(ch->publishing.exchange), SLICE_ARG(ch->session->vhost));
}

/* False: the channel failed, or the message is held. */
static bool check_rights(struct channel *ch, struct slice headers)
{
    const struct publishing *p = &ch->publishing;
    struct slice key = p->routing_key;
    enum channel_publish_right right = channel_publish_allowed(ch, p->exchange, key);
    if (right == PUBLISH_ALLOWED) right = channel_publish_copies_allowed(ch, p->exchange, headers, &key);
    if (right == PUBLISH_ALLOWED) return true;
    if (right == PUBLISH_UNKNOWN) {
        keep(ch);
        channel_ask_outside(ch, NULL);
    } else if (hold(ch)) return false;
    else if (right == PUBLISH_NOT_TO_TOPIC && is_internal(ch)) refuse_internal(ch); /* RabbitMQ asks for topics last */
    else channel_publish_refuse(ch, right, p->exchange, key);
    return false;
}

static bool memory_fits(const struct route_memory *memory, uint64_t version, struct slice exchange, struct slice key)
{
    return memory->version == version && slice_equal(slice_of(memory->key, memory->key_size), key) &&
           slice_equal(slice_of(memory->exchange, memory->exchange_size), exchange);
}

static void memory_fill(struct route_memory *memory, uint64_t version, struct slice exchange, struct slice key)
{
    memory->version = version;
    memory->exchange_size = (uint8_t)exchange.size;
    memory->key_size = (uint8_t)key.size;
    if (exchange.size) memcpy(memory->exchange, exchange.data, exchange.size);
    if (key.size) memcpy(memory->key, key.data, key.size);
}

/* Sequence numbers from a random start are enough: the router spreads their bits. */
static uint64_t next_random(struct channel *ch)
{
    const struct backend *backend = ch->session->backend;
    uint64_t *random = &ch->memory.random;
    if (!*random) backend->random_bytes(backend->self, random, sizeof *random);
    return ++*random;
}

/* Finds the queues, into ch->memory.route. False: the channel failed, or the message is held. */
static bool find_route(struct channel *ch, struct slice headers, const struct amqp_marks *marks)
{
    struct session *s = ch->session;
    struct publishing *p = &ch->publishing;
    struct route_memory *memory = &ch->memory;
    struct topology *topology = s->backend->topology(s->backend->self);
    struct slice cc = channel_publish_copies(headers, "CC"), bcc = channel_publish_copies(headers, "BCC");
    bool copies = cc.size || bcc.size;
    if (!copies && memory_fits(memory, topology_version(topology), p->exchange, p->routing_key))
        return !route_goes_nowhere(&memory->route) || !hold(ch);
    struct slice vhost = buf_slice(&s->vhost);
    const struct exchange *exchange = p->exchange.size ? topology_exchange(topology, vhost, p->exchange) : NULL;
    memory->version = 0;
    if (exchange && exchange->internal) {
        refuse_internal(ch);
        return false;
    }
    struct route_query query = {
        .vhost = vhost,
        .exchange = p->exchange,
        .routing_key = p->routing_key,
        .headers = headers,
        .properties = p->properties,
        .further = {cc, bcc},
        .random = next_random(ch),
        .is_local = s->backend->leads,
        .is_local_arg = s->backend->self,
        .delayed = marks && marks->delay_ms,
        .no_store = marks && marks->no_store,
    };
    if ((p->exchange.size && !exchange) || !route_find(topology, &query, &memory->route)) {
        if (!hold(ch)) channel_fail_no_exchange(ch, p->exchange);
        return false;
    }
    if (route_goes_nowhere(&memory->route) && hold(ch)) return false;
    if (!copies && route_is_lasting(&memory->route))
        memory_fill(memory, topology_version(topology), p->exchange, p->routing_key);
    return true;
}

static void send_return(struct channel *ch, const struct content *content)
{
    struct session *s = ch->session;
    struct amqp_delivery out = {
        .reply_code = AMQP_NO_ROUTE,
        .reply_text = slice_str("NO_ROUTE"),
        .exchange = content->exchange,
        .routing_key = content->routing_key,
        .properties = content->properties,
        .body = content->body,
    };
    amqp_return_put(&s->output, ch->number, s->frame_max, &out);
    ch->stats.return_unroutable++;
    s->counters.sent_frames++;
}

/* Returns the exchange's number among the channel's counts. */
static uint16_t count(struct channel *ch, const struct outgoing *m)
{
    static const size_t tops[SESSION_SIZES - 1] = {100, 1000, 10000, 100000, 1000000, 10000000, 50000000, 100000000};
    unsigned size = 0;
    while (size < SESSION_SIZES - 1 && m->publish.content.body.size > tops[size]) size++;
    ch->stats.publish++;
    ch->stats.publish_to_confirm += ch->confirms.enabled;
    ch->stats.routed += m->route->count;
    ch->stats.body_bytes += m->publish.content.body.size;
    ch->stats.sizes[size]++;
    return counts_published(&ch->counts, m->publish.content.exchange, m->route);
}

void channel_publish_send(struct channel *ch, const struct outgoing *m)
{
    struct session *s = ch->session;
    uint16_t exchange = count(ch, m);
    uint64_t tag = channel_confirms_push(ch, (uint32_t)m->publish.content.body.size, exchange);
    unsigned groups = 0;
    if (m->route->count || m->route->store_count)
        groups = s->backend->publish(s->backend->self, ch->backend, m->route, &m->publish, tag);
    if (s->traced) channel_trace_publish(ch, m);
    if (route_goes_nowhere(m->route)) {
        struct session_exchange_counts *x = counts_exchange(&ch->counts, exchange);
        if (m->mandatory) send_return(ch, &m->publish.content);
        else ch->stats.drop_unroutable++;
        if (x) *(m->mandatory ? &x->returned : &x->dropped) += 1;
    }
    channel_confirms_expect(ch, tag, groups);
}

static void hand_over(struct channel *ch, const struct amqp_properties_brief *brief, const struct amqp_marks *marks,
                      uint64_t ttl_ms)
{
    const struct publishing *p = &ch->publishing;
    struct outgoing m = {
        .route = &ch->memory.route,
        .publish = {.vhost = buf_slice(&ch->session->vhost),
                    .content = {p->exchange, p->routing_key, p->properties, p->body,
                                channel_publish_copies(brief->headers, "BCC")},
                    .flags = brief->delivery_mode == AMQP_DELIVERY_PERSISTENT ? ENQUEUE_PERSISTENT : 0,
                    .priority = brief->priority,
                    .ttl_ms = ttl_ms,
                    .marks = marks},
        .mandatory = p->mandatory,
    };
    struct buf rewritten = {0};
    if (marks) channel_settle_flush(ch); /* a key may be free only because of an ack that came before */
    if (m.route->count || m.route->store_count || m.mandatory)
        channel_publish_rewrite_properties(ch, brief, &m.publish.content.properties, &rewritten);
    if (ch->tx.selected) channel_tx_publish(ch, &m);
    else channel_publish_send(ch, &m);
    buf_close(&rewritten);
}

/* The content is whole. */
static void complete(struct channel *ch)
{
    struct session *s = ch->session;
    struct publishing *p = &ch->publishing;
    struct amqp_properties_brief brief;
    struct amqp_marks space, *marks = NULL;
    uint64_t ttl_ms = UINT64_MAX;
    unsigned code = amqp_properties_brief(p->properties, &brief);
    if (!code && brief.headers.size && amqp_marks_find(brief.headers, &space)) marks = &space;
    if (code) session_fail(s, (uint16_t)code, "cannot decode the properties of a message");
    else if (check_rights(ch, brief.headers) && find_route(ch, brief.headers, marks) &&
             channel_publish_check_reply_to(ch, &brief) && check_properties(ch, &brief, &ttl_ms) &&
             channel_publish_check_copies(ch, brief.headers))
        hand_over(ch, &brief, marks, ttl_ms);
    if (ch->state == CHANNEL_OPEN && !p->held) reset(ch);
    else p->state = CONTENT_NONE;
}

void channel_publish_again(struct channel *ch)
{
    ch->publishing.held = false;
    complete(ch);
}

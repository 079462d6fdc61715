/* Random commands against the model, and against machines restored from checkpoints.
 *
 *     unit_node_queue_machine_property [first seed [count [commands]]]
 *
 * After every entry: machine_check(), the same effects and the same counts as the model. Now and then a checkpoint is
 * begun; commands go on while it is written; it succeeds or the disk is full. From the disk as a crash leaves it a twin
 * is restored, which must have the digest of then, and with the entries since then the digest of now; it goes along for
 * a while, and sometimes takes over. A failure prints the seed. */
#include <stdlib.h>

#include "base/random.h"
#include "tests/unit/node/queue/bench.h"
#include "tests/unit/node/queue/model.h"

enum {
    SEEDS = 200,
    COMMANDS = 2000,
    DEEP_EVERY = 100,  /* so many seeds have one with queues of thousands */
    FLOOD = 400,       /* messages in a chunk of such a one */
    QUEUES_MAX = 4096, /* made in one run */
    REPLAY_MAX = 4096, /* entries between a checkpoint and its twin */
    TWIN_ENTRIES = 60, /* that it goes along */
};

struct kept_entry {
    struct blob *chunk;
    uint64_t now_ms;
};

struct run {
    struct random random;
    bool deep; /* its first queue gets long */
    struct bench *bench, *twin;
    unsigned twin_left;
    struct model model;
    struct chunk_writer writer;
    uint64_t port_ids[MODEL_PORTS], sent[MODEL_PORTS];
    unsigned seen[MODEL_PORTS], seen_count; /* ports in the order of their first chunks */
    uint32_t epoch, ports_made, consumers_made;
    uint64_t queues_made, messages_made;
    uint8_t
        place_of[QUEUES_MAX]; /* queue id -> its place in the model: one entry may delete a queue and make another */
    uint64_t dead_low, dead_high; /* dead letters that are not settled */
    struct buf said;
    struct kept_entry kept[REPLAY_MAX]; /* since the checkpoint began */
    unsigned kept_count, checkpoints, failed_checkpoints, twins;
    bool checkpointing, checkpoint_will_fail;
    uint64_t checkpoint_digest;
    struct blob *last_chunk;
    unsigned last_port;
};

static uint64_t below(struct run *r, uint64_t bound)
{
    return random_below(&r->random, bound);
}

/* --- what the machine says, in the model's words --- */

static unsigned port_index(const struct run *r, uint64_t id)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        if (r->port_ids[i] == id) return i;
    fail_msg("an effect for port %llx", (unsigned long long)id);
    return 0;
}

static void put_id(struct run *r, const struct effect *e, const char *format)
{
    buf_clear(&r->bench->line);
    bench_put_body(r->bench, e); /* " 0000123": the body begins with the message's number */
    buf_put_u8(&r->bench->line, 0);
    buf_printf(&r->said, format, strtoull((const char *)r->bench->line.data, NULL, 10));
}

static void say(struct run *r, const struct effect *e)
{
    switch (e->type) {
    case EFFECT_DELIVER:
        buf_printf(&r->said, "deliver c%u #%llu ", e->consumer, (unsigned long long)e->dseq);
        put_id(r, e, "%llu");
        buf_printf(&r->said, "%s left %llu count %llu; ", e->redelivered ? " again" : "", (unsigned long long)e->a,
                   (unsigned long long)e->b);
        return;
    case EFFECT_REPLY:
        buf_printf(&r->said, "reply %u %llu %llu; ", e->code, (unsigned long long)e->a, (unsigned long long)e->b);
        return;
    case EFFECT_CANCELLED:
        buf_printf(&r->said, "cancelled c%u after %llu; ", e->consumer, (unsigned long long)e->a);
        return;
    case EFFECT_DEAD_LETTER:
        buf_printf(&r->said, "dead %u ", e->code);
        put_id(r, e, "%llu; ");
        if (e->number > r->dead_high) r->dead_high = e->number;
        return;
    case EFFECT_QUEUE_UNUSED:
        buf_printf(&r->said, "unused; ");
        return;
    case EFFECT_REFUSED:
        buf_printf(&r->said, "refused %llu; ", (unsigned long long)e->number);
        return;
    case EFFECT_APPLIED:
        return;
    default:
        fail_msg("effect %u", e->type);
    }
}

static void compare(struct run *r, struct buf *model, const char *whose, unsigned index)
{
    buf_put_u8(&r->said, 0);
    buf_put_u8(model, 0);
    if (strcmp((const char *)r->said.data, (const char *)model->data))
        fail_msg("%s %u, entry %llu:\n  machine %s\n  model   %s", whose, index, (unsigned long long)r->bench->index,
                 r->said.data, model->data);
    buf_clear(&r->said);
}

static void compare_effects(struct run *r)
{
    const struct effects *effects = &r->bench->effects;
    for (unsigned port = 0; port < MODEL_PORTS; port++) {
        for (size_t i = 0; i < effects->count; i++)
            if (effects->items[i].port && port_index(r, effects->items[i].port) == port) say(r, &effects->items[i]);
        compare(r, &r->model.port_said[port], "port", port);
    }
    for (size_t i = 0; i < effects->count; i++)
        if (!effects->items[i].port && !effects->items[i].queue) say(r, &effects->items[i]);
    compare(r, &r->model.machine_said, "machine", 0);
    for (unsigned queue = 0; queue < MODEL_QUEUES; queue++) {
        for (size_t i = 0; i < effects->count; i++)
            if (!effects->items[i].port && effects->items[i].queue && r->place_of[effects->items[i].queue] == queue)
                say(r, &effects->items[i]);
        compare(r, &r->model.queue_said[queue], "queue", queue);
    }
    model_clear_said(&r->model);
}

static void compare_counts(struct run *r)
{
    for (unsigned i = 0; i < MODEL_QUEUES; i++) {
        const struct model_queue *q = &r->model.queues[i];
        struct queue_stat s;
        uint64_t bytes, ready = model_ready(q, &bytes);
        assert_int_equal(queue_machine_stat(r->bench->queues, q->id, &s), q->there);
        if (!q->there) continue;
        assert_int_equal(s.ready, ready);
        assert_int_equal(s.ready_bytes, bytes);
        assert_int_equal(s.ready + s.unacked + s.delayed, q->count);
        assert_int_equal(s.consumers, q->consumer_count);
    }
}

/* --- entries --- */

static void keep(struct run *r, struct blob *chunk)
{
    if (!r->checkpointing || r->kept_count == REPLAY_MAX) return;
    r->kept[r->kept_count++] = (struct kept_entry){chunk ? blob_ref(chunk) : NULL, r->bench->now_ms};
}

static void forget_kept(struct run *r)
{
    for (unsigned i = 0; i < r->kept_count; i++) blob_unref(r->kept[i].chunk);
    r->kept_count = 0;
}

static void compare_with_twin(struct run *r)
{
    assert_int_equal(digest(r->bench), digest(r->twin));
    if (--r->twin_left) return;
    if (!r->checkpointing && below(r, 2)) { /* the restored one goes on */
        struct bench *other = r->bench;
        r->bench = r->twin;
        r->twin = other;
    }
    bench_destroy(r->twin);
    r->twin = NULL;
}

static void apply(struct run *r, struct blob *chunk)
{
    keep(r, chunk);
    if (r->twin) {
        r->twin->now_ms = r->bench->now_ms;
        bench_apply(r->twin, chunk ? blob_ref(chunk) : NULL);
    }
    bench_apply(r->bench, chunk);
    compare_effects(r);
    compare_counts(r);
    if (r->twin) compare_with_twin(r);
}

static void begin_chunk(struct run *r, unsigned port)
{
    if (!r->sent[port]) r->seen[r->seen_count++] = port;
    chunk_writer_begin(&r->writer, r->port_ids[port], r->sent[port], 0);
}

static void end_chunk(struct run *r, unsigned port, uint64_t received)
{
    r->sent[port] += r->writer.count;
    model_expire(&r->model); /* what came in between does not see time pass */
    struct blob *chunk = chunk_writer_finish(&r->writer, received);
    blob_unref(r->last_chunk);
    r->last_chunk = blob_ref(chunk);
    r->last_port = port;
    apply(r, chunk);
}

/* --- random wishes; each goes to the chunk and to the model --- */

static struct queue_settings random_settings(struct run *r, unsigned queue)
{
    struct queue_settings s = plain_settings();
    if (r->deep && !queue) return s;
    static const uint8_t priorities[] = {0, 0, 1, 5, 9};
    s.max_priority = priorities[below(r, sizeof priorities)];
    s.single_active_consumer = below(r, 4) == 0;
    s.auto_delete = below(r, 4) == 0;
    s.has_dead_letter_exchange = below(r, 2);
    s.overflow = (uint8_t)below(r, 3);
    if (below(r, 4) == 0) s.message_ttl_ms = (int64_t)below(r, 100);
    if (below(r, 4) == 0) s.expires_ms = (int64_t)(1 + below(r, 500));
    if (!r->deep && below(r, 4) == 0) s.max_length = (int64_t)below(r, 12);
    if (!r->deep && below(r, 6) == 0) s.max_length_bytes = (int64_t)below(r, 400);
    if (below(r, 4) == 0) s.delivery_limit = (int64_t)below(r, 4);
    s.deduplicates = below(r, 3) == 0;
    if (below(r, 2)) s.window_size = (int64_t)below(r, 4);
    if (below(r, 3) == 0) s.window_ttl_ms = (int64_t)below(r, 100);
    if (below(r, 4) == 0) s.consumer_timeout_ms = (int64_t)below(r, 300);
    s.delayed_retry = below(r, 2) ? DELAYED_RETRY_DISABLED : (uint8_t)below(r, 4);
    s.delayed_retry_min_ms = (int64_t)below(r, 80) - 1;
    s.delayed_retry_max_ms = below(r, 2) ? QUEUE_NO_LIMIT : (int64_t)below(r, 200);
    return s;
}

static struct model_marks random_marks(struct run *r)
{
    struct model_marks m = {0};
    if (below(r, 2)) m.key = 1 + (unsigned)below(r, MODEL_KEYS);
    if (m.key && below(r, 2)) m.window = 1 + (unsigned)below(r, MODEL_WINDOWS - 1);
    if (below(r, 3) == 0) m.producer = 1 + (unsigned)below(r, MODEL_PRODUCERS);
    m.sequence = (unsigned)below(r, 20);
    m.window_size = 1 + below(r, 4);
    m.window_ttl_ms = below(r, 2) * below(r, 200);
    m.key_ttl_ms = below(r, 3) ? 0 : below(r, 200);
    return m;
}

/* A message for queues, or one that an exchange keeps back for a while, or both. */
static void encode_marked(struct run *r, uint8_t priority, uint64_t ttl_ms, const uint64_t *queues, unsigned count,
                          const struct model_marks *m, uint64_t delay_ms, const struct content *content)
{
    static const char *const windows[MODEL_WINDOWS] = {"", "x1", "x2"};
    char key[8], producer[8];
    struct buf stores = {0};
    snprintf(key, sizeof key, "k%u", m->key);
    snprintf(producer, sizeof producer, "p%u", m->producer);
    struct enqueue_marks marks = {.key_ttl_ms = m->key_ttl_ms, .sequence = m->sequence, .vhost = slice_str("/")};
    if (m->key) marks.key = slice_str(key);
    if (m->producer) marks.producer = slice_str(producer);
    if (m->window) {
        marks.window = slice_str(windows[m->window]);
        marks.windowed = count;
        marks.window_size = m->window_size;
        marks.window_ttl_ms = m->window_ttl_ms;
    }
    if (delay_ms) {
        enqueue_store_put(&stores, &(struct enqueue_store){ENQUEUE_STORE_DELAY, delay_ms, slice_str("later")});
        marks.store_count = 1;
        marks.stores = buf_slice(&stores);
    }
    command_enqueue_marked_encode(&r->writer, 0, 0, priority, ttl_ms, queues, count, &marks, content);
    buf_close(&stores);
}

/* `flood`: plain messages for the first queue, so that pages of it fill up and go out. */
static void wish_enqueue(struct run *r, unsigned port, bool flood)
{
    unsigned first = flood ? 0 : (unsigned)below(r, MODEL_QUEUES), second = (unsigned)below(r, MODEL_QUEUES);
    uint64_t queues[2] = {r->model.queues[first].id, r->model.queues[second].id};
    unsigned count = first != second && below(r, 5) == 0 ? 2 : 1;
    uint64_t ttl_ms = below(r, 4) ? UINT64_MAX : below(r, r->deep && !first ? 6000 : 150);
    uint8_t priority = (uint8_t)below(r, MODEL_LEVELS);
    unsigned size = 8 + (unsigned)below(r, r->deep ? 60 : 200);
    char body[512];
    snprintf(body, sizeof body, "%08llu", (unsigned long long)++r->messages_made);
    memset(body + 8, 'x', size - 8);
    struct content content = {
        .routing_key = slice_str("key"), .properties = slice_of("\0\0", 2), .body = slice_of(body, size)};
    bool marked = !flood && below(r, 3) == 0;
    struct model_marks marks = {0};
    uint64_t delay_ms = marked && below(r, 4) == 0 ? 1 + below(r, 200) : 0;
    if (delay_ms && below(r, 2)) count = 0;
    if (marked) marks = random_marks(r);
    if (marked) encode_marked(r, priority, ttl_ms, queues, count, &marks, delay_ms, &content);
    else command_enqueue_encode(&r->writer, 0, 0, priority, ttl_ms, queues, count, &content);
    if (delay_ms) model_postpone(&r->model, r->messages_made, delay_ms);
    bool refused = false;
    for (unsigned i = 0; i < count; i++) {
        struct model_queue *q = &r->model.queues[i ? second : first];
        struct model_message m = {.id = r->messages_made, .body = size, .level = priority};
        refused |= !q->there || !model_put(&r->model, q, m, &marks, ttl_ms);
    }
    if (refused)
        buf_printf(&r->model.port_said[port], "refused %llu; ", (unsigned long long)(r->sent[port] + r->writer.count));
}

static void wish_settle(struct run *r, unsigned port)
{
    const struct model_port *p = &r->model.ports[port];
    uint64_t first = 1 + below(r, p->next_dseq), last = first;
    if (p->count && below(r, 5)) first = last = p->items[below(r, p->count)].dseq;
    if (below(r, 3) == 0) last = first + below(r, r->deep ? 500 : 10);
    if (below(r, 40) == 0) first = 1, last = UINT64_MAX - 1;
    uint64_t dice = below(r, 10);
    uint8_t outcome = dice < 6 ? SETTLE_ACK : dice < 7 ? SETTLE_REQUEUE : dice < 8 ? SETTLE_FAIL : SETTLE_REJECT;
    command_settle_encode(&r->writer, outcome, first, last);
    model_settle(&r->model, port, outcome, first, last);
}

static void wish_attach(struct run *r, unsigned port)
{
    unsigned queue = (unsigned)below(r, MODEL_QUEUES);
    if (r->model.ports[port].consumer_count == MODEL_CONSUMERS) return;
    struct model_consumer c = {.id = ++r->consumers_made,
                               .prefetch = below(r, 3) ? (uint32_t)below(r, r->deep ? 300 : 6) : 0,
                               .priority = below(r, 4) ? 0 : (int32_t)below(r, 5) - 2,
                               .timeout_ms = below(r, 3) ? 0 : below(r, 300),
                               .flags = (uint8_t)((below(r, 12) ? 0 : ATTACH_EXCLUSIVE) |
                                                  (below(r, 3) ? 0 : ATTACH_TIMEOUT_OWN) |
                                                  (below(r, 6) ? 0 : ATTACH_NO_ACK))};
    struct command_attach a = {.queue = r->model.queues[queue].id,
                               .consumer = c.id,
                               .flags = c.flags,
                               .prefetch = c.prefetch,
                               .priority = c.priority,
                               .timeout_ms = c.timeout_ms,
                               .tag = slice_str("tag")};
    command_attach_encode(&r->writer, &a);
    model_attach(&r->model, port, queue, c);
}

static void wish_detach(struct run *r, unsigned port)
{
    const struct model_port *p = &r->model.ports[port];
    uint32_t id = p->consumer_count ? p->order[below(r, p->consumer_count)]->id : 77777;
    command_detach_encode(&r->writer, id);
    model_detach(&r->model, port, id);
}

static void wish_configure(struct run *r, unsigned port)
{
    unsigned queue = (unsigned)below(r, MODEL_QUEUES);
    struct model_queue *q = &r->model.queues[queue];
    uint64_t id = q->there ? q->id : ++r->queues_made;
    assert_true(id < QUEUES_MAX);
    r->place_of[id] = (uint8_t)queue;
    struct command_configure c = {id, random_settings(r, queue)};
    command_configure_encode(&r->writer, &c);
    model_configure(&r->model, port, queue, id, c.settings);
}

static void wish_of_queue(struct run *r, unsigned port, uint8_t type)
{
    unsigned queue = (unsigned)below(r, MODEL_QUEUES);
    uint64_t id = r->model.queues[queue].id;
    if (type == COMMAND_DELETE) {
        uint8_t flags = (uint8_t)below(r, 4);
        command_delete_encode(&r->writer, id, flags);
        model_delete(&r->model, port, queue, flags);
        return;
    }
    command_queue_encode(&r->writer, type, id);
    if (type == COMMAND_GET) model_get(&r->model, port, queue);
    if (type == COMMAND_PURGE) model_purge(&r->model, port, queue);
    if (type == COMMAND_STAT) model_stat(&r->model, port, queue);
}

static void wish_limit(struct run *r, unsigned port)
{
    uint32_t prefetch = (uint32_t)below(r, 2) * (uint32_t)below(r, 8);
    command_limit_encode(&r->writer, prefetch);
    model_limit(&r->model, port, prefetch);
}

static void any_wish(struct run *r, unsigned port)
{
    uint64_t dice = below(r, 1000);
    if (dice < 400) wish_enqueue(r, port, false);
    else if (dice < 700) wish_settle(r, port);
    else if (dice < 800) wish_of_queue(r, port, COMMAND_GET);
    else if (dice < 870) wish_attach(r, port);
    else if (dice < 910) wish_detach(r, port);
    else if (dice < 945) wish_configure(r, port);
    else if (dice < 960) wish_limit(r, port);
    else if (dice < 965) wish_of_queue(r, port, r->deep ? COMMAND_STAT : COMMAND_PURGE);
    else if (dice < 970) wish_of_queue(r, port, r->deep ? COMMAND_STAT : COMMAND_DELETE);
    else wish_of_queue(r, port, COMMAND_STAT);
}

/* A chunk of one port: usually a few commands, in deep runs now and then hundreds of messages. */
static void step_chunk(struct run *r)
{
    unsigned port = (unsigned)below(r, MODEL_PORTS);
    uint64_t next = r->model.ports[port].next_dseq;
    uint64_t received = below(r, 3) ? next - 1 : below(r, next);
    begin_chunk(r, port);
    model_expire(&r->model);
    model_received(&r->model, port, received);
    unsigned count = 1 + (unsigned)below(r, 4);
    bool flood = r->deep && below(r, 10) == 0;
    if (flood) count = FLOOD;
    while (count--) {
        if (flood) wish_enqueue(r, port, true);
        else any_wish(r, port);
    }
    end_chunk(r, port, received);
}

static void step_close(struct run *r)
{
    unsigned port = (unsigned)below(r, MODEL_PORTS);
    if (!r->sent[port]) return;
    begin_chunk(r, port);
    model_expire(&r->model);
    command_empty_encode(&r->writer, COMMAND_CLOSE);
    model_close_port(&r->model, port);
    end_chunk(r, port, 0);
    unsigned at = 0;
    while (r->seen[at] != port) at++;
    for (r->seen_count--; at < r->seen_count; at++) r->seen[at] = r->seen[at + 1];
    r->port_ids[port] = port_id(BENCH_NODE, r->epoch, ++r->ports_made);
    r->sent[port] = 0;
}

static void step_node_down(struct run *r)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        if (!r->sent[i]) return;
    chunk_writer_begin(&r->writer, 0, 0, 0);
    model_expire(&r->model);
    command_node_down_encode(&r->writer, BENCH_NODE, r->epoch++);
    model_node_down(&r->model, r->seen);
    model_expire(&r->model);
    apply(r, chunk_writer_finish(&r->writer, 0));
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        r->port_ids[i] = port_id(BENCH_NODE, r->epoch, ++r->ports_made);
        r->sent[i] = 0;
    }
    r->seen_count = 0;
    blob_unref(r->last_chunk);
    r->last_chunk = NULL;
}

static void step_dead_lettered(struct run *r)
{
    if (r->dead_low == r->dead_high) return;
    uint64_t first = r->dead_low + 1, last = r->dead_low + 1 + below(r, r->dead_high - r->dead_low);
    model_expire(&r->model);
    chunk_writer_begin(&r->writer, 0, 0, 0);
    command_dead_lettered_encode(&r->writer, first, last);
    model_expire(&r->model);
    r->dead_low = last;
    apply(r, chunk_writer_finish(&r->writer, 0));
}

static void step_again(struct run *r)
{
    if (!r->last_chunk || !r->sent[r->last_port]) return;
    model_expire(&r->model); /* time runs at the begin and at the end of an entry */
    model_expire(&r->model);
    apply(r, blob_ref(r->last_chunk));
}

static void step_time(struct run *r)
{
    r->bench->now_ms += below(r, 60);
    r->model.now_ms = r->bench->now_ms;
    model_expire(&r->model);
    model_expire(&r->model);
    apply(r, NULL);
}

/* --- checkpoints --- */

static void begin_checkpoint(struct run *r)
{
    struct bench *b = r->bench;
    r->checkpoint_digest = digest(b);
    r->checkpoint_will_fail = below(r, 4) == 0;
    r->checkpointing = true;
    checkpoint_begin(b);
    assert_int_equal(digest(b), r->checkpoint_digest);
    bench_check(b);
}

static void restore_twin(struct run *r)
{
    struct bench *b = bench_create_on(disk_after_crash(r->bench->disk, below(r, UINT64_MAX)));
    bench_restore(b);
    assert_int_equal(digest(b), r->checkpoint_digest);
    for (unsigned i = 0; i < r->kept_count; i++) {
        b->now_ms = r->kept[i].now_ms;
        bench_apply(b, r->kept[i].chunk ? blob_ref(r->kept[i].chunk) : NULL);
    }
    b->index = r->bench->index;
    assert_int_equal(digest(b), digest(r->bench));
    if (r->twin) bench_destroy(r->twin);
    r->twin = b;
    r->twin_left = TWIN_ENTRIES;
    r->twins++;
}

static void end_checkpoint(struct run *r)
{
    struct bench *b = r->bench;
    uint64_t before = digest(b);
    disk_fill(b->disk, r->checkpoint_will_fail);
    checkpoint_end(b);
    disk_fill(b->disk, false);
    r->checkpointing = false;
    assert_int_equal(b->checkpoint_failed, r->checkpoint_will_fail);
    assert_int_equal(digest(b), before);
    r->checkpoints++;
    r->failed_checkpoints += b->checkpoint_failed;
    if (!b->checkpoint_failed && r->kept_count < REPLAY_MAX && below(r, 2)) restore_twin(r);
    forget_kept(r);
}

static void step(struct run *r)
{
    uint64_t dice = below(r, 1000);
    r->model.now_ms = r->bench->now_ms;
    if (dice < 860) step_chunk(r);
    else if (dice < 930) step_time(r);
    else if (dice < 950) step_again(r);
    else if (dice < 965) step_dead_lettered(r);
    else if (dice < 975) step_close(r);
    else if (dice < 977) step_node_down(r);
    else if (r->checkpointing) end_checkpoint(r);
    else begin_checkpoint(r);
}

/* --- a run --- */

static void run_seed(uint64_t seed, unsigned commands)
{
    struct run *r = mem_zalloc(sizeof *r);
    r->random.state = seed;
    r->deep = seed % DEEP_EVERY == 0;
    r->bench = bench_create();
    r->epoch = BENCH_EPOCH;
    model_init(&r->model);
    r->model.now_ms = r->bench->now_ms;
    for (unsigned i = 0; i < MODEL_PORTS; i++) r->port_ids[i] = port_id(BENCH_NODE, r->epoch, ++r->ports_made);
    for (unsigned i = 0; i < MODEL_QUEUES; i++) {
        r->model.queues[i].id = ++r->queues_made; /* not there yet */
        r->place_of[r->queues_made] = (uint8_t)i;
    }
    print_message("seed %llu\n", (unsigned long long)seed);
    if (r->deep) commands /= 2; /* each takes much longer */
    for (unsigned i = 0; i < commands; i++) step(r);
    if (r->checkpointing) end_checkpoint(r);
    print_message("  %llu messages, %u checkpoints of which %u failed, %u twins\n",
                  (unsigned long long)r->messages_made, r->checkpoints, r->failed_checkpoints, r->twins);
    if (r->twin) bench_destroy(r->twin);
    bench_destroy(r->bench);
    model_close(&r->model);
    chunk_writer_close(&r->writer);
    buf_close(&r->said);
    blob_unref(r->last_chunk);
    mem_free(r);
}

struct plan {
    uint64_t first, count;
    unsigned commands;
};

static void a_random_life_is_the_models_and_survives_its_checkpoints(void **state)
{
    const struct plan *plan = *state;
    for (uint64_t seed = plan->first; seed < plan->first + plan->count; seed++) run_seed(seed, plan->commands);
}

int main(int argc, char **argv)
{
    struct plan plan = {.first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
                        .count = argc > 2   ? strtoull(argv[2], NULL, 10)
                                 : argc > 1 ? 1
                                            : SEEDS,
                        .commands = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : COMMANDS};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_random_life_is_the_models_and_survives_its_checkpoints, &plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

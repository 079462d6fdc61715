#include "node/http/stats.h"

#include <stdio.h>

const char *const stat_names[STAT_KINDS] = {
    [STAT_PUBLISH] = "publish",
    [STAT_CONFIRM] = "confirm",
    [STAT_RETURN_UNROUTABLE] = "return_unroutable",
    [STAT_DROP_UNROUTABLE] = "drop_unroutable",
    [STAT_DELIVER] = "deliver",
    [STAT_DELIVER_NO_ACK] = "deliver_no_ack",
    [STAT_GET] = "get",
    [STAT_GET_NO_ACK] = "get_no_ack",
    [STAT_GET_EMPTY] = "get_empty",
    [STAT_REDELIVER] = "redeliver",
    [STAT_ACK] = "ack",
    [STAT_DELIVER_GET] = "deliver_get",
    [STAT_DISK_READS] = "disk_reads",
    [STAT_DISK_WRITES] = "disk_writes",
    [STAT_RECV_OCT] = "recv_oct",
    [STAT_SEND_OCT] = "send_oct",
    [STAT_PUBLISH_IN] = "publish_in",
    [STAT_PUBLISH_OUT] = "publish_out",
    [STAT_CONNECTION_CREATED] = "connection_created",
    [STAT_CONNECTION_CLOSED] = "connection_closed",
    [STAT_CHANNEL_CREATED] = "channel_created",
    [STAT_CHANNEL_CLOSED] = "channel_closed",
    [STAT_QUEUE_DECLARED] = "queue_declared",
    [STAT_QUEUE_CREATED] = "queue_created",
    [STAT_QUEUE_DELETED] = "queue_deleted",
    [STAT_IO_READS] = "io_read_count",
    [STAT_IO_READ_BYTES] = "io_read_bytes",
    [STAT_IO_WRITES] = "io_write_count",
    [STAT_IO_WRITE_BYTES] = "io_write_bytes",
    [STAT_IO_SYNCS] = "io_sync_count",
    [STAT_CONTEXT_SWITCHES] = "context_switches",
    [STAT_MESSAGES] = "messages",
    [STAT_READY] = "messages_ready",
    [STAT_UNACKED] = "messages_unacknowledged",
    [STAT_MEM_USED] = "mem_used",
    [STAT_FD_USED] = "fd_used",
    [STAT_SOCKETS_USED] = "sockets_used",
    [STAT_PROC_USED] = "proc_used",
    [STAT_DISK_FREE] = "disk_free",
};

void stats_of_session(struct stats *to, const struct session_stats *from)
{
    uint64_t *v = to->values;
    v[STAT_PUBLISH] += from->publish;
    v[STAT_CONFIRM] += from->confirm;
    v[STAT_RETURN_UNROUTABLE] += from->return_unroutable;
    v[STAT_DROP_UNROUTABLE] += from->drop_unroutable;
    v[STAT_DELIVER] += from->deliver;
    v[STAT_DELIVER_NO_ACK] += from->deliver_no_ack;
    v[STAT_GET] += from->get;
    v[STAT_GET_NO_ACK] += from->get_no_ack;
    v[STAT_GET_EMPTY] += from->get_empty;
    v[STAT_REDELIVER] += from->redeliver;
    v[STAT_ACK] += from->ack;
    v[STAT_DELIVER_GET] += from->deliver + from->deliver_no_ack + from->get + from->get_no_ack;
    v[STAT_CHANNEL_CREATED] += from->channels_opened;
    v[STAT_CHANNEL_CLOSED] += from->channels_closed;
    v[STAT_QUEUE_DECLARED] += from->queues_declared;
    v[STAT_QUEUE_CREATED] += from->queues_created;
    v[STAT_QUEUE_DELETED] += from->queues_deleted;
}

void stats_of_queue(struct stats *to, const struct queue_stat *from)
{
    to->values[STAT_PUBLISH] += from->counts.enqueued;
    to->values[STAT_DELIVER_GET] += from->counts.delivered;
    to->values[STAT_DELIVER] += from->counts.delivered - from->counts.delivered_no_ack - from->counts.got;
    to->values[STAT_DELIVER_NO_ACK] += from->counts.delivered_no_ack;
    to->values[STAT_GET] += from->counts.got - from->counts.got_no_ack;
    to->values[STAT_GET_NO_ACK] += from->counts.got_no_ack;
    to->values[STAT_GET_EMPTY] += from->counts.get_empty;
    to->values[STAT_REDELIVER] += from->counts.redelivered;
    to->values[STAT_ACK] += from->counts.acked;
    to->values[STAT_DISK_READS] += from->counts.read;
    to->values[STAT_DISK_WRITES] += from->counts.written;
    to->values[STAT_MESSAGES] += from->ready + from->unacked;
    to->values[STAT_READY] += from->ready;
    to->values[STAT_UNACKED] += from->unacked;
}

void stats_of_channel_queue(struct stats *to, const struct session_queue_counts *from)
{
    to->values[STAT_DELIVER] += from->deliver;
    to->values[STAT_DELIVER_NO_ACK] += from->deliver_no_ack;
    to->values[STAT_GET] += from->get;
    to->values[STAT_GET_NO_ACK] += from->get_no_ack;
    to->values[STAT_GET_EMPTY] += from->get_empty;
    to->values[STAT_REDELIVER] += from->redeliver;
    to->values[STAT_ACK] += from->ack;
    to->values[STAT_DELIVER_GET] += from->deliver + from->deliver_no_ack + from->get + from->get_no_ack;
}

json_t *rate_json(double rate)
{
    json_t *o = json_object();
    json_put(o, "rate", json_real(rate));
    return o;
}

static json_int_t of_sample(const json_t *samples, size_t at, const char *field)
{
    return json_integer_value(json_object_get(json_array_get(samples, at), field));
}

void json_put_averages(json_t *details)
{
    const json_t *samples = json_object_get(details, "samples");
    size_t count = json_array_size(samples);
    double sum = 0, growth = 0, span_ms = 0;
    for (size_t i = 0; i < count; i++) sum += (double)of_sample(samples, i, "sample");
    if (count > 1) {
        growth = (double)(of_sample(samples, 0, "sample") - of_sample(samples, count - 1, "sample"));
        span_ms = (double)(of_sample(samples, 0, "timestamp") - of_sample(samples, count - 1, "timestamp"));
    }
    json_put(details, "avg_rate", json_real(span_ms > 0 ? growth * 1000 / span_ms : 0));
    json_put(details, "avg", json_real(count ? sum / (double)count : 0));
}

void json_put_stat(json_t *o, enum stat_kind kind, const struct stats *s)
{
    json_put(o, stat_names[kind], json_number(s->values[kind]));
}

json_t *message_stats_json(const struct stats *s)
{
    json_t *o = json_object();
    for (unsigned kind = 0; kind < STAT_MESSAGE_KINDS; kind++) json_put_stat(o, kind, s);
    return o;
}

/* Nodes sample at the same full seconds; a time that only one of them knows keeps its value. */
static void sum_samples(json_t *to, const json_t *from)
{
    size_t at = 0;
    for (size_t i = 0; i < json_array_size(from); i++) {
        const json_t *more = json_array_get(from, i);
        json_int_t time = json_integer_value(json_object_get(more, "timestamp"));
        while (at < json_array_size(to) &&
               json_integer_value(json_object_get(json_array_get(to, at), "timestamp")) > time)
            at++;
        json_t *there = json_array_get(to, at);
        if (json_integer_value(json_object_get(there, "timestamp")) != time) {
            json_array_insert_new(to, at, json_deep_copy(more));
            continue;
        }
        json_put(there, "sample",
                 json_integer(json_integer_value(json_object_get(there, "sample")) +
                              json_integer_value(json_object_get(more, "sample"))));
    }
}

void json_sum(json_t *to, const json_t *from)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)from, name, value)
    {
        json_t *there = json_object_get(to, name);
        if (json_is_object(value)) {
            json_t *sum = there ? json_deep_copy(there) : json_object(); /* it may be shared (sampler.c: no_rate) */
            json_sum(sum, value);
            json_object_set_new(to, name, sum);
        } else if (json_is_array(value)) {
            if (!there) json_object_set_new(to, name, json_array());
            sum_samples(json_object_get(to, name), value);
        } else if (json_is_integer(value)) {
            json_object_set_new(to, name, json_integer(json_integer_value(there) + json_integer_value(value)));
        } else if (json_is_real(value)) {
            json_object_set_new(to, name, json_real(json_number_value(there) + json_real_value(value)));
        }
    }
    if (json_object_get(to, "samples")) json_put_averages(to); /* nodes may know different times */
}

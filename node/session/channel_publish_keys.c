/* What in the properties of a message steers where it goes: CC and BCC headers, and direct reply-to. */
#include "base/field_table.h"
#include "node/session/channel_internal.h"

static const char reply_to[] = "amq.rabbitmq.reply-to";

struct slice channel_publish_copies(struct slice headers, const char *header)
{
    struct amqp_value list;
    if (!headers.size || !amqp_table_find(headers, header, &list) || list.type != 'A') return (struct slice){0};
    return list.bytes;
}

bool channel_publish_check_copies(struct channel *ch, struct slice headers)
{
    static const char *const names[] = {"CC", "BCC"};
    struct amqp_value list;
    for (size_t i = 0; headers.size && i < 2; i++) {
        if (!amqp_table_find(headers, names[i], &list) || list.type == 'A') continue;
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "invalid message: {unacceptable_type_in_header,\"%s\",%s}", names[i],
                     table_type_name(list.type));
        return false;
    }
    return true;
}

bool channel_publish_check_reply_to(struct channel *ch, const struct amqp_properties_brief *brief)
{
    if (!slice_is(brief->reply_to, reply_to) || ch->reply_consumer) return true;
    channel_fail(ch, AMQP_PRECONDITION_FAILED, "fast reply consumer does not exist");
    return false;
}

static void copy_without_bcc(struct buf *to, struct slice headers)
{
    struct reader r = reader_of(headers);
    struct slice key;
    struct amqp_value v;
    while (amqp_table_next(&r, &key, &v))
        if (!slice_is(key, "BCC")) amqp_table_put_value(to, key, &v);
}

void channel_publish_rewrite_properties(struct channel *ch, const struct amqp_properties_brief *brief,
                                        struct slice *properties, struct buf *rewritten)
{
    struct amqp_value v;
    struct amqp_properties p;
    struct buf headers = {0};
    bool bcc = brief->headers.size && amqp_table_find(brief->headers, "BCC", &v);
    bool reply = slice_is(brief->reply_to, reply_to);
    if (!bcc && !reply) return; /* the common case: bit exact */
    CHECK(amqp_properties_decode(*properties, &p) == 0);
    if (bcc) {
        copy_without_bcc(&headers, brief->headers);
        p.headers = buf_slice(&headers);
    }
    if (reply) p.reply_to = buf_slice(&ch->reply_queue);
    amqp_properties_encode(rewritten, &p);
    *properties = buf_slice(rewritten);
    buf_close(&headers);
}

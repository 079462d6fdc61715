// room: node_amqp
/* Properties: both readers agree, what decodes encodes to the same bytes, headers can be replaced. */
#include "node/amqp/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice raw = slice_of(data, size);
    struct amqp_properties p;
    struct amqp_properties_brief brief;
    unsigned code = amqp_properties_decode(raw, &p);
    CHECK(amqp_properties_brief(raw, &brief) == code);
    if (code) return 0;
    CHECK(slice_equal(p.expiration, brief.expiration) && slice_equal(p.headers, brief.headers));
    CHECK(slice_equal(p.user_id, brief.user_id) && p.priority == brief.priority);
    struct buf b = {0};
    amqp_properties_encode(&b, &p);
    CHECK(slice_equal(buf_slice(&b), raw));
    buf_clear(&b);
    amqp_properties_replace_headers(&b, raw, slice_of("\1aV", 3), AMQP_HAS_EXPIRATION);
    CHECK(amqp_properties_decode(buf_slice(&b), &p) == 0 && p.headers.size == 3);
    buf_close(&b);
    return 0;
}

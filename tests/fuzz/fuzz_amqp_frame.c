// room: node_amqp
/* A run of frames: cut, methods decoded, encoded again (the same bytes but for reserved bits) and printed. */
#include "node/amqp/frame.h"
#include "node/amqp/properties.h"

static void check_method(struct slice payload)
{
    struct amqp_method m, again;
    if (amqp_method_decode(payload, &m)) return;
    struct buf b = {0}, text = {0}, twice = {0};
    amqp_method_encode(&b, &m);
    CHECK(b.size == payload.size);
    CHECK(amqp_method_decode(buf_slice(&b), &again) == 0);
    amqp_method_encode(&twice, &again);
    CHECK(slice_equal(buf_slice(&b), buf_slice(&twice)));
    amqp_method_print(&text, &m);
    buf_close(&twice);
    buf_close(&text);
    buf_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct amqp_frame f;
    (void)amqp_protocol_header_parse(rest);
    while (amqp_frame_parse(rest, AMQP_FRAME_MIN, &f) == AMQP_PARSE_DONE) {
        struct amqp_content_header header;
        struct amqp_properties_brief brief;
        if (f.type == AMQP_FRAME_METHOD) check_method(f.payload);
        if (f.type == AMQP_FRAME_HEADER && amqp_content_header_decode(f.payload, &header))
            (void)amqp_properties_brief(header.properties, &brief);
        size_t used = f.payload.size + AMQP_FRAME_OVERHEAD;
        rest = slice_of(rest.data + used, rest.size - used);
    }
    return 0;
}

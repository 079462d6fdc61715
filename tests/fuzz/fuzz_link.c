// room: replication_link
/* A run of link frames: cut, checked, hellos and refusals decoded; what decodes is encoded to the same bytes. A frame
 * whose checksum is wrong is looked into all the same, or mutations would never get past it. */
#include "replication/link/frame.h"
#include "replication/link/hello.h"

static void check_hello(struct slice payload)
{
    struct link_hello h;
    struct buf again = {0};
    if (link_hello_decode(payload, &h)) return;
    link_hello_encode(&again, &h);
    CHECK(again.size <= payload.size); /* a length may be written longer than need be */
    if (again.size == payload.size) CHECK(slice_equal(buf_slice(&again), payload));
    uint8_t proof[LINK_PROOF_SIZE];
    link_proof(proof, slice_str("secret"), true, payload, buf_slice(&again));
    CHECK(link_proof_equal(proof, slice_of(proof, sizeof proof)));
    CHECK(!link_proof_equal(proof, payload) || payload.size == LINK_PROOF_SIZE);
    buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct link_frame f;
    while (link_frame_peek(rest, LINK_HANDSHAKE_MAX, &f) == LINK_FRAME_WHOLE) {
        struct slice frame = slice_of(rest.data, LINK_FRAME_HEAD + f.size), payload = link_frame_payload(frame);
        struct buf again = {0};
        uint8_t kind;
        char words[LINK_REFUSAL_MAX + 1];
        link_frame_put(&again, f.type, payload);
        CHECK(again.size == frame.size);
        CHECK(link_frame_intact(buf_slice(&again)));
        if (link_frame_intact(frame)) CHECK(slice_equal(buf_slice(&again), frame));
        buf_close(&again);
        if (f.type == LINK_HELLO) check_hello(payload);
        if (f.type == LINK_REFUSE && link_refusal_decode(payload, &kind, words))
            CHECK(strlen(words) == payload.size - 1);
        rest = slice_of(rest.data + frame.size, rest.size - frame.size);
    }
    return 0;
}

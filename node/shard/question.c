/* Questions between nodes: what listings and operators ask of another node, by link 0. Small questions, answers in
 * parts; neither is repeated: who asks has a time limit. */
#include "node/shard/shard_internal.h"

void shard_on_questions(struct shard *s, const struct question_events *events)
{
    s->questions = *events;
}

static void send_frame(struct shard *s, uint8_t node, uint8_t type, const struct buf *frame)
{
    link_send(s->links, node, type, buf_slice(frame), NULL, 0);
    turn_soon(s);
}

bool shard_ask(struct shard *s, uint8_t node, uint64_t id, struct slice question)
{
    if (node == s->settings->node || !shard_peer_connected(s, node)) return false;
    struct buf frame = {0};
    buf_put_le64(&frame, id);
    buf_put_slice(&frame, question);
    send_frame(s, node, LINK_FRAME_QUESTION, &frame);
    buf_close(&frame);
    return true;
}

enum question_outcome shard_answer(struct shard *s, uint8_t node, uint64_t id, bool last, struct slice part)
{
    if (!shard_peer_connected(s, node) || !s->links) return QUESTION_NOBODY;
    if (link_queued_bytes(s->links, node) > SHARD_ANSWER_CONGESTION) return QUESTION_LATER;
    struct buf frame = {0};
    buf_put_le64(&frame, id);
    buf_put_u8(&frame, last);
    buf_put_slice(&frame, part);
    send_frame(s, node, LINK_FRAME_ANSWER, &frame);
    buf_close(&frame);
    return QUESTION_SENT;
}

void question_frame(struct shard *s, uint8_t node, uint8_t type, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint64_t id = reader_le64(&r);
    bool last = type == LINK_FRAME_ANSWER && reader_u8(&r);
    if (r.failed || !s->questions.asked) return;
    struct slice text = reader_bytes(&r, reader_left(&r));
    if (type == LINK_FRAME_QUESTION) s->questions.asked(s->questions.self, node, id, text);
    else s->questions.answered(s->questions.self, node, id, last, text);
}

void question_node_down(struct shard *s, uint8_t node)
{
    if (s->questions.gone) s->questions.gone(s->questions.self, node);
}

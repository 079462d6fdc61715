/* rabbitmq-c. usage: client everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 60, STEPS_OF_PREFETCH = 3, LARGE = 1000000, PAUSE_US = 50000 };

static bool fine(amqp_rpc_reply_t reply)
{
    return reply.reply_type == AMQP_RESPONSE_NORMAL;
}

static void check(bool holds, const char *what)
{
    if (holds) return;
    printf("failed: %s\n", what);
    exit(1);
}

static void ok(const char *name)
{
    printf("ok: %s\n", name);
}

/* NULL: nobody answers. */
static amqp_connection_state_t dial(const char *host, int port)
{
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(c);
    struct timeval patience = {5, 0};
    if (socket && amqp_socket_open_noblock(socket, host, port, &patience) == AMQP_STATUS_OK &&
        fine(amqp_login(c, "/", 0, 131072, 5, AMQP_SASL_METHOD_PLAIN, "guest", "guest")) && amqp_channel_open(c, 1))
        return c;
    amqp_destroy_connection(c);
    return NULL;
}

static int put(amqp_connection_state_t c, const char *exchange, const char *key, bool mandatory, amqp_bytes_t body)
{
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = AMQP_DELIVERY_PERSISTENT};
    return amqp_basic_publish(c, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), mandatory, false, &p, body);
}

/* Waits for one confirm; a return before it is counted. */
static bool confirmed(amqp_connection_state_t c, int *returned)
{
    for (;;) {
        amqp_frame_t frame;
        struct timeval patience = {20, 0};
        if (amqp_simple_wait_frame_noblock(c, &frame, &patience) != AMQP_STATUS_OK) return false;
        if (frame.frame_type != AMQP_FRAME_METHOD) continue;
        if (frame.payload.method.id == AMQP_BASIC_ACK_METHOD) return true;
        if (frame.payload.method.id != AMQP_BASIC_RETURN_METHOD) return false;
        amqp_message_t message;
        if (!fine(amqp_read_message(c, 1, &message, 0))) return false;
        amqp_destroy_message(&message);
        if (returned) ++*returned;
    }
}

static int number_of(const amqp_envelope_t *e)
{
    char text[32] = {0};
    memcpy(text, e->message.body.bytes, e->message.body.len < 31 ? e->message.body.len : 31);
    return atoi(text);
}

static void consume_twenty(amqp_connection_state_t c)
{
    bool seen[20] = {0};
    amqp_basic_qos(c, 1, 0, STEPS_OF_PREFETCH, 0);
    check(amqp_basic_consume(c, 1, amqp_cstring_bytes("c.q"), amqp_cstring_bytes("c"), 0, 0, 0, amqp_empty_table), "consume");
    for (int left = 20; left;) {
        amqp_envelope_t e;
        struct timeval patience = {10, 0};
        check(fine(amqp_consume_message(c, &e, &patience, 0)), "no more messages");
        int at = number_of(&e);
        if (at % 7 == 0 && !e.redelivered) amqp_basic_nack(c, 1, e.delivery_tag, false, true);
        else {
            check(at < 20 && !seen[at], "a message twice");
            seen[at] = true;
            left--;
            amqp_basic_ack(c, 1, e.delivery_tag, false);
        }
        amqp_destroy_envelope(&e);
    }
    check(amqp_basic_cancel(c, 1, amqp_cstring_bytes("c")), "cancel");
    ok("consume with prefetch, ack, nack, cancel");
}

static void everyday(const char *host, int port)
{
    amqp_connection_state_t c = dial(host, port);
    check(c, "dial");
    amqp_exchange_declare(c, 1, amqp_cstring_bytes("c.x"), amqp_cstring_bytes("topic"), 0, 1, 0, 0, amqp_empty_table);
    check(amqp_queue_declare(c, 1, amqp_cstring_bytes("c.q"), 0, 1, 0, 0, amqp_empty_table), "queue");
    check(amqp_queue_bind(c, 1, amqp_cstring_bytes("c.q"), amqp_cstring_bytes("c.x"), amqp_cstring_bytes("orders.#"), amqp_empty_table),
          "bind");
    ok("declare and bind");
    check(amqp_confirm_select(c, 1), "confirm");
    for (int at = 0; at < 20; at++) {
        char text[16];
        snprintf(text, sizeof text, "%d", at);
        check(put(c, "c.x", "orders.1", true, amqp_cstring_bytes(text)) == 0 && confirmed(c, NULL), "publish");
    }
    ok("publish with confirms");
    int returned = 0;
    check(put(c, "c.x", "nobody", true, amqp_cstring_bytes("?")) == 0 && confirmed(c, &returned) && returned == 1, "return");
    ok("mandatory return");
    consume_twenty(c);
    char *large = malloc(LARGE);
    memset(large, 0xce, LARGE);
    check(put(c, "", "c.q", true, (amqp_bytes_t){LARGE, large}) == 0 && confirmed(c, NULL), "publish large");
    amqp_message_t message;
    check(fine(amqp_basic_get(c, 1, amqp_cstring_bytes("c.q"), 1)) && fine(amqp_read_message(c, 1, &message, 0)), "get");
    check(message.body.len == LARGE && !memcmp(message.body.bytes, large, LARGE), "large body");
    amqp_destroy_message(&message);
    free(large);
    check(amqp_basic_get(c, 1, amqp_cstring_bytes("c.q"), 1).reply.id == AMQP_BASIC_GET_EMPTY_METHOD, "get of nothing");
    ok("get, large body");
    check(amqp_queue_delete(c, 1, amqp_cstring_bytes("c.q"), 0, 0), "delete");
    check(amqp_exchange_delete(c, 1, amqp_cstring_bytes("c.x"), 0), "delete");
    ok("clean up");
    check(fine(amqp_connection_close(c, AMQP_REPLY_SUCCESS)), "close");
    amqp_destroy_connection(c);
}

static void publish(const char *host, int port, const char *queue, int count)
{
    int number = 0, reconnects = -1;
    while (number < count) {
        amqp_connection_state_t c = dial(host, port);
        reconnects++;
        if (!c) {
            usleep(PAUSE_US);
            continue;
        }
        if (amqp_queue_declare(c, 1, amqp_cstring_bytes(queue), 0, 1, 0, 0, amqp_empty_table) && amqp_confirm_select(c, 1))
            for (; number < count; number++) {
                char text[16];
                snprintf(text, sizeof text, "%d", number);
                if (put(c, "", queue, false, amqp_cstring_bytes(text)) || !confirmed(c, NULL)) break;
            }
        amqp_destroy_connection(c);
    }
    printf("confirmed %d reconnects %d\n", number, reconnects);
}

static void consume(const char *host, int port, const char *queue, int count)
{
    bool *seen = calloc((size_t)count, sizeof *seen);
    int all = 0, flagged = 0, unflagged = 0;
    time_t end = time(NULL) + PATIENCE_S;
    while (all < count && time(NULL) < end) {
        amqp_connection_state_t c = dial(host, port);
        if (!c) {
            usleep(PAUSE_US);
            continue;
        }
        bool open = amqp_queue_declare(c, 1, amqp_cstring_bytes(queue), 0, 1, 0, 0, amqp_empty_table) &&
                    amqp_basic_qos(c, 1, 0, 50, 0) &&
                    amqp_basic_consume(c, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
        while (open && all < count && time(NULL) < end) {
            amqp_envelope_t e;
            struct timeval patience = {1, 0};
            amqp_rpc_reply_t reply = amqp_consume_message(c, &e, &patience, 0);
            if (!fine(reply)) {
                open = reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT;
                continue;
            }
            int at = number_of(&e);
            if (seen[at] && e.redelivered) flagged++;
            else if (seen[at]) unflagged++;
            else all++;
            seen[at] = true;
            open = amqp_basic_ack(c, 1, e.delivery_tag, false) == AMQP_STATUS_OK;
            amqp_destroy_envelope(&e);
        }
        amqp_destroy_connection(c);
    }
    printf("seen %d flagged %d unflagged %d\n", all, flagged, unflagged);
    free(seen);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 4) return 2;
    if (strcmp(argv[1], "everyday") == 0) everyday(argv[2], atoi(argv[3]));
    else if (argc < 6) return 2;
    else if (strcmp(argv[1], "publish") == 0) publish(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]));
    else consume(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]));
    return 0;
}

#include "tests/bench/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/amqp/table.h"
#include "tests/bench/ledger.h"

static const char help[] =
    "warren-bench: load for an AMQP 0-9-1 broker, and a check that nothing was lost, duplicated or reordered.\n"
    "\n"
    "  -h, --uri URI            amqp://guest:guest@127.0.0.1:5672/ ; repeat it: connections go round\n"
    "  -x, --producers N        1          -y, --consumers N      1      each has a connection of its own\n"
    "  -Q, --queues N           1          --queue-pattern P      bench-%d\n"
    "  -s, --size BYTES         24 at least, the default\n"
    "  -c, --confirm WINDOW     unconfirmed publishes per producer; without: no confirms\n"
    "  -q, --qos, --prefetch N  unacknowledged deliveries per consumer; 0: no limit\n"
    "  -A, --multi-ack-every N  1          -a, --auto-ack\n"
    "  -r, --rate R             messages a second of each producer; latency then counts from the intended time\n"
    "  -R, --consumer-rate R    acknowledgements a second of each consumer\n"
    "  -z, --time SECONDS       how long to publish (or to consume, without producers)\n"
    "  -C, --pmessages N        per producer                 -D, --cmessages N      per consumer\n"
    "  -f, --flag persistent|mandatory   repeatable\n"
    "      --queue-args K=V[,K=V]        arguments of the declaration; numbers and true/false are typed\n"
    "  -p, --predeclared        the queues are there         --delete               delete them at the end\n"
    "      --reconnect          survive broken connections, trying the other uris; republish what is unconfirmed\n"
    "      --threads N          1          --interval S 1    --drain S 30   wait so long for what is under way\n"
    "      --json FILE          the summary, '-' is standard output           --quiet    --id TEXT\n"
    "\n"
    "Producers and consumers are spread over the queues in turn. Exit code: 0; 1 when a confirmed message did not "
    "arrive, or\n"
    "one arrived twice or out of order without excuse; 2 when it could not run.\n";

_Noreturn static void fail(const char *what, const char *value)
{
    fprintf(stderr, "warren-bench: %s: %s (--help says more)\n", what, value);
    exit(2);
}

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    if (end == text || *end || n < min || n > max) fail(name, text);
    return n;
}

static double real(const char *name, const char *text)
{
    char *end;
    double n = strtod(text, &end);
    if (end == text || *end || n < 0) fail(name, text);
    return n;
}

static void copy(char *to, const char *from, size_t size, size_t max, const char *what)
{
    if (size >= max) fail("too long", what);
    memcpy(to, from, size);
    to[size] = 0;
}

static void unescape(char *text)
{
    char *to = text;
    for (char *at = text; *at; at++) {
        unsigned byte;
        if (*at == '%' && sscanf(at + 1, "%2x", &byte) == 1) {
            *to++ = (char)byte;
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = 0;
}

/* amqp://[user[:password]@]host[:port][/vhost] */
static void add_uri(struct bench_options *o, const char *text)
{
    if (o->uri_count == BENCH_URIS_MAX) fail("too many uris", text);
    struct bench_uri *u = &o->uris[o->uri_count++];
    *u = (struct bench_uri){.user = "guest", .password = "guest", .port = "5672", .vhost = "/"};
    if (strncmp(text, "amqp://", 7) != 0) fail("not an amqp:// uri", text);
    const char *at = text + 7, *end = at + strcspn(at, "/"), *login = memchr(at, '@', (size_t)(end - at));
    if (login) {
        const char *colon = memchr(at, ':', (size_t)(login - at));
        copy(u->user, at, (size_t)((colon ? colon : login) - at), sizeof u->user, text);
        if (colon) copy(u->password, colon + 1, (size_t)(login - colon - 1), sizeof u->password, text);
        unescape(u->user);
        unescape(u->password);
        at = login + 1;
    }
    const char *host_end = *at == '[' ? memchr(at, ']', (size_t)(end - at)) : NULL;
    const char *colon = memchr(host_end ? host_end : at, ':', (size_t)(end - (host_end ? host_end : at)));
    const char *host = host_end ? at + 1 : at;
    if (!host_end) host_end = colon ? colon : end;
    copy(u->host, host, (size_t)(host_end - host), sizeof u->host, text);
    if (colon) copy(u->port, colon + 1, (size_t)(end - colon - 1), sizeof u->port, text);
    if (*end && end[1]) {
        copy(u->vhost, end + 1, strlen(end + 1), sizeof u->vhost, text);
        unescape(u->vhost);
    }
}

static void add_argument(struct bench_options *o, char *pair)
{
    char *value = strchr(pair, '='), *end;
    if (!value) fail("not key=value", pair);
    *value++ = 0;
    long long n = strtoll(value, &end, 10);
    if (*value && !*end) amqp_table_put_integer(&o->queue_arguments, pair, n);
    else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        amqp_table_put_bool(&o->queue_arguments, pair, *value == 't');
    else amqp_table_put_string(&o->queue_arguments, pair, slice_str(value));
}

static void add_arguments(struct bench_options *o, char *text)
{
    for (char *save, *pair = strtok_r(text, ",", &save); pair; pair = strtok_r(NULL, ",", &save)) add_argument(o, pair);
}

static void add_flag(struct bench_options *o, const char *flag)
{
    if (strcmp(flag, "persistent") == 0) o->persistent = true;
    else if (strcmp(flag, "mandatory") == 0) o->mandatory = true;
    else fail("no such flag", flag);
}

enum { PATTERN = 256, QUEUE_ARGS, DELETE, RECONNECT, THREADS, INTERVAL, DRAIN, JSON, QUIET, ID, HELP };

static const struct option longs[] = {
    {"uri", 1, NULL, 'h'},
    {"producers", 1, NULL, 'x'},
    {"consumers", 1, NULL, 'y'},
    {"queues", 1, NULL, 'Q'},
    {"queue-pattern", 1, NULL, PATTERN},
    {"size", 1, NULL, 's'},
    {"confirm", 1, NULL, 'c'},
    {"qos", 1, NULL, 'q'},
    {"prefetch", 1, NULL, 'q'},
    {"multi-ack-every", 1, NULL, 'A'},
    {"auto-ack", 0, NULL, 'a'},
    {"rate", 1, NULL, 'r'},
    {"consumer-rate", 1, NULL, 'R'},
    {"time", 1, NULL, 'z'},
    {"pmessages", 1, NULL, 'C'},
    {"cmessages", 1, NULL, 'D'},
    {"flag", 1, NULL, 'f'},
    {"queue-args", 1, NULL, QUEUE_ARGS},
    {"predeclared", 0, NULL, 'p'},
    {"delete", 0, NULL, DELETE},
    {"reconnect", 0, NULL, RECONNECT},
    {"threads", 1, NULL, THREADS},
    {"interval", 1, NULL, INTERVAL},
    {"drain", 1, NULL, DRAIN},
    {"json", 1, NULL, JSON},
    {"quiet", 0, NULL, QUIET},
    {"id", 1, NULL, ID},
    {"help", 0, NULL, HELP},
    {0},
};

/* True: it was one of these. */
static bool take_number(struct bench_options *o, int option, const char *v)
{
    switch (option) {
    case 'x':
        o->producers = (unsigned)number("--producers", v, 0, BENCH_ACTORS_MAX);
        return true;
    case 'y':
        o->consumers = (unsigned)number("--consumers", v, 0, BENCH_ACTORS_MAX);
        return true;
    case 'Q':
        o->queues = (unsigned)number("--queues", v, 1, BENCH_QUEUES_MAX);
        return true;
    case 's':
        o->size = (uint32_t)number("--size", v, BENCH_STAMP_SIZE, BENCH_SIZE_MAX);
        return true;
    case 'c':
        o->window = (uint32_t)number("--confirm", v, 0, BENCH_WINDOW_MAX);
        return true;
    case 'q':
        o->prefetch = (uint16_t)number("--prefetch", v, 0, UINT16_MAX);
        return true;
    case 'A':
        o->multi_ack_every = (uint32_t)number("--multi-ack-every", v, 1, BENCH_WINDOW_MAX);
        return true;
    case 'C':
        o->producer_messages = number("--pmessages", v, 1, BENCH_SEQUENCE_MAX);
        return true;
    case 'D':
        o->consumer_messages = number("--cmessages", v, 1, UINT64_MAX);
        return true;
    case THREADS:
        o->threads = (unsigned)number("--threads", v, 1, BENCH_THREADS_MAX);
        return true;
    case 'r':
        o->rate = real("--rate", v);
        return true;
    case 'R':
        o->consumer_rate = real("--consumer-rate", v);
        return true;
    case 'z':
        o->time_s = real("--time", v);
        return true;
    case INTERVAL:
        o->interval_s = real("--interval", v);
        return true;
    case DRAIN:
        o->drain_s = real("--drain", v);
        return true;
    default:
        return false;
    }
}

static void take_other(struct bench_options *o, int option, char *v)
{
    switch (option) {
    case 'h':
        add_uri(o, v);
        break;
    case PATTERN:
        o->queue_pattern = v;
        break;
    case 'a':
        o->auto_ack = true;
        break;
    case 'f':
        add_flag(o, v);
        break;
    case QUEUE_ARGS:
        add_arguments(o, v);
        break;
    case 'p':
        o->predeclared = true;
        break;
    case DELETE:
        o->delete_queues = true;
        break;
    case RECONNECT:
        o->reconnect = true;
        break;
    case JSON:
        o->json = v;
        break;
    case QUIET:
        o->quiet = true;
        break;
    case ID:
        o->id = v;
        break;
    case HELP:
        fputs(help, stdout);
        exit(0);
    default:
        fail("unknown option", "see above");
    }
}

void options_parse(struct bench_options *o, int argc, char **argv)
{
    int option;
    *o = (struct bench_options){
        .producers = 1,
        .consumers = 1,
        .queues = 1,
        .threads = 1,
        .queue_pattern = "bench-%d",
        .size = BENCH_STAMP_SIZE,
        .multi_ack_every = 1,
        .interval_s = 1,
        .drain_s = 30,
        .id = "bench",
    };
    while ((option = getopt_long(argc, argv, "h:x:y:Q:s:c:q:A:ar:R:z:C:D:f:p", longs, NULL)) >= 0)
        if (!take_number(o, option, optarg)) take_other(o, option, optarg);
    if (optind < argc) fail("unknown argument", argv[optind]);
    if (o->uri_count == 0) add_uri(o, "amqp://127.0.0.1:5672");
    const char *percent = strchr(o->queue_pattern, '%');
    if (strlen(o->queue_pattern) > BENCH_TEXT_MAX - 16) fail("--queue-pattern is too long", o->queue_pattern);
    if (percent && (percent[1] != 'd' || strchr(percent + 1, '%')))
        fail("--queue-pattern wants one %d", o->queue_pattern);
    if (!percent && o->queues > 1) fail("--queue-pattern wants a %d for several queues", o->queue_pattern);
    if (o->producers + o->consumers == 0) fail("nothing to do", "no producers and no consumers");
}

void options_queue_name(const struct bench_options *o, unsigned queue, char name[BENCH_TEXT_MAX])
{
    const char *percent = strchr(o->queue_pattern, '%');
    if (!percent) snprintf(name, BENCH_TEXT_MAX, "%s", o->queue_pattern);
    else
        snprintf(name, BENCH_TEXT_MAX, "%.*s%u%s", (int)(percent - o->queue_pattern), o->queue_pattern, queue + 1,
                 percent + 2);
}

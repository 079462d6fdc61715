#include "node/http/boot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/mem.h"
#include "node/http/conversation.h"
#include "node/http/definitions.h"
#include "node/http/definitions_file.h"
#include "node/http/items.h"
#include "node/http/peers.h"

enum {
    LOOK_MS = 200,
    SILENCE_MAX = 10 /* questions without an answer after which the leader is taken to have no files */
};

struct boot {
    struct http *http;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    size_t count;
    struct file {
        const char *path; /* borrowed from `definitions` */
        json_t *content;  /* the same */
        char hash[20];
        atomic_bool done; /* here or elsewhere */
    } * list;
    const struct http_definitions *definitions;
    size_t loaded, refused; /* files here; entries of them */
};

struct readiness {
    bool ready;
};

static void look(struct shard *s, void *arg)
{
    struct readiness *r = arg;
    r->ready &= broker_ready(shard_broker(s)) && registry_is_seeded(broker_topology(shard_broker(s)));
}

static bool is_ready(struct http *h)
{
    struct readiness r = {true};
    each_shard(h, look, &r);
    return r.ready;
}

/* --- who does it --- */

static void look_for_leader(struct shard *s, void *arg)
{
    *(uint8_t *)arg = broker_leader(shard_broker(s), 0);
}

static uint8_t leader_of(struct http *h)
{
    uint8_t node = 0;
    shard_call_any(node_shard(h->params.node, 0), look_for_leader, &node);
    return node;
}

/* NULL: it has not answered. Moves the answers. */
static json_t *answer_of(json_t *answers, uint8_t node)
{
    json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(answers) && !found; i++) {
        json_t *one = json_array_get(answers, i);
        if (json_integer_value(json_object_get(one, "node")) == node)
            found = json_incref(json_object_get(one, "files"));
    }
    json_decref(answers);
    return found;
}

json_t *boot_state(struct http *h)
{
    json_t *files = json_object();
    const struct boot *b = h->boot;
    for (size_t i = 0; b && i < b->count; i++)
        json_put(files, b->list[i].hash, json_boolean(atomic_load(&b->list[i].done)));
    return json_pack("{s:i, s:o}", "node", node_settings(h->params.node)->node, "files", files);
}

/* --- doing it --- */

/* A line for each refusal, and one for the file. */
static void tell(struct logger *logger, const char *path, size_t refused, struct buf *reasons)
{
    buf_put_u8(reasons, 0);
    for (char *line = (char *)reasons->data, *next; refused && *line; line = next) {
        size_t size = strcspn(line, "\n");
        next = line[size] ? line + size + 1 : line + size;
        line[size] = '\0';
        logger_printf(logger, LOG_ERROR, -1, "definitions refused file=\"%s\" reason=\"%s\"", path, line);
    }
    logger_printf(logger, refused ? LOG_ERROR : LOG_INFO, -1, "definitions loaded file=\"%s\" refused=%zu", path,
                  refused);
}

static const char imported[] = "imported_definition_hash_value"; /* a global parameter, as in RabbitMQ */

static struct item_name mark_name(void)
{
    return (struct item_name){.kind = REGISTRY_GLOBAL_PARAMETER, .name = slice_str(imported)};
}

/* skip_if_unchanged: the cluster has all of it. */
static bool is_unchanged(struct boot *b)
{
    json_t *mark = b->definitions->skip ? item_get(b->http, mark_name()) : NULL;
    const char *before = json_string_value(mark);
    bool same = before && !strcmp(before, b->definitions->digest);
    json_decref(mark);
    if (!same) return false;
    logger_printf(node_settings(b->http->params.node)->logger, LOG_INFO, -1, "definitions unchanged");
    for (size_t i = 0; i < b->count; i++) atomic_store(&b->list[i].done, true);
    return true;
}

static void remember(struct boot *b)
{
    struct refusal why;
    if (b->definitions->skip && b->loaded && !b->refused)
        item_set_quietly(b->http, mark_name(), json_string(b->definitions->digest), &why);
}

static void load(struct boot *b, struct file *f)
{
    struct request r = {.http = b->http, .trusted = true};
    struct buf reasons = {0};
    r.caller.user = mem_strdup("load_definitions");
    r.caller.password = mem_strdup("");
    size_t refused = definitions_import(&r, f->content, (struct slice){0}, &reasons);
    tell(node_settings(b->http->params.node)->logger, f->path, refused, &reasons);
    b->loaded++;
    b->refused += refused;
    atomic_store(&f->done, true);
    buf_close(&reasons);
    mem_free(r.caller.user);
    mem_free(r.caller.password);
}

/* What this node has to do: all if it leads or the leader is silent, else what the leader does not have. False: the
 * leader is still at some of it. */
static bool advance(struct boot *b, unsigned *silence)
{
    const struct node_settings *settings = node_settings(b->http->params.node);
    uint8_t leader = leader_of(b->http);
    if (!leader) return false;
    bool leads = leader == settings->node, all = true;
    json_t *theirs = leads ? NULL : answer_of(peers_ask(b->http->peers, "definitions"), leader);
    if (!leads && !theirs && ++*silence < SILENCE_MAX) return false;
    for (size_t i = 0; i < b->count && !atomic_load(&b->stopping); i++) {
        struct file *f = &b->list[i];
        const json_t *there = json_object_get(theirs, f->hash);
        if (atomic_load(&f->done)) continue;
        if (!there) {
            load(b, f);
        } else if (json_is_true(there)) {
            logger_printf(settings->logger, LOG_INFO, -1, "definitions loaded file=\"%s\" by=%u", f->path, leader);
            atomic_store(&f->done, true);
        } else {
            all = false;
        }
    }
    json_decref(theirs);
    return all;
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
}

static void *run(void *arg)
{
    struct boot *b = arg;
    unsigned silence = 0;
    while (!atomic_load(&b->stopping) && !is_ready(b->http)) pause_a_little();
    if (!atomic_load(&b->stopping) && is_unchanged(b)) return NULL;
    while (!atomic_load(&b->stopping) && !(is_ready(b->http) && advance(b, &silence))) pause_a_little();
    remember(b);
    return NULL;
}

/* --- life --- */

static void list_files(struct boot *b)
{
    const char *path;
    json_t *content;
    b->list = mem_zalloc((json_object_size(b->definitions->files) + 1) * sizeof *b->list);
    json_object_foreach(b->definitions->files, path, content)
    {
        struct file *f = &b->list[b->count++];
        char *text = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);
        f->path = path;
        f->content = content;
        snprintf(f->hash, sizeof f->hash, "%016llx", (unsigned long long)hash_slice(slice_str(text ? text : "")));
        free(text);
    }
}

void boot_open(struct boot **out, struct http *h, const struct http_definitions *definitions)
{
    struct boot *b = mem_zalloc(sizeof *b);
    b->http = h;
    b->definitions = definitions;
    list_files(b);
    *out = b;
}

void boot_start(struct boot *b)
{
    CHECK(pthread_create(&b->thread, NULL, run, b) == 0);
    pthread_setname_np(b->thread, "definitions");
    b->started = true;
}

void boot_close(struct boot *b)
{
    atomic_store(&b->stopping, true);
    if (b->started) pthread_join(b->thread, NULL);
    mem_free(b->list);
    mem_free(b);
}

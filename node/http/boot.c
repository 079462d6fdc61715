#include "node/http/boot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/mem.h"
#include "node/http/definitions.h"

enum { LOOK_MS = 200 };

struct boot {
    struct http *http;
    pthread_t thread;
    atomic_bool stopping;
    json_t *file;
    char *path;
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

static void load(struct boot *b)
{
    struct logger *logger = node_settings(b->http->params.node)->logger;
    struct request r = {.http = b->http, .trusted = true};
    struct buf reasons = {0};
    r.caller.user = mem_strdup("load_definitions");
    r.caller.password = mem_strdup("");
    size_t refused = definitions_import(&r, b->file, (struct slice){0}, &reasons);
    for (size_t i = 0; i < reasons.size; i++)
        if (reasons.data[i] == '\n') reasons.data[i] = ';';
    buf_put_u8(&reasons, 0);
    if (refused)
        logger_printf(logger, LOG_ERROR, -1, "definitions loaded file=\"%s\" refused=%zu reasons=\"%s\"", b->path,
                      refused, (const char *)reasons.data);
    else logger_printf(logger, LOG_INFO, -1, "definitions loaded file=\"%s\"", b->path);
    buf_close(&reasons);
    mem_free(r.caller.user);
    mem_free(r.caller.password);
}

static void *run(void *arg)
{
    struct boot *b = arg;
    while (!atomic_load(&b->stopping) && !is_ready(b->http)) nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
    if (!atomic_load(&b->stopping)) load(b);
    return NULL;
}

int boot_open(struct boot **out, struct http *h, const char *path, struct err *err)
{
    json_error_t why;
    json_t *file = json_load_file(path, 0, &why);
    if (!json_is_object(file)) {
        json_decref(file);
        return (int)err_set(err, ERR_INVALID, "load_definitions = %s: %s", path,
                            file ? "it holds no object" : why.text);
    }
    struct boot *b = mem_zalloc(sizeof *b);
    b->http = h;
    b->file = file;
    b->path = mem_strdup(path);
    CHECK(pthread_create(&b->thread, NULL, run, b) == 0);
    pthread_setname_np(b->thread, "definitions");
    *out = b;
    return 0;
}

void boot_close(struct boot *b)
{
    atomic_store(&b->stopping, true);
    pthread_join(b->thread, NULL);
    json_decref(b->file);
    mem_free(b->path);
    mem_free(b);
}

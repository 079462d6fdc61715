#include "node/http/boot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/mem.h"
#include "node/http/definitions.h"
#include "node/http/definitions_file.h"

enum { LOOK_MS = 200 };

struct boot {
    struct http *http;
    pthread_t thread;
    atomic_bool stopping;
    json_t *files; /* definitions_read() */
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

/* One line, whatever went wrong. */
static void tell(struct logger *logger, const char *path, size_t refused, struct buf *reasons)
{
    for (size_t i = 0; i < reasons->size; i++)
        if (reasons->data[i] == '\n') reasons->data[i] = ';';
    buf_put_u8(reasons, 0);
    if (refused)
        logger_printf(logger, LOG_ERROR, -1, "definitions loaded file=\"%s\" refused=%zu reasons=\"%s\"", path, refused,
                      (const char *)reasons->data);
    else logger_printf(logger, LOG_INFO, -1, "definitions loaded file=\"%s\"", path);
}

static void load(struct boot *b)
{
    struct request r = {.http = b->http, .trusted = true};
    const char *path;
    json_t *file;
    r.caller.user = mem_strdup("load_definitions");
    r.caller.password = mem_strdup("");
    json_object_foreach(b->files, path, file)
    {
        struct buf reasons = {0};
        size_t refused = definitions_import(&r, file, (struct slice){0}, &reasons);
        tell(node_settings(b->http->params.node)->logger, path, refused, &reasons);
        buf_close(&reasons);
    }
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
    json_t *files = definitions_read(path, err);
    if (!files) return ERR_INVALID;
    struct boot *b = mem_zalloc(sizeof *b);
    b->http = h;
    b->files = files;
    CHECK(pthread_create(&b->thread, NULL, run, b) == 0);
    pthread_setname_np(b->thread, "definitions");
    *out = b;
    return 0;
}

void boot_close(struct boot *b)
{
    atomic_store(&b->stopping, true);
    pthread_join(b->thread, NULL);
    json_decref(b->files);
    mem_free(b);
}

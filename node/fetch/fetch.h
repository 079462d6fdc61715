/* Requests over HTTP and HTTPS to other servers.
 *
 * Thread:   fetch_start() is called from any thread and returns at once; `done` runs on the fetch's own thread, once
 * for each request, and must not wait. fetch_once() waits, and needs no struct fetch. Lifetime: fetch_open() ..
 * fetch_close(), which ends what is under way: its `done` runs then, with status 0. */
#ifndef WARREN_NODE_FETCH_FETCH_H
#define WARREN_NODE_FETCH_FETCH_H

#include "base/buf.h"
#include "base/err.h"

enum {
    FETCH_ANSWER_MAX = 64 << 20, /* bytes of a body; a longer one is an error */
    FETCH_TOGETHER_MAX = 64,     /* connections at a time; more requests wait */
};

/* Whom to believe, and who we are. Empty texts: the system's authorities; no certificate of our own. */
struct fetch_tls {
    const char *cacertfile, *certfile, *keyfile, *password;
    bool verify; /* the certificate and the name in it */
};

/* Borrowed for the call. */
struct fetch_request {
    const char *url;
    const char *form; /* NULL: GET; else POST of this body, application/x-www-form-urlencoded */
    const struct fetch_tls *tls;
    uint32_t connect_timeout_ms, timeout_ms;
};

struct fetch_answer {
    int status;        /* 0: none; `error` says why */
    struct slice body; /* borrowed until `done` returns */
    const char *error;
};

typedef void (*fetch_done)(void *arg, const struct fetch_answer *answer);

struct fetch;

struct fetch *fetch_open(void);
void fetch_close(struct fetch *f);
void fetch_start(struct fetch *f, const struct fetch_request *request, fetch_done done, void *arg);

/* Any status but 200 is an error, too. */
int fetch_once(const struct fetch_request *request, struct buf *body, struct err *err);

#endif

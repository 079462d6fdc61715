#include "node/fetch/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

enum { POLL_MS = 1000 };

struct job {
    struct list link; /* fetch.waiting, then fetch.running */
    CURL *curl;
    char *form;
    struct buf body;
    char error[CURL_ERROR_SIZE];
    fetch_done done;
    void *arg;
};

struct fetch {
    CURLM *multi;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock; /* of `waiting` */
    struct list waiting;
    struct list running; /* the thread's */
};

/* --- one request --- */

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    struct job *j = arg;
    (void)one;
    if (j->body.size + size > FETCH_ANSWER_MAX) return 0;
    buf_put(&j->body, data, size);
    return size;
}

static void set_text(CURL *curl, CURLoption option, const char *text)
{
    if (text && *text) curl_easy_setopt(curl, option, text);
}

static void set_tls(CURL *curl, const struct fetch_tls *tls)
{
    if (!tls) return;
    set_text(curl, CURLOPT_CAINFO, tls->cacertfile);
    set_text(curl, CURLOPT_SSLCERT, tls->certfile);
    set_text(curl, CURLOPT_SSLKEY, *tls->keyfile ? tls->keyfile : tls->certfile);
    set_text(curl, CURLOPT_KEYPASSWD, tls->password);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
}

static struct job *job_create(const struct fetch_request *r)
{
    struct job *j = mem_zalloc(sizeof *j);
    j->curl = curl_easy_init();
    CHECK(j->curl);
    curl_easy_setopt(j->curl, CURLOPT_URL, r->url);
    curl_easy_setopt(j->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(j->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(j->curl, CURLOPT_USERAGENT, "warren");
    curl_easy_setopt(j->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(j->curl, CURLOPT_WRITEDATA, j);
    curl_easy_setopt(j->curl, CURLOPT_ERRORBUFFER, j->error);
    curl_easy_setopt(j->curl, CURLOPT_PRIVATE, j);
    curl_easy_setopt(j->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    curl_easy_setopt(j->curl, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    set_tls(j->curl, r->tls);
    if (r->form) {
        j->form = mem_strdup(r->form);
        curl_easy_setopt(j->curl, CURLOPT_POSTFIELDS, j->form);
    }
    return j;
}

static void job_destroy(struct job *j)
{
    curl_easy_cleanup(j->curl);
    buf_close(&j->body);
    mem_free(j->form);
    mem_free(j);
}

static struct fetch_answer answer_of(struct job *j, CURLcode code)
{
    long status = 0;
    if (!code) curl_easy_getinfo(j->curl, CURLINFO_RESPONSE_CODE, &status);
    const char *why = !code ? "" : *j->error ? j->error : curl_easy_strerror(code);
    return (struct fetch_answer){(int)status, buf_slice(&j->body), why};
}

/* --- the thread --- */

static void finish(struct job *j, CURLcode code)
{
    struct fetch_answer answer = answer_of(j, code);
    j->done(j->arg, &answer);
    list_remove(&j->link);
    job_destroy(j);
}

static void take_new(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    while (!list_empty(&f->waiting)) {
        struct job *j = LIST_ITEM(f->waiting.next, struct job, link);
        list_remove(&j->link);
        list_append(&f->running, &j->link);
        curl_multi_add_handle(f->multi, j->curl);
    }
    pthread_mutex_unlock(&f->lock);
}

static void take_finished(struct fetch *f)
{
    CURLMsg *message;
    for (int left; (message = curl_multi_info_read(f->multi, &left));) {
        struct job *j;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &j);
        curl_multi_remove_handle(f->multi, j->curl);
        finish(j, code);
    }
}

static void *run(void *arg)
{
    struct fetch *f = arg;
    while (!atomic_load(&f->stopping)) {
        int running;
        take_new(f);
        curl_multi_perform(f->multi, &running);
        take_finished(f);
        curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
    }
    take_new(f);
    while (!list_empty(&f->running)) {
        struct job *j = LIST_ITEM(f->running.next, struct job, link);
        curl_multi_remove_handle(f->multi, j->curl);
        finish(j, CURLE_ABORTED_BY_CALLBACK);
    }
    return NULL;
}

/* --- the door --- */

struct fetch *fetch_open(void)
{
    struct fetch *f = mem_zalloc(sizeof *f);
    CHECK(!curl_global_init(CURL_GLOBAL_DEFAULT));
    f->multi = curl_multi_init();
    CHECK(f->multi);
    curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)FETCH_TOGETHER_MAX);
    pthread_mutex_init(&f->lock, NULL);
    list_init(&f->waiting);
    list_init(&f->running);
    CHECK(!pthread_create(&f->thread, NULL, run, f));
    pthread_setname_np(f->thread, "fetch");
    return f;
}

void fetch_close(struct fetch *f)
{
    atomic_store(&f->stopping, true);
    curl_multi_wakeup(f->multi);
    pthread_join(f->thread, NULL);
    curl_multi_cleanup(f->multi);
    pthread_mutex_destroy(&f->lock);
    curl_global_cleanup();
    mem_free(f);
}

void fetch_start(struct fetch *f, const struct fetch_request *request, fetch_done done, void *arg)
{
    struct job *j = job_create(request);
    j->done = done;
    j->arg = arg;
    pthread_mutex_lock(&f->lock);
    list_append(&f->waiting, &j->link);
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
}

int fetch_once(const struct fetch_request *request, struct buf *body, struct err *err)
{
    CHECK(!curl_global_init(CURL_GLOBAL_DEFAULT));
    struct job *j = job_create(request);
    struct fetch_answer answer = answer_of(j, curl_easy_perform(j->curl));
    int code = 0;
    if (answer.status == 200) buf_put_slice(body, answer.body);
    else if (answer.status)
        code = (int)err_set(err, ERR_REFUSED, "%s: the server answers %d", request->url, answer.status);
    else code = (int)err_set(err, ERR_IO, "%s: %s", request->url, answer.error);
    job_destroy(j);
    curl_global_cleanup();
    return code;
}

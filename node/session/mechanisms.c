/* Ways to log in, and what TLS told about the client. */
#include "node/session/session_internal.h"

static const char built_in[] = "PLAIN AMQPLAIN";

static struct slice copy(struct slice text)
{
    return slice_of(mem_strndup(text.size ? (const char *)text.data : "", text.size), text.size);
}

void session_set_tls(struct session *s, const struct session_tls *tls)
{
    CHECK(!s->tls);
    s->tls = mem_alloc(sizeof *s->tls);
    *s->tls = (struct session_tls){
        .protocol = mem_strdup(tls->protocol),
        .key_exchange = mem_strdup(tls->key_exchange),
        .cipher = mem_strdup(tls->cipher),
        .hash = mem_strdup(tls->hash),
        .subject = copy(tls->subject),
        .issuer = copy(tls->issuer),
        .validity = copy(tls->validity),
        .user = copy(tls->user),
        .no_user = mem_strdup(tls->no_user ? tls->no_user : ""),
    };
}

void session_tls_free(struct session_tls *t)
{
    if (!t) return;
    const void *parts[] = {t->protocol,    t->key_exchange, t->cipher,        t->hash,   t->subject.data,
                           t->issuer.data, t->user.data,    t->validity.data, t->no_user};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) mem_free((void *)parts[i]);
    mem_free(t);
}

/* EXTERNAL is offered to each client with TLS, as RabbitMQ does: one without a certificate is then told that it failed,
 * not that there is no such mechanism. */
static bool offered(const struct session *s, struct slice name)
{
    return s->tls || !slice_is(name, "EXTERNAL");
}

static struct slice next_word(const char **at)
{
    *at += strspn(*at, " ");
    struct slice word = slice_of(*at, strcspn(*at, " "));
    *at += word.size;
    return word;
}

static const char *configured(const struct session *s)
{
    return s->settings->mechanisms ? s->settings->mechanisms : built_in;
}

void session_mechanisms_put(const struct session *s, struct buf *out)
{
    const char *at = configured(s);
    for (struct slice word; (word = next_word(&at)).size;) {
        if (!offered(s, word)) continue;
        if (out->size) buf_put_u8(out, ' ');
        buf_put_slice(out, word);
    }
}

bool session_mechanism_is_offered(const struct session *s, struct slice name)
{
    const char *at = configured(s);
    for (struct slice word; (word = next_word(&at)).size;)
        if (slice_equal(word, name)) return offered(s, word);
    return false;
}

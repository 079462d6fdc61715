/* Certificates and rules from files to OpenSSL, with errors that name the key and the file. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/hash.h"
#include "base/mem.h"
#include "replication/sys/tls_internal.h"

static bool given(const char *text)
{
    return text && *text;
}

const char *tls_reason(void)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "no reason was given";
}

/* --- one file after the other --- */

static int fault(struct err *err, const struct tls_settings *s, const char *key, const char *file, const char *why)
{
    return (int)err_set(err, ERR_INVALID, "%s.%s = %s: %s", s->key, key, file, why);
}

static int check_readable(const struct tls_settings *s, const char *key, const char *file, struct err *err)
{
    FILE *f = fopen(file, "rb");
    struct stat facts;
    int failed = !f || fstat(fileno(f), &facts) ? errno : S_ISDIR(facts.st_mode) ? EISDIR : 0;
    if (f) fclose(f);
    return failed ? fault(err, s, key, file, strerror(failed)) : 0;
}

static int use_certificate(SSL_CTX *ctx, const struct tls_settings *s, const char *key, const char *file,
                           struct err *err)
{
    char why[160];
    int code = check_readable(s, key, file, err);
    if (code || SSL_CTX_use_certificate_chain_file(ctx, file) == 1) return code;
    snprintf(why, sizeof why, "no certificate in PEM form (%s)", tls_reason());
    return fault(err, s, key, file, why);
}

struct password {
    const char *text;
    bool asked; /* the key is encrypted */
};

static int give_password(char *to, int size, int writing, void *arg)
{
    struct password *p = arg;
    (void)writing;
    p->asked = true;
    size_t length = given(p->text) ? strlen(p->text) : 0;
    if (!length || length > (size_t)size) return -1;
    memcpy(to, p->text, length);
    return (int)length;
}

static int use_key(SSL_CTX *ctx, const struct tls_settings *s, const char *key, const char *file, struct err *err)
{
    struct password password = {.text = s->password};
    char why[200];
    int code = check_readable(s, key, file, err);
    if (code) return code;
    BIO *bio = BIO_new_file(file, "rb");
    EVP_PKEY *private = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_password, &password) : NULL;
    BIO_free(bio);
    if (!private) {
        const char *reason = tls_reason();
        if (password.asked && !given(s->password))
            snprintf(why, sizeof why, "the key is encrypted: give %s.password", s->key);
        else if (password.asked) snprintf(why, sizeof why, "%s.password does not open it (%s)", s->key, reason);
        else snprintf(why, sizeof why, "no private key in PEM form (%s)", reason);
        return fault(err, s, key, file, why);
    }
    bool fits = SSL_CTX_use_PrivateKey(ctx, private) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(private);
    ERR_clear_error();
    return fits ? 0 : fault(err, s, key, file, "this key does not belong to the certificate");
}

static int use_authorities(SSL_CTX *ctx, const struct tls_settings *s, struct err *err)
{
    char why[160];
    if (!given(s->cacertfile)) {
        if (s->client && s->verify_peer) SSL_CTX_set_default_verify_paths(ctx);
        return 0;
    }
    int code = check_readable(s, "cacertfile", s->cacertfile, err);
    if (code) return code;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(s->cacertfile);
    if (!names || SSL_CTX_load_verify_file(ctx, s->cacertfile) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        snprintf(why, sizeof why, "no certificate in PEM form (%s)", tls_reason());
        return fault(err, s, "cacertfile", s->cacertfile, why);
    }
    SSL_CTX_set_client_CA_list(ctx, names); /* moves */
    return 0;
}

/* --- rules --- */

static bool is_suite_of_1_3(const char *name)
{
    return !strncmp(name, "TLS_", 4);
}

/* OpenSSL skips the names of a list that it does not know; so each is tried alone. */
static int use_ciphers(SSL_CTX *ctx, const struct tls_settings *s, struct err *err)
{
    struct buf old = {0}, new = {0};
    int code = 0;
    for (size_t i = 0; i < s->cipher_count && !code; i++) {
        const char *name = s->ciphers[i];
        bool suite = is_suite_of_1_3(name);
        bool known = suite ? SSL_CTX_set_ciphersuites(ctx, name) == 1 : SSL_CTX_set_cipher_list(ctx, name) == 1;
        if (!known) code = (int)err_set(err, ERR_INVALID, "%s.ciphers: %s is not known", s->key, name);
        struct buf *list = suite ? &new : &old;
        if (list->size) buf_put_u8(list, ':');
        buf_put_slice(list, slice_str(name));
    }
    buf_put_u8(&old, 0);
    buf_put_u8(&new, 0);
    if (!code && old.size > 1) SSL_CTX_set_cipher_list(ctx, (char *)old.data);
    if (!code && s->cipher_count) SSL_CTX_set_ciphersuites(ctx, (char *)new.data);
    buf_close(&old);
    buf_close(&new);
    ERR_clear_error();
    return code;
}

/* A list that names no cipher of a version must not leave that version its defaults. */
static unsigned versions_of(const struct tls_settings *s)
{
    unsigned versions = s->versions ? s->versions : TLS_VERSION_1_2 | TLS_VERSION_1_3, named = 0;
    for (size_t i = 0; i < s->cipher_count; i++)
        named |= is_suite_of_1_3(s->ciphers[i]) ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
    return s->cipher_count ? versions & named : versions;
}

static int use_rules(SSL_CTX *ctx, const struct tls_settings *s, struct err *err)
{
    unsigned versions = versions_of(s);
    if (!versions)
        return (int)err_set(err, ERR_INVALID, "%s.ciphers: none of them belongs to a version of %s.versions", s->key,
                            s->key);
    SSL_CTX_set_min_proto_version(ctx, versions & TLS_VERSION_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(ctx, versions & TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    if (s->honor_cipher_order) SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* thousands of silent clients */
    SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_verify_depth(ctx, s->depth);
    int mode = s->verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (s->verify_peer && s->fail_if_no_peer_cert) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    return use_ciphers(ctx, s, err);
}

/* --- the whole --- */

static bool name_fits(const char *pattern, const char *name)
{
    if (!strncmp(pattern, "*.", 2)) {
        const char *dot = strchr(name, '.');
        return dot && dot != name && !strcasecmp(pattern + 1, dot);
    }
    return !strcasecmp(pattern, name);
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct tls_context *c = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->settings.name_count; i++)
        if (name_fits(c->settings.names[i].hostname, name)) {
            SSL_set_SSL_CTX(ssl, c->loaded.names[i]);
            break;
        }
    pthread_mutex_unlock(&c->lock);
    return SSL_TLSEXT_ERR_OK; /* who asks for another name gets the first certificate */
}

static int load_main(struct tls_context *c, SSL_CTX **out, struct err *err)
{
    const struct tls_settings *s = &c->settings;
    SSL_CTX *ctx = SSL_CTX_new(s->client ? TLS_client_method() : TLS_server_method());
    CHECK(ctx);
    const char *keyfile = given(s->keyfile) ? s->keyfile : s->certfile;
    int code = use_rules(ctx, s, err);
    if (!code) code = use_authorities(ctx, s, err);
    if (!code && given(s->certfile)) code = use_certificate(ctx, s, "certfile", s->certfile, err);
    if (!code && given(s->certfile)) code = use_key(ctx, s, "keyfile", keyfile, err);
    if (code) {
        SSL_CTX_free(ctx);
        return code;
    }
    if (!s->client) {
        SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
        SSL_CTX_set_tlsext_servername_arg(ctx, c);
    }
    *out = ctx;
    return 0;
}

static int load_name(const struct tls_settings *s, size_t at, SSL_CTX **out, struct err *err)
{
    const struct tls_server_name *name = &s->names[at];
    char certfile[64], keyfile[64];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    CHECK(ctx);
    snprintf(certfile, sizeof certfile, "sni.%s.certfile", name->hostname);
    snprintf(keyfile, sizeof keyfile, "sni.%s.keyfile", name->hostname);
    int code = use_authorities(ctx, s, err); /* clients are judged by the one that is chosen */
    if (!code) code = use_certificate(ctx, s, certfile, name->certfile, err);
    if (!code) code = use_key(ctx, s, keyfile, given(name->keyfile) ? name->keyfile : name->certfile, err);
    if (code) SSL_CTX_free(ctx);
    else *out = ctx;
    return code;
}

static void unload(struct tls_loaded *l)
{
    SSL_CTX_free(l->main);
    for (size_t i = 0; i < TLS_SERVER_NAMES_MAX; i++) SSL_CTX_free(l->names[i]);
    *l = (struct tls_loaded){0};
}

static int load(struct tls_context *c, struct tls_loaded *l, struct err *err)
{
    int code = load_main(c, &l->main, err);
    for (size_t i = 0; i < c->settings.name_count && !code; i++) code = load_name(&c->settings, i, &l->names[i], err);
    if (code) unload(l);
    return code;
}

static int check(const struct tls_settings *s, struct err *err)
{
    if (!s->client && !given(s->certfile))
        return (int)err_set(err, ERR_INVALID, "%s.certfile is needed for TLS", s->key);
    if (!s->client && s->verify_peer && !given(s->cacertfile))
        return (int)err_set(err, ERR_INVALID, "%s.cacertfile is needed because of %s.verify = verify_peer", s->key,
                            s->key);
    for (size_t i = 0; i < s->name_count; i++)
        if (!given(s->names[i].hostname) || !given(s->names[i].certfile))
            return (int)err_set(err, ERR_INVALID, "%s.sni: each entry needs a hostname and a certfile", s->key);
    return 0;
}

/* --- files that change --- */

static uint64_t stamp_file(uint64_t stamp, const char *file)
{
    struct stat facts;
    if (!given(file)) return stamp;
    if (stat(file, &facts)) return hash_bytes("", 0, stamp + (uint64_t)errno);
    uint64_t words[] = {(uint64_t)facts.st_dev, (uint64_t)facts.st_ino, (uint64_t)facts.st_size,
                        (uint64_t)facts.st_mtim.tv_sec, (uint64_t)facts.st_mtim.tv_nsec};
    return hash_bytes(words, sizeof words, stamp);
}

static uint64_t stamp_of(const struct tls_settings *s)
{
    uint64_t stamp = stamp_file(0, s->cacertfile);
    stamp = stamp_file(stamp, s->certfile);
    stamp = stamp_file(stamp, s->keyfile);
    for (size_t i = 0; i < s->name_count; i++) {
        stamp = stamp_file(stamp, s->names[i].certfile);
        stamp = stamp_file(stamp, s->names[i].keyfile);
    }
    return stamp;
}

bool tls_context_changed(const struct tls_context *c)
{
    struct tls_context *own = (struct tls_context *)c;
    pthread_mutex_lock(&own->lock);
    uint64_t stamp = c->stamp;
    pthread_mutex_unlock(&own->lock);
    return stamp != stamp_of(&c->settings);
}

int tls_context_reload(struct tls_context *c, struct err *err)
{
    struct tls_loaded fresh = {0};
    uint64_t stamp = stamp_of(&c->settings); /* before reading: what changes meanwhile is read again */
    int code = load(c, &fresh, err);
    pthread_mutex_lock(&c->lock);
    struct tls_loaded old = code ? fresh : c->loaded;
    c->stamp = stamp;
    if (!code) c->loaded = fresh;
    pthread_mutex_unlock(&c->lock);
    unload(&old);
    return code;
}

static int64_t end_of(SSL_CTX *ctx)
{
    const X509 *certificate = ctx ? SSL_CTX_get0_certificate(ctx) : NULL;
    struct tm tm = {0};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1) return INT64_MAX;
    return (int64_t)timegm(&tm);
}

int64_t tls_context_not_after(struct tls_context *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t first = end_of(c->loaded.main);
    for (size_t i = 0; i < c->settings.name_count; i++) {
        int64_t end = end_of(c->loaded.names[i]);
        if (end < first) first = end;
    }
    pthread_mutex_unlock(&c->lock);
    return first;
}

/* --- life --- */

int tls_context_open(struct tls_context **out, const struct tls_settings *settings, struct err *err)
{
    CHECK(settings->key && settings->cipher_count <= TLS_CIPHERS_MAX && settings->name_count <= TLS_SERVER_NAMES_MAX);
    int code = check(settings, err);
    if (code) return code;
    struct tls_context *c = mem_zalloc(sizeof *c);
    atomic_init(&c->references, 1);
    c->settings = *settings;
    pthread_mutex_init(&c->lock, NULL);
    c->method = tls_bio_method();
    code = tls_context_reload(c, err);
    if (code) tls_context_release(c);
    else *out = c;
    return code;
}

void tls_context_close(struct tls_context *c)
{
    tls_context_release(c);
}

void tls_context_release(struct tls_context *c)
{
    if (atomic_fetch_sub(&c->references, 1) != 1) return;
    unload(&c->loaded);
    BIO_meth_free(c->method);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

SSL *tls_context_new_ssl(struct tls_context *c)
{
    pthread_mutex_lock(&c->lock);
    SSL *ssl = SSL_new(c->loaded.main);
    pthread_mutex_unlock(&c->lock);
    CHECK(ssl);
    atomic_fetch_add(&c->references, 1);
    return ssl;
}

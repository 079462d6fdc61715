/* One connection: OpenSSL between two byte buffers. Its BIO reads from the ciphertext of the call and writes to
 * `cipher_out`, so nothing is copied on the way and an idle connection owns no buffer. */
#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/mem.h"
#include "replication/sys/tls_internal.h"

struct tls {
    SSL *ssl;
    struct tls_context *context;
    struct slice in; /* what is left of this call's ciphertext */
    struct buf cipher_out;
    bool open;   /* the handshake is over */
    bool failed; /* nothing more in or out, but for the alert */
};

/* --- the BIO --- */

static int bio_read(BIO *bio, char *to, size_t size, size_t *got)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *got = size < t->in.size ? size : t->in.size;
    if (!*got) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(to, t->in.data, *got);
    t->in = slice_of(t->in.data + *got, t->in.size - *got);
    return 1;
}

static int bio_write(BIO *bio, const char *from, size_t size, size_t *put)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_put(&t->cipher_out, from, size);
    *put = size;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "slices");
    CHECK(method);
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

/* --- life --- */

static struct tls *make(struct tls_context *c)
{
    struct tls *t = mem_zalloc(sizeof *t);
    t->context = c;
    t->ssl = tls_context_new_ssl(c);
    BIO *bio = BIO_new(c->method);
    CHECK(bio);
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

struct tls *tls_accept(struct tls_context *c)
{
    CHECK(!c->settings.client);
    struct tls *t = make(c);
    SSL_set_accept_state(t->ssl);
    return t;
}

static bool is_address(const char *name)
{
    uint8_t space[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, space) == 1 || inet_pton(AF_INET6, name, space) == 1;
}

/* Addresses are not sent: RFC 6066 has names only. */
static void expect_name(SSL *ssl, const char *name, bool verify)
{
    bool address = is_address(name);
    if (!address) SSL_set_tlsext_host_name(ssl, name);
    if (!verify) return;
    if (address) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    else SSL_set1_host(ssl, name);
}

struct tls *tls_connect(struct tls_context *c, const char *server_name)
{
    CHECK(c->settings.client);
    struct tls *t = make(c);
    if (server_name && *server_name) expect_name(t->ssl, server_name, c->settings.verify_peer);
    SSL_set_connect_state(t->ssl);
    ERR_clear_error();
    SSL_do_handshake(t->ssl);
    ERR_clear_error();
    return t;
}

void tls_close(struct tls *t)
{
    if (!t) return;
    SSL_free(t->ssl);
    tls_context_release(t->context);
    buf_close(&t->cipher_out);
    ERR_clear_error();
    mem_free(t);
}

/* --- bytes --- */

static int fail(struct tls *t, struct err *err)
{
    bool refused = ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    long verdict = SSL_get_verify_result(t->ssl);
    const char *reason = tls_reason();
    t->failed = true;
    if (refused)
        return (int)err_set(err, ERR_REFUSED, "the peer's certificate was refused: %s",
                            X509_verify_cert_error_string(verdict));
    return (int)err_set(err, ERR_REFUSED, "%s: %s", t->open ? "TLS" : "TLS handshake", reason);
}

/* The code of a call that gave nothing: 0 when it only wants more bytes. */
static int judge(struct tls *t, int result, struct err *err)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        t->failed = true;
        return (int)err_set(err, ERR_CLOSED, "closed by the peer");
    default:
        return fail(t, err);
    }
}

int tls_input(struct tls *t, struct slice cipher, uint8_t *plain, size_t room, size_t *got, struct err *err)
{
    CHECK(room >= cipher.size + TLS_ROOM);
    *got = 0;
    if (t->failed) return (int)err_set(err, ERR_CLOSED, "TLS is over");
    t->in = cipher;
    ERR_clear_error();
    if (!t->open) {
        int done = SSL_do_handshake(t->ssl);
        if (done != 1) return judge(t, done, err);
        t->open = true;
    }
    for (;;) {
        size_t part = 0;
        int done = SSL_read_ex(t->ssl, plain + *got, room - *got, &part);
        if (done != 1) return judge(t, done, err);
        *got += part;
        CHECK(*got < room);
    }
}

bool tls_is_open(const struct tls *t)
{
    return t->open && !t->failed;
}

bool tls_output(struct tls *t, struct slice plain)
{
    size_t put;
    CHECK(t->open);
    if (t->failed) return false;
    if (!plain.size) return true;
    ERR_clear_error();
    bool done = SSL_write_ex(t->ssl, plain.data, plain.size, &put) == 1;
    if (!done) t->failed = true;
    CHECK(!done || put == plain.size);
    ERR_clear_error();
    return done;
}

void tls_finish(struct tls *t)
{
    if (!t->open || t->failed) return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
    t->failed = true;
}

struct buf *tls_ciphertext(struct tls *t)
{
    return &t->cipher_out;
}

/* --- what was agreed on --- */

const struct x509_st *tls_peer_certificate(const struct tls *t)
{
    return SSL_get0_peer_certificate(t->ssl);
}

static void set_word(char to[static TLS_WORD_SIZE], const char *word)
{
    snprintf(to, TLS_WORD_SIZE, "%s", word ? word : "");
    for (char *at = to; *at; at++) *at = *at == '-' ? '_' : (char)tolower((unsigned char)*at);
}

/* OpenSSL's short names: id-aes256-GCM, AES-128-CBC, ChaCha20-Poly1305. */
static void set_cipher(char to[static TLS_WORD_SIZE], const SSL_CIPHER *cipher)
{
    switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm:
        set_word(to, "aes_128_gcm");
        return;
    case NID_aes_256_gcm:
        set_word(to, "aes_256_gcm");
        return;
    case NID_aes_128_ccm:
        set_word(to, "aes_128_ccm");
        return;
    case NID_aes_256_ccm:
        set_word(to, "aes_256_ccm");
        return;
    default:
        set_word(to, OBJ_nid2sn(SSL_CIPHER_get_cipher_nid(cipher)));
    }
}

static const char *key_exchange(const SSL_CIPHER *cipher)
{
    int exchange = SSL_CIPHER_get_kx_nid(cipher), proof = SSL_CIPHER_get_auth_nid(cipher);
    bool ecdsa = proof == NID_auth_ecdsa;
    if (exchange == NID_kx_ecdhe) return ecdsa ? "ecdhe_ecdsa" : "ecdhe_rsa";
    if (exchange == NID_kx_dhe) return "dhe_rsa";
    return exchange == NID_kx_rsa ? "rsa" : "any"; /* TLS 1.3 names it apart from the suite */
}

void tls_facts(const struct tls *t, struct tls_facts *f)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
    CHECK(t->open && cipher);
    *f = (struct tls_facts){.version = SSL_get_version(t->ssl), .suite = SSL_CIPHER_get_name(cipher)};
    set_word(f->protocol, f->version);
    set_word(f->key_exchange, key_exchange(cipher));
    set_cipher(f->cipher, cipher);
    if (SSL_CIPHER_is_aead(cipher)) set_word(f->hash, "aead");
    else set_word(f->hash, OBJ_nid2sn(SSL_CIPHER_get_digest_nid(cipher)));
}

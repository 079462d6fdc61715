/* TLS without I/O: the owner of a connection carries ciphertext between this engine and its socket, and plaintext
 * between it and whoever speaks. OpenSSL stays behind this header.
 *
 * A context is what the connections of one listener, or of one kind of outgoing connection, share: certificates, keys,
 * versions, ciphers. It is read again from its files while connections go on: those that are there keep what they have
 * agreed on, new ones get the new files.
 *
 * Thread:   contexts any; a tls that of its owner.
 * Lifetime: tls_context_open() .. tls_context_close(), tls_accept() or tls_connect() .. tls_close(). A tls may outlive
 *           its context.
 * Not offered: renegotiation (refused), compression, session tickets (every handshake proves the certificates anew). */
#ifndef WARREN_REPLICATION_SYS_TLS_H
#define WARREN_REPLICATION_SYS_TLS_H

#include "base/buf.h"
#include "base/err.h"

struct tls_context;
struct tls;
struct x509_st; /* OpenSSL's X509 */

enum {
    TLS_SERVER_NAMES_MAX = 16, /* certificates of a listener besides the first */
    TLS_CIPHERS_MAX = 64,
    TLS_ROOM = 20 << 10, /* bytes: a record in the making may come out with the next input */
    TLS_WORD_SIZE = 48,  /* of one word of tls_facts */
};

enum tls_version { TLS_VERSION_1_2 = 1, TLS_VERSION_1_3 = 2 };

/* A certificate for clients that ask for this name (SNI): `*.` at its start stands for one label. */
struct tls_server_name {
    const char *hostname, *certfile, *keyfile;
};

/* NULL and "" are the same: not given. All files are in PEM form. */
struct tls_settings {
    const char *key; /* how the configuration calls these settings, for errors: "ssl_options" */
    const char *cacertfile, *certfile, *keyfile, *password;
    bool client;                          /* for tls_connect() */
    bool verify_peer;                     /* a server asks for a certificate; whose is wrong is refused */
    bool fail_if_no_peer_cert;            /* a server also refuses who has none */
    int depth;                            /* certificates between the peer's and the root */
    unsigned versions;                    /* enum tls_version, or'ed; 0: both */
    const char *ciphers[TLS_CIPHERS_MAX]; /* OpenSSL's names, of both versions; none: its defaults */
    size_t cipher_count;
    bool honor_cipher_order; /* the server's order counts */
    struct tls_server_name names[TLS_SERVER_NAMES_MAX];
    size_t name_count;
};

/* The settings are copied, the strings in them borrowed until tls_context_close(). Errors name key and file. */
int tls_context_open(struct tls_context **c, const struct tls_settings *settings, struct err *err);
void tls_context_close(struct tls_context *c);
/* Reads all files again. When it fails, what was there stays in force. */
int tls_context_reload(struct tls_context *c, struct err *err);
/* One of the files is not the one that was read (or tried) last. Looks at each file once: not for every turn. */
bool tls_context_changed(const struct tls_context *c);
/* The end of the certificate that ends first, of those that are in force: seconds since 1970. */
int64_t tls_context_not_after(struct tls_context *c);

struct tls *tls_accept(struct tls_context *c);
/* `server_name` is asked for (SNI) and, with verify_peer, must be in the peer's certificate: a host name or an address.
 * NULL: neither. The first bytes of the handshake are in tls_ciphertext() at once. */
struct tls *tls_connect(struct tls_context *c, const char *server_name);
void tls_close(struct tls *t);

/* Takes all of the ciphertext and writes the plaintext that comes of it to `plain`, whose `room` must be at least
 * cipher.size + TLS_ROOM. Answers (of the handshake, or an alert when this fails) are in tls_ciphertext() afterwards.
 *   ERR_CLOSED  the peer closed in order; *got may be above zero
 *   ERR_REFUSED the handshake or a record failed; the err has words. Write the alert, then close. */
int tls_input(struct tls *t, struct slice cipher, uint8_t *plain, size_t room, size_t *got, struct err *err);
bool tls_is_open(const struct tls *t); /* the handshake is over: tls_output() may be called */
/* Encrypts all of it into tls_ciphertext(). False: it cannot be sent any more. */
bool tls_output(struct tls *t, struct slice plain);
void tls_finish(struct tls *t); /* puts the orderly end into tls_ciphertext(); nothing is sent after it */
/* What is to be sent: write from its front and buf_consume(). */
struct buf *tls_ciphertext(struct tls *t);

struct tls_facts {
    const char *version; /* "TLSv1.3" */
    const char *suite;   /* "TLS_AES_256_GCM_SHA384" */
    /* RabbitMQ's words for the same: tlsv1.3, any, aes_256_gcm, aead */
    char protocol[TLS_WORD_SIZE], key_exchange[TLS_WORD_SIZE], cipher[TLS_WORD_SIZE], hash[TLS_WORD_SIZE];
};
void tls_facts(const struct tls *t, struct tls_facts *facts); /* when it is open */
/* The peer's certificate, borrowed; NULL: it has none. A server only has one that was verified. */
const struct x509_st *tls_peer_certificate(const struct tls *t);

#endif

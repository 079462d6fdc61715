/* What the files of the TLS engine share: the context. */
#ifndef WARREN_REPLICATION_SYS_TLS_INTERNAL_H
#define WARREN_REPLICATION_SYS_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "replication/sys/tls.h"

struct tls_loaded {
    SSL_CTX *main;
    SSL_CTX *names[TLS_SERVER_NAMES_MAX]; /* in the order of the settings' names */
};

struct tls_context {
    atomic_uint references; /* its owner's and one of each tls */
    struct tls_settings settings;
    BIO_METHOD *method;
    pthread_mutex_t lock;     /* guards what follows: a reload may come from another thread than handshakes */
    struct tls_loaded loaded; /* in force */
    uint64_t stamp;           /* of the files that were read, or tried, last */
};

/* tls_context.c */
void tls_context_release(struct tls_context *c);
SSL *tls_context_new_ssl(struct tls_context *c);
/* The first words of OpenSSL's queue of errors, which is empty afterwards. */
const char *tls_reason(void);

/* tls.c */
BIO_METHOD *tls_bio_method(void);

#endif

/* What a client's certificate says, in RabbitMQ's words: the name that EXTERNAL logs in with, and what listings show.
 * Pure. Thread: any. */
#ifndef WARREN_NODE_AUTH_CERTIFICATE_H
#define WARREN_NODE_AUTH_CERTIFICATE_H

#include "base/buf.h"
#include "base/err.h"

struct x509_st; /* OpenSSL's X509 */

enum certificate_name { CERTIFICATE_DISTINGUISHED_NAME, CERTIFICATE_COMMON_NAME, CERTIFICATE_ALTERNATIVE_NAME };
enum certificate_kind { /* of an alternative name */
                        CERTIFICATE_DNS,
                        CERTIFICATE_IP,
                        CERTIFICATE_EMAIL,
                        CERTIFICATE_URI,
                        CERTIFICATE_OTHER,
};

/* ssl_cert_login_from, ssl_cert_login_san_type, ssl_cert_login_san_index */
struct certificate_login {
    enum certificate_name from;
    enum certificate_kind kind;
    unsigned index; /* of the names of that kind; the first is 0 */
};

/* All append UTF-8. A distinguished name is written by RFC 4514: innermost part first, "CN=x,O=y". */
void certificate_subject(const struct x509_st *certificate, struct buf *text);
void certificate_issuer(const struct x509_st *certificate, struct buf *text);
void certificate_validity(const struct x509_st *certificate, struct buf *text); /* "2026-01-01T00:00:00Z - ..." */
/* False: the certificate has no such name. */
bool certificate_user(const struct x509_st *certificate, const struct certificate_login *login, struct buf *user);

/* The words of the configuration. ERR_INVALID */
int certificate_login_parse(struct certificate_login *login, const char *from, const char *kind, unsigned index,
                            struct err *err);

#endif

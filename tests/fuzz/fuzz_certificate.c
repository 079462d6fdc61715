// room: node_auth
/* A client's certificate, as DER: whatever OpenSSL takes for one, its names are found within bounds, as text that is
 * escaped where it must be. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "node/auth/certificate.h"

static void check_escaped(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) CHECK(text.data[i] >= ' ' && text.data[i] < 127);
}

static void read_names(X509 *x)
{
    struct buf text = {0};
    certificate_subject(x, &text);
    check_escaped(buf_slice(&text));
    buf_clear(&text);
    certificate_issuer(x, &text);
    check_escaped(buf_slice(&text));
    certificate_validity(x, &text);
    for (unsigned from = 0; from <= CERTIFICATE_ALTERNATIVE_NAME; from++)
        for (unsigned kind = 0; kind <= CERTIFICATE_OTHER; kind++)
            for (unsigned index = 0; index < 3; index++) {
                struct certificate_login l = {(enum certificate_name)from, (enum certificate_kind)kind, index};
                buf_clear(&text);
                certificate_user(x, &l, &text);
            }
    buf_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *at = data;
    X509 *x = d2i_X509(NULL, &at, (long)size);
    if (x) read_names(x);
    X509_free(x);
    ERR_clear_error(); /* what it keeps would look like a leak, and be searched for after each run */
    return 0;
}

/* Certificates for tests, made on the spot and written as PEM files. */
#ifndef WARREN_TESTS_CERTIFICATES_H
#define WARREN_TESTS_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

enum { TEST_PATH_MAX = 256 };

struct test_authority {
    EVP_PKEY *key;
    X509 *certificate;
};

struct test_subject {
    const char *names[8][2];  /* {"CN", "value"}, outermost first; a NULL ends the list */
    const char *alternatives; /* OpenSSL's words, "DNS:localhost,IP:127.0.0.1"; may be NULL */
    const char *password;     /* of the key; may be NULL */
};

static inline void test_extend(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static inline X509 *test_certificate(const struct test_subject *s, EVP_PKEY *key, const struct test_authority *by)
{
    static int serial;
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    for (int i = 0; s->names[i][0]; i++)
        CHECK(X509_NAME_add_entry_by_txt(name, s->names[i][0], MBSTRING_UTF8, (const unsigned char *)s->names[i][1], -1,
                                         -1, 0));
    X509_set_issuer_name(x, by ? X509_get_subject_name(by->certificate) : name);
    X509_set_pubkey(x, key);
    if (!by) test_extend(x, NID_basic_constraints, "critical,CA:TRUE");
    if (s->alternatives) test_extend(x, NID_subject_alt_name, s->alternatives);
    CHECK(X509_sign(x, by ? by->key : key, EVP_sha256()));
    return x;
}

static inline struct test_authority test_authority_make(const char *name)
{
    struct test_authority a = {.key = EVP_EC_gen("P-256")};
    struct test_subject s = {.names = {{"CN", name}}};
    a.certificate = test_certificate(&s, a.key, NULL);
    return a;
}

static inline void test_authority_free(struct test_authority *a)
{
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

static inline const char *test_path(const char *directory, const char *name, const char *suffix,
                                    char path[static TEST_PATH_MAX])
{
    snprintf(path, TEST_PATH_MAX, "%s/%s.%s", directory, name, suffix);
    return path;
}

static inline void test_write_authority(const struct test_authority *a, const char *directory, const char *name)
{
    char path[TEST_PATH_MAX];
    FILE *f = fopen(test_path(directory, name, "pem", path), "w");
    CHECK(f && PEM_write_X509(f, a->certificate));
    fclose(f);
}

/* DIRECTORY/NAME.pem and DIRECTORY/NAME.key */
static inline void test_write_certificate(const struct test_authority *by, const char *directory, const char *name,
                                          const struct test_subject *s)
{
    char path[TEST_PATH_MAX];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = test_certificate(s, key, by);
    FILE *f = fopen(test_path(directory, name, "pem", path), "w");
    CHECK(f && PEM_write_X509(f, x));
    fclose(f);
    f = fopen(test_path(directory, name, "key", path), "w");
    CHECK(f &&
          PEM_write_PrivateKey(f, key, s->password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL, (void *)s->password));
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

#endif

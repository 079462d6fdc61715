#include "node/auth/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* --- texts --- */

/* Any ASN.1 string as UTF-8. */
static void put_string(struct buf *out, const ASN1_STRING *string)
{
    unsigned char *text = NULL;
    int size = ASN1_STRING_to_UTF8(&text, string);
    if (size > 0) buf_put(out, text, (size_t)size);
    if (size >= 0) OPENSSL_free(text);
    ERR_clear_error();
}

/* RFC 4514, section 2.4; bytes that cannot be shown as hexadecimal pairs, as RabbitMQ does. */
static void put_escaped(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        bool special =
            memchr("\"+,;<>\\", c, 7) || (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size && c == ' ');
        if (special) buf_put_u8(out, '\\');
        if (special || (c >= ' ' && c < 126)) buf_put_u8(out, c);
        else buf_printf(out, "\\%02X", c);
    }
}

static void put_type(struct buf *out, const ASN1_OBJECT *type)
{
    static const struct {
        int nid;
        const char *name;
    } names[] = {{NID_commonName, "CN"},
                 {NID_surname, "SN"},
                 {NID_givenName, "GIVENNAME"},
                 {NID_initials, "INITIALS"},
                 {NID_generationQualifier, "GENERATIONQUALIFIER"},
                 {NID_localityName, "L"},
                 {NID_stateOrProvinceName, "ST"},
                 {NID_organizationName, "O"},
                 {NID_organizationalUnitName, "OU"},
                 {NID_title, "TITLE"},
                 {NID_countryName, "C"},
                 {NID_serialNumber, "SERIALNUMBER"},
                 {NID_pseudonym, "PSEUDONYM"},
                 {NID_domainComponent, "DC"},
                 {NID_pkcs9_emailAddress, "EMAILADDRESS"},
                 {NID_streetAddress, "STREET"},
                 {NID_userId, "UID"}};
    char dotted[128];
    int nid = OBJ_obj2nid(type);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].nid == nid) {
            buf_put_slice(out, slice_str(names[i].name));
            return;
        }
    OBJ_obj2txt(dotted, sizeof dotted, type, 1);
    buf_put_slice(out, slice_str(dotted));
}

static void put_entry(struct buf *out, const X509_NAME_ENTRY *entry)
{
    struct buf value = {0};
    put_string(&value, X509_NAME_ENTRY_get_data(entry));
    put_type(out, X509_NAME_ENTRY_get_object(entry));
    buf_put_u8(out, '=');
    put_escaped(out, buf_slice(&value));
    buf_close(&value);
}

/* Entries of the same set stand together and keep their order, joined by "+"; the sets are turned around. */
static void put_name(struct buf *out, const X509_NAME *name)
{
    int end = X509_NAME_entry_count(name);
    while (end > 0) {
        int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end - 1)), start = end;
        while (start > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, start - 1)) == set) start--;
        for (int i = start; i < end; i++) {
            if (i > start) buf_put_u8(out, '+');
            put_entry(out, X509_NAME_get_entry(name, i));
        }
        end = start;
        if (end > 0) buf_put_u8(out, ',');
    }
}

void certificate_subject(const struct x509_st *certificate, struct buf *text)
{
    put_name(text, X509_get_subject_name(certificate));
}

void certificate_issuer(const struct x509_st *certificate, struct buf *text)
{
    put_name(text, X509_get_issuer_name(certificate));
}

static void put_time(struct buf *out, const ASN1_TIME *time)
{
    char text[48];
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1) return;
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_put(out, text, size);
}

void certificate_validity(const struct x509_st *certificate, struct buf *text)
{
    put_time(text, X509_get0_notBefore(certificate));
    buf_put_slice(text, slice_str(" - "));
    put_time(text, X509_get0_notAfter(certificate));
}

/* --- the user's name --- */

/* RabbitMQ joins several by commas. */
static bool put_common_names(struct buf *out, const X509_NAME *name)
{
    int at = -1;
    bool found = false;
    while ((at = X509_NAME_get_index_by_NID((X509_NAME *)name, NID_commonName, at)) >= 0) {
        if (found) buf_put_u8(out, ',');
        put_string(out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        found = true;
    }
    return found;
}

static void put_other(struct buf *out, const OTHERNAME *other)
{
    const ASN1_TYPE *value = other->value;
    bool text = value && (value->type == V_ASN1_UTF8STRING || value->type == V_ASN1_IA5STRING ||
                          value->type == V_ASN1_PRINTABLESTRING);
    if (text) put_string(out, value->value.asn1_string);
}

static void put_address(struct buf *out, const ASN1_OCTET_STRING *bytes)
{
    char text[INET6_ADDRSTRLEN];
    int size = ASN1_STRING_length(bytes);
    if (size != 4 && size != 16) return;
    inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text, sizeof text);
    buf_put_slice(out, slice_str(text));
}

static void put_alternative(struct buf *out, const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_IPADD:
        put_address(out, name->d.iPAddress);
        break;
    case GEN_OTHERNAME:
        put_other(out, name->d.otherName);
        break;
    default:
        buf_put(out, ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
    }
}

static bool put_nth_alternative(struct buf *out, const struct x509_st *certificate, const struct certificate_login *l)
{
    static const int types[] = {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI, GEN_OTHERNAME};
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    unsigned at = 0;
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != types[l->kind]) continue;
        found = at++ == l->index;
        if (found) put_alternative(out, name);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return found;
}

bool certificate_user(const struct x509_st *certificate, const struct certificate_login *l, struct buf *user)
{
    switch (l->from) {
    case CERTIFICATE_COMMON_NAME:
        return put_common_names(user, X509_get_subject_name(certificate));
    case CERTIFICATE_ALTERNATIVE_NAME:
        return put_nth_alternative(user, certificate, l);
    default:
        certificate_subject(certificate, user);
        return true;
    }
}

int certificate_login_parse(struct certificate_login *l, const char *from, const char *kind, unsigned index,
                            struct err *err)
{
    static const char *const froms[] = {"distinguished_name", "common_name", "subject_alternative_name"};
    static const char *const kinds[] = {"dns", "ip", "email", "uri", "other_name"};
    if (!strcmp(from, "subject_alt_name")) from = froms[CERTIFICATE_ALTERNATIVE_NAME]; /* RabbitMQ knows both */
    *l = (struct certificate_login){.index = index};
    unsigned f = 0, k = 0;
    while (f < sizeof froms / sizeof froms[0] && strcmp(froms[f], from)) f++;
    while (k < sizeof kinds / sizeof kinds[0] && strcmp(kinds[k], kind)) k++;
    if (f == sizeof froms / sizeof froms[0])
        return (int)err_set(err, ERR_INVALID, "ssl_cert_login_from = %s is not known", from);
    if (k == sizeof kinds / sizeof kinds[0])
        return (int)err_set(err, ERR_INVALID, "ssl_cert_login_san_type = %s is not known", kind);
    l->from = (enum certificate_name)f;
    l->kind = (enum certificate_kind)k;
    return 0;
}

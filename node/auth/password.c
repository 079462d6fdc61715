#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "node/auth/defaults.h"
#include "router/pattern.h"

enum { ENCODED_MAX = 4 * ((AUTH_SALT_SIZE + EVP_MAX_MD_SIZE + 2) / 3) };

static unsigned digest(const EVP_MD *how, const uint8_t *salt, struct slice password, uint8_t out[EVP_MAX_MD_SIZE])
{
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context);
    bool ok = EVP_DigestInit_ex(context, how, NULL) && EVP_DigestUpdate(context, salt, AUTH_SALT_SIZE) &&
              EVP_DigestUpdate(context, password.data, password.size) && EVP_DigestFinal_ex(context, out, &size);
    EVP_MD_CTX_free(context);
    return ok ? size : 0;
}

static const EVP_MD *algorithm_of(struct slice name)
{
    if (slice_is(name, "rabbit_password_hashing_sha256")) return EVP_sha256();
    if (slice_is(name, "rabbit_password_hashing_sha512")) return EVP_sha512();
    return slice_is(name, "rabbit_password_hashing_md5") ? EVP_md5() : NULL;
}

void auth_password_hash(const char *algorithm, const uint8_t salt[AUTH_SALT_SIZE], struct slice password,
                        struct buf *out)
{
    uint8_t whole[AUTH_SALT_SIZE + EVP_MAX_MD_SIZE];
    const EVP_MD *how = algorithm_of(slice_str(algorithm));
    CHECK(how); /* the configuration has a choice of words */
    memcpy(whole, salt, AUTH_SALT_SIZE);
    unsigned size = digest(how, salt, password, whole + AUTH_SALT_SIZE);
    CHECK(size);
    uint8_t *at = buf_reserve(out, ENCODED_MAX + 1);
    out->size += (size_t)EVP_EncodeBlock(at, whole, (int)(AUTH_SALT_SIZE + size));
}

/* 0: no Base64, or too long for a salt and a digest. */
static size_t decode(struct slice text, uint8_t out[ENCODED_MAX])
{
    if (!text.size || text.size % 4 || text.size > ENCODED_MAX) return 0;
    int size = EVP_DecodeBlock(out, text.data, (int)text.size);
    for (size_t i = text.size; size > 0 && i > text.size - 2 && text.data[i - 1] == '='; i--) size--;
    return size < 0 ? 0 : (size_t)size;
}

bool auth_hash_fits(struct slice password_hash, struct slice algorithm, struct slice password)
{
    uint8_t known[ENCODED_MAX], given[EVP_MAX_MD_SIZE];
    const EVP_MD *how = algorithm_of(algorithm);
    size_t size = decode(password_hash, known);
    if (!how || !password.size || size < AUTH_SALT_SIZE) return false;
    unsigned digest_size = digest(how, known, password, given);
    return digest_size && size == AUTH_SALT_SIZE + digest_size &&
           CRYPTO_memcmp(known + AUTH_SALT_SIZE, given, digest_size) == 0;
}

/* --- new ones --- */

void auth_password_rules_read(struct auth_password_rules *rules, const struct config *c)
{
    *rules = (struct auth_password_rules){.hashing = c->password_hashing_module};
    if (strstr(c->credential_validator, "min_password_length")) rules->size_min = (size_t)c->credential_min_length;
    if (strstr(c->credential_validator, "password_regexp")) rules->pattern = c->credential_regexp;
}

bool auth_password_is_good(const struct auth_password_rules *rules, struct slice password, struct err *why)
{
    if (password.size < rules->size_min) {
        err_set(why, ERR_REFUSED, "minimum required password length is set to %zu", rules->size_min);
        return false;
    }
    if (!rules->pattern) return true;
    struct pattern *pattern = pattern_create(slice_str(rules->pattern), NULL);
    bool fits = pattern && pattern_matches(pattern, password);
    pattern_destroy(pattern);
    if (!fits) err_set(why, ERR_REFUSED, "provided password does not match the validator regular expression");
    return fits;
}

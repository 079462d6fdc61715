/* Values that begin with encrypted:, as `warrenctl encode` and RabbitMQ's tool make them. They are read when all lines
 * are, because the passphrase may come behind them.
 *
 *   base64( salt 16 | iv 16 | AES-CBC( Erlang's external form of a binary or a string, padded ) )
 *   key: PBKDF2 over the passphrase, by config_entry_decoder.hash and .iterations */
#include <openssl/evp.h>

#include "config/config_internal.h"

enum { PART = 16, BLOB_MAX = CONFIG_PAIR_VALUE_MAX };
enum { TERM_VERSION = 131, TERM_STRING = 107, TERM_BINARY = 109 };

static const char prefix[] = "encrypted:";

bool config_secret_is(const char *value)
{
    return !strncmp(value, prefix, sizeof prefix - 1);
}

void config_secret_forget(struct config *c, const char *name)
{
    for (size_t i = 0; i < c->secret_count; i++)
        if (!strcmp(c->secrets[i].name, name)) *c->secrets[i].name = '\0';
}

int config_secret_keep(struct config *c, const char *name, const char *value, struct err *err)
{
    config_secret_forget(c, name);
    if (strlen(value) >= CONFIG_PAIR_VALUE_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: longer than %d bytes", name, CONFIG_PAIR_VALUE_MAX - 1);
    if (c->secret_count == CONFIG_SECRETS_MAX)
        return (int)err_set(err, ERR_INVALID, "%s: more than %d encrypted values", name, CONFIG_SECRETS_MAX);
    struct config_pair *kept = &c->secrets[c->secret_count++];
    snprintf(kept->name, sizeof kept->name, "%s", name);
    snprintf(kept->value, sizeof kept->value, "%s", value + sizeof prefix - 1);
    kept->place = c->place;
    return 0;
}

/* The number of bytes; 0: no Base64. */
static size_t decode(const char *text, uint8_t out[BLOB_MAX])
{
    size_t size = strlen(text);
    if (!size || size % 4) return 0;
    int bytes = EVP_DecodeBlock(out, (const uint8_t *)text, (int)size);
    for (size_t i = size; bytes > 0 && i > size - 2 && text[i - 1] == '='; i--) bytes--;
    return bytes < 0 ? 0 : (size_t)bytes;
}

/* 0: wrong in some way. */
static size_t open_blob(const struct config *c, const uint8_t *blob, size_t size, uint8_t out[BLOB_MAX])
{
    uint8_t key[EVP_MAX_KEY_LENGTH];
    char cipher_name[CONFIG_TEXT_MAX];
    int first = 0, last = 0;
    snprintf(cipher_name, sizeof cipher_name, "%s", c->decoder_cipher);
    for (char *at = cipher_name; *at; at++)
        if (*at == '_') *at = '-';
    const EVP_CIPHER *cipher = EVP_get_cipherbyname(cipher_name);
    const EVP_MD *hash = EVP_get_digestbyname(strcmp(c->decoder_hash, "sha") ? c->decoder_hash : "sha1");
    if (!cipher || !hash || size < 3 * PART) return 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good = PKCS5_PBKDF2_HMAC(c->decoder_passphrase, -1, blob, PART, (int)c->decoder_iterations, hash,
                                  EVP_CIPHER_get_key_length(cipher), key) &&
                EVP_DecryptInit_ex(context, cipher, NULL, key, blob + PART) &&
                EVP_DecryptUpdate(context, out, &first, blob + 2 * PART, (int)(size - 2 * PART)) &&
                EVP_DecryptFinal_ex(context, out + first, &last);
    EVP_CIPHER_CTX_free(context);
    return good ? (size_t)(first + last) : 0;
}

/* The text of a binary or string in Erlang's external form. */
static bool read_term(const uint8_t *term, size_t size, char *text)
{
    size_t head = 0, length = 0;
    if (size > 6 && term[1] == TERM_BINARY)
        head = 6, length = (size_t)term[2] << 24 | (size_t)term[3] << 16 | (size_t)term[4] << 8 | term[5];
    if (size > 4 && term[1] == TERM_STRING) head = 4, length = (size_t)term[2] << 8 | term[3];
    if (!head || term[0] != TERM_VERSION || length != size - head || memchr(term + head, 0, length)) return false;
    memcpy(text, term + head, length);
    text[length] = '\0';
    return true;
}

static int set_secret(struct config *c, const struct config_pair *secret, struct err *err)
{
    uint8_t blob[BLOB_MAX], term[BLOB_MAX + EVP_MAX_BLOCK_LENGTH];
    char text[BLOB_MAX + EVP_MAX_BLOCK_LENGTH];
    if (!*c->decoder_passphrase)
        return (int)err_set(err, ERR_INVALID, "%s: config_entry_decoder.passphrase is needed to read it", secret->name);
    size_t size = open_blob(c, blob, decode(secret->value, blob), term);
    if (!read_term(term, size, text))
        return (int)err_set(err, ERR_INVALID,
                            "%s: cannot be decrypted: look at config_entry_decoder.passphrase, .cipher, .hash and "
                            ".iterations",
                            secret->name);
    return config_set_key(c, config_find_key(config_other_name(secret->name)), secret->name, text, err);
}

int config_secrets_read(struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->secret_count; i++) {
        if (!*c->secrets[i].name) continue;
        c->place = c->secrets[i].place;
        if (set_secret(c, &c->secrets[i], err)) return ERR_INVALID;
    }
    c->secret_count = 0; /* checking twice is checking once */
    return 0;
}

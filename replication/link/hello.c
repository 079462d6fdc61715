#include "replication/link/hello.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/err.h"
#include "base/reader.h"

static const uint8_t magic[4] = {'W', 'R', 'N', 'L'};

enum { FLAG_TLS = 1, FLAG_JOINS = 2 };

void link_hello_encode(struct buf *out, const struct link_hello *h)
{
    CHECK(h->name.size <= LINK_NAME_MAX);
    CHECK(h->address.size <= LINK_NAME_MAX);
    buf_put(out, magic, sizeof magic);
    buf_put_le16(out, LINK_VERSION);
    buf_put_u8(out, h->node);
    buf_put_u8(out, (h->tls ? FLAG_TLS : 0) | (h->joins ? FLAG_JOINS : 0));
    buf_put_le16(out, h->shard);
    buf_put_le16(out, h->shard_count);
    buf_put_le32(out, h->epoch);
    buf_put_le32(out, h->group_count);
    buf_put_le16(out, h->level);
    buf_put(out, h->nonce, sizeof h->nonce);
    buf_put(out, h->data_id, sizeof h->data_id);
    buf_put_counted(out, h->name);
    buf_put_counted(out, h->address);
}

int link_hello_decode(struct slice payload, struct link_hello *h)
{
    struct reader r = reader_of(payload);
    *h = (struct link_hello){0};
    struct slice start = reader_bytes(&r, sizeof magic);
    h->version = reader_le16(&r);
    if (r.failed || memcmp(start.data, magic, sizeof magic) != 0) return ERR_FORMAT;
    if (h->version != LINK_VERSION) return ERR_VERSION;
    h->node = reader_u8(&r);
    uint8_t flags = reader_u8(&r);
    h->shard = reader_le16(&r);
    h->shard_count = reader_le16(&r);
    h->epoch = reader_le32(&r);
    h->group_count = reader_le32(&r);
    h->level = reader_le16(&r);
    struct slice nonce = reader_bytes(&r, LINK_NONCE_SIZE), data_id = reader_bytes(&r, LINK_DATA_ID_SIZE);
    h->name = reader_counted(&r);
    h->address = reader_counted(&r);
    if (r.failed || reader_left(&r) || (flags & ~(FLAG_TLS | FLAG_JOINS))) return ERR_FORMAT;
    if (h->name.size > LINK_NAME_MAX || h->address.size > LINK_NAME_MAX) return ERR_FORMAT;
    if (memchr(h->name.data, 0, h->name.size) || memchr(h->address.data, 0, h->address.size)) return ERR_FORMAT;
    h->tls = flags & FLAG_TLS;
    h->joins = flags & FLAG_JOINS;
    memcpy(h->nonce, nonce.data, LINK_NONCE_SIZE);
    memcpy(h->data_id, data_id.data, LINK_DATA_ID_SIZE);
    return 0;
}

void link_refusal_encode(struct buf *out, uint8_t kind, const char *words)
{
    size_t size = strlen(words);
    buf_put_u8(out, kind);
    buf_put(out, words, size < LINK_REFUSAL_MAX ? size : LINK_REFUSAL_MAX);
}

bool link_refusal_decode(struct slice payload, uint8_t *kind, char words[static LINK_REFUSAL_MAX + 1])
{
    if (payload.size < 1 || payload.size > 1 + LINK_REFUSAL_MAX) return false;
    *kind = payload.data[0];
    size_t size = payload.size - 1;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = payload.data[1 + i];
        words[i] = c < ' ' || c > '~' || c == '"' ? '?' : (char)c; /* it goes into our log */
    }
    words[size] = 0;
    return true;
}

void link_proof(uint8_t proof[static LINK_PROOF_SIZE], struct slice secret, bool of_dialler, struct slice dialler_hello,
                struct slice listener_hello)
{
    struct buf text = {0};
    unsigned size = 0;
    buf_put_slice(&text, slice_str(of_dialler ? "warren link dialler" : "warren link listener"));
    buf_put_counted(&text, dialler_hello);
    buf_put_counted(&text, listener_hello);
    const void *key = secret.size ? (const void *)secret.data : "";
    CHECK(HMAC(EVP_sha256(), key, (int)secret.size, text.data, text.size, proof, &size));
    CHECK(size == LINK_PROOF_SIZE);
    buf_close(&text);
}

bool link_proof_equal(const uint8_t proof[static LINK_PROOF_SIZE], struct slice given)
{
    return given.size == LINK_PROOF_SIZE && CRYPTO_memcmp(proof, given.data, LINK_PROOF_SIZE) == 0;
}

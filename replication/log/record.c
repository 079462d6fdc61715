#include "base/hash.h"
#include "replication/log/log_internal.h"

static uint32_t checksum(const uint8_t *at, uint32_t payload)
{
    return (uint32_t)hash_bytes(at + 4, RECORD_HEADER_SIZE - 4 + payload, 0);
}

void record_put_header(uint8_t *at, const struct record *r, uint64_t index)
{
    memset(at, 0, RECORD_HEADER_SIZE);
    memcpy(at + 4, &r->size, 4);
    at[8] = r->kind;
    at[9] = r->type;
    memcpy(at + 12, &r->group, 4);
    memcpy(at + 16, &r->lsn, 8);
    memcpy(at + 24, &index, 8);
    memcpy(at + 32, &r->term, 8);
}

void record_seal(uint8_t *at, uint32_t payload)
{
    uint32_t sum = checksum(at, payload);
    memcpy(at, &sum, 4);
}

bool record_read(struct slice bytes, struct record *r, struct slice *payload)
{
    if (bytes.size < RECORD_HEADER_SIZE) return false;
    uint32_t sum;
    *r = (struct record){0};
    memcpy(&sum, bytes.data, 4);
    memcpy(&r->size, bytes.data + 4, 4);
    if (r->size > bytes.size - RECORD_HEADER_SIZE || sum != checksum(bytes.data, r->size)) return false;
    r->kind = bytes.data[8];
    r->type = bytes.data[9];
    memcpy(&r->group, bytes.data + 12, 4);
    memcpy(&r->lsn, bytes.data + 16, 8);
    memcpy(&r->index, bytes.data + 24, 8);
    memcpy(&r->term, bytes.data + 32, 8);
    *payload = slice_of(bytes.data + RECORD_HEADER_SIZE, r->size);
    return true;
}

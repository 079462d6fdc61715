/* Configurations and their bytes. */
#include <stdio.h>

#include "base/check.h"
#include "replication/group/raft_internal.h"

void core_address_of(uint8_t node, char *text, size_t size)
{
    snprintf(text, size, "%u", node); /* the library wants names that differ; we route by id */
}

void core_configuration_encode(const struct group_member *members, uint32_t count, struct buf *b)
{
    struct raft_configuration conf;
    struct raft_buffer encoded;
    char address[8];
    raft_configuration_init(&conf);
    for (uint32_t i = 0; i < count; i++) {
        core_address_of(members[i].node, address, sizeof address);
        CHECK(raft_configuration_add(&conf, members[i].node, address,
                                     members[i].role == GROUP_VOTER ? RAFT_VOTER : RAFT_STANDBY) == 0);
    }
    CHECK(raft_configuration_encode(&conf, &encoded) == 0);
    buf_put(b, encoded.base, encoded.len);
    raft_free(encoded.base);
    raft_configuration_close(&conf);
}

bool core_decode_configuration(struct slice bytes, struct raft_configuration *conf)
{
    struct raft_buffer buffer = {(void *)bytes.data, bytes.size};
    raft_configuration_init(conf);
    return bytes.size >= 8 && raft_configuration_decode(&buffer, conf) == 0;
}

uint32_t core_configuration_decode(struct slice bytes, struct group_member *members)
{
    struct raft_configuration conf;
    if (!core_decode_configuration(bytes, &conf)) return 0;
    uint32_t count = conf.n <= GROUP_MEMBERS_MAX ? conf.n : 0;
    for (uint32_t i = 0; i < count; i++) {
        members[i].node = (uint8_t)conf.servers[i].id;
        members[i].role = conf.servers[i].role == RAFT_VOTER ? GROUP_VOTER : GROUP_STANDBY;
    }
    raft_configuration_close(&conf);
    return count;
}

/* Raft's messages as bytes (docs/formats/link.md): a head, then the entries' bytes as they are. Pure.
 *
 *   u8 version | u8 type | u8 raft version | u8 flags | le64 term | the type's fields as varints
 *   append entries: per entry u8 type, varint term, varint size; the entries' bytes follow in order */
#ifndef WARREN_REPLICATION_GROUP_MESSAGE_H
#define WARREN_REPLICATION_GROUP_MESSAGE_H

#include "replication/group/raft_core.h"

enum { MESSAGE_ENTRIES_MAX = 4096 };

/* The head; append entries: with m->entries' sizes. */
void message_encode(const struct core_message *m, struct buf *head);
/* Reads a message that lies in `blob`; entries refer to it. False: damaged. On success the caller calls
 * message_close(). */
bool message_decode(struct blob *blob, uint32_t offset, uint32_t size, struct core_message *m);
void message_close(struct core_message *m);

#endif

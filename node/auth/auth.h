/* Who may do what, from the registry's users, permissions and limits. Pure.
 *
 * Thread:   its shard's; the topology is that shard's copy. Lifetime: auth_create() .. auth_destroy().
 * Rules and words are RabbitMQ's: an expression is searched in the name, the empty expression fits the empty name only,
 * and the default exchange is called amq.default. Compiled expressions are kept until registry_version() changes. */
#ifndef WARREN_NODE_AUTH_AUTH_H
#define WARREN_NODE_AUTH_AUTH_H

#include "router/registry.h"

struct auth;

enum auth_permission { AUTH_CONFIGURE, AUTH_WRITE, AUTH_READ, AUTH_PERMISSION_COUNT };

/* Bits. Other tags are remembered, and mean nothing here. */
enum auth_tag {
    AUTH_TAG_MANAGEMENT = 1,
    AUTH_TAG_POLICYMAKER = 2,
    AUTH_TAG_MONITORING = 4,
    AUTH_TAG_ADMINISTRATOR = 8,
    AUTH_TAG_IMPERSONATOR = 16,
};

enum { AUTH_USERS_KEPT_MAX = 4096 /* users and vhosts whose expressions are kept compiled */ };

/* `open`: there are no users, and everybody may do everything (the simulator, and tests of other things). */
struct auth *auth_create(const struct topology *t, bool open);
void auth_destroy(struct auth *a);
bool auth_is_open(const struct auth *a);

bool auth_has_user(const struct auth *a, struct slice user);
/* False: no such user, no password set, an empty one given, or another one. Takes as long whatever is wrong with the
 * password. */
bool auth_password_fits(const struct auth *a, struct slice user, struct slice password);
unsigned auth_tags(const struct auth *a, struct slice user);
/* The user has permissions in the vhost, whichever. */
bool auth_may_enter(const struct auth *a, struct slice user, struct slice vhost);
bool auth_may(struct auth *a, struct slice user, struct slice vhost, enum auth_permission permission,
              struct slice name);
/* Routing keys of a topic exchange; only WRITE and READ. What no topic permission names is allowed. {username} and
 * {vhost} stand for the caller's; {client_id} is known to MQTT alone. */
bool auth_may_topic(struct auth *a, struct slice user, struct slice vhost, enum auth_permission permission,
                    struct slice exchange, struct slice routing_key);
/* There are topic permissions for the exchange; false: auth_may_topic() always says yes. */
bool auth_has_topics(struct auth *a, struct slice user, struct slice vhost, struct slice exchange);
/* -1: none. `limit`: "max-connections", "max-channels". */
int64_t auth_user_limit(const struct auth *a, struct slice user, const char *limit);
int64_t auth_vhost_limit(const struct auth *a, struct slice vhost, const char *limit);

/* --- password.c --- */
enum { AUTH_SALT_SIZE = 4 };
/* Base64 of the salt and a digest over salt and password: a new user's password_hash. `algorithm`: a user's
 * hashing_algorithm. */
void auth_password_hash(const char *algorithm, const uint8_t salt[AUTH_SALT_SIZE], struct slice password,
                        struct buf *out);
bool auth_hash_fits(struct slice password_hash, struct slice algorithm, struct slice password);

/* New passwords, as the configuration wants them. */
struct auth_password_rules {
    const char *hashing; /* the hashing_algorithm */
    size_t size_min;     /* bytes */
    const char *pattern; /* NULL: any */
};
/* False: `why` (may be NULL) says it in RabbitMQ's words. */
bool auth_password_is_good(const struct auth_password_rules *rules, struct slice password, struct err *why);

/* --- seed.c --- */
struct auth_defaults;
struct auth_seed {
    const char *vhost;
    const char *user, *password; /* user NULL or empty: none */
    const char *configure, *write, *read;
    const char *tags;                     /* with commas between */
    const char *hashing;                  /* of the password */
    const struct auth_defaults *defaults; /* what a vhost begins with; NULL: nothing */
    uint8_t salt[AUTH_SALT_SIZE];
    uint8_t cluster_id[16];
};
/* The items of registry_seed_command(): the vhost, the user with all rights in it, the cluster's permanent id. */
void auth_seed_put(const struct auth_seed *seed, struct buf *items);

#endif

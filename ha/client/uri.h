/* Where and how to reach a broker, as people write it: RabbitMQ's AMQP URIs and their query parameters.
 *
 *     amqp[s]://user:password@host:port/vhost?heartbeat=10&connection_timeout=5000&verify=verify_peer...
 *
 * Without a host (`amqp:///vhost`, `amqp://`) it is the broker of this very cluster: `local`, reached without a socket.
 * Pure; any thread. Strings are copied; a struct client_uri is closed after a successful parse. */
#ifndef WARREN_HA_CLIENT_URI_H
#define WARREN_HA_CLIENT_URI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { CLIENT_URI_SIZE_MAX = 4096, CLIENT_URI_UNSET = -1 };
enum client_mechanism { CLIENT_PLAIN = 1, CLIENT_AMQPLAIN = 2, CLIENT_EXTERNAL = 4 };

struct client_uri {
    bool tls;
    bool local;
    uint16_t port;
    char *host;          /* without brackets; "" when local */
    char *user;          /* NULL: none was given; guest on a socket, nobody in particular when local */
    char *password;      /* NULL: as user */
    char *vhost;         /* "/" when the URI has no path */
    bool vhost_given;    /* it has one */
    unsigned mechanisms; /* of enum client_mechanism */
    int heartbeat_s;     /* CLIENT_URI_UNSET: as the server likes; 0: none */
    int timeout_ms;      /* connection_timeout */
    int channel_max;     /* 0: as the server likes */
    char *cacertfile;    /* NULL: none; the next too */
    char *certfile, *keyfile, *key_password;
    char *server_name; /* server_name_indication; "disable" sends none; NULL: the host */
    bool verify;       /* the server's certificate must be good: the default on amqps */
    int depth;
};

/* ERR_INVALID, and why in `err`. Unknown query parameters are passed over, as RabbitMQ does. */
int client_uri_parse(struct slice text, struct client_uri *uri, struct err *err);
void client_uri_close(struct client_uri *uri);

/* The URI without user, password and query: for listings, logs and message headers. */
void client_uri_public(struct buf *b, const struct client_uri *uri);

#endif

#include "node/http/definitions_file.h"

#include <glob.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "config/config.h"
#include "node/fetch/fetch.h"

enum { CONNECT_TIMEOUT_MS = 5000, FETCH_TIMEOUT_MS = 30000 };

static int add(json_t *all, const char *path, json_t *file, const json_error_t *why, struct err *err)
{
    if (json_is_object(file)) return json_object_set_new(all, path, file) ? ERR_INVALID : 0;
    if (file) err_set(err, ERR_INVALID, "load_definitions: %s holds no object", path);
    else if (why->line > 0) err_set(err, ERR_INVALID, "load_definitions: %s:%d: %s", path, why->line, why->text);
    else err_set(err, ERR_INVALID, "load_definitions: %s", why->text);
    json_decref(file);
    return ERR_INVALID;
}

static int add_file(json_t *all, const char *path, struct err *err)
{
    json_error_t why;
    return add(all, path, json_load_file(path, 0, &why), &why, err);
}

static int add_folder(json_t *all, const char *path, struct err *err)
{
    char pattern[4096];
    glob_t found;
    int code = 0;
    snprintf(pattern, sizeof pattern, "%s/*.json", path);
    if (glob(pattern, 0, NULL, &found)) return 0;
    for (size_t i = 0; i < found.gl_pathc && !code; i++) code = add_file(all, found.gl_pathv[i], err);
    globfree(&found);
    return code;
}

static int add_url(json_t *all, const struct config *c, struct err *err)
{
    const struct fetch_tls tls = {c->definitions_tls.cacertfile, c->definitions_tls.certfile,
                                  c->definitions_tls.keyfile, c->definitions_tls.password,
                                  !strcmp(c->definitions_verify, "verify_peer")};
    const struct fetch_request request = {.url = c->definitions_url,
                                          .tls = &tls,
                                          .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                          .timeout_ms = FETCH_TIMEOUT_MS};
    struct buf body = {0};
    json_error_t why;
    int code = fetch_once(&request, &body, err);
    if (code) err_wrap(err, "definitions.https.url");
    else code = add(all, c->definitions_url, json_loadb((const char *)body.data, body.size, 0, &why), &why, err);
    buf_close(&body);
    return code;
}

/* Of the content, not of how it was written. */
static void digest(const json_t *files, const char *algorithm, char hex[132])
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char *text = json_dumps(files, JSON_COMPACT | JSON_SORT_KEYS);
    const EVP_MD *how = EVP_get_digestbyname(strcmp(algorithm, "sha") ? algorithm : "sha1");
    CHECK(text && how && EVP_Digest(text, strlen(text), bytes, &size, how, NULL));
    for (unsigned i = 0; i < size; i++) sprintf(hex + (size_t)2 * i, "%02x", bytes[i]);
    free(text);
}

int http_definitions_open(struct http_definitions **out, const struct config *c, struct err *err)
{
    struct stat s;
    const char *path = c->load_definitions;
    json_t *all = json_object();
    int code = 0;
    *out = NULL;
    if (*path) code = !stat(path, &s) && S_ISDIR(s.st_mode) ? add_folder(all, path, err) : add_file(all, path, err);
    if (!code && *c->definitions_url) code = add_url(all, c, err);
    if (code || (!*path && !*c->definitions_url)) {
        json_decref(all);
        return code;
    }
    *out = mem_zalloc(sizeof **out);
    **out = (struct http_definitions){.files = all, .skip = c->definitions_skip};
    digest(all, c->definitions_hash, (*out)->digest);
    return 0;
}

void http_definitions_close(struct http_definitions *d)
{
    if (d) json_decref(d->files);
    mem_free(d);
}

bool http_definitions_have_users(const struct http_definitions *d)
{
    const char *name;
    json_t *file;
    bool users = false;
    if (d) json_object_foreach(d->files, name, file) users |= json_array_size(json_object_get(file, "users")) > 0;
    return users;
}

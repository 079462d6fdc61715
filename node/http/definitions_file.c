#include "node/http/definitions_file.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "node/http/http.h"

static int add_file(json_t *all, const char *path, struct err *err)
{
    json_error_t why;
    json_t *file = json_load_file(path, 0, &why);
    if (json_is_object(file)) return json_object_set_new(all, path, file) ? ERR_INVALID : 0;
    if (file) err_set(err, ERR_INVALID, "load_definitions: %s holds no object", path);
    else if (why.line > 0) err_set(err, ERR_INVALID, "load_definitions: %s:%d: %s", path, why.line, why.text);
    else err_set(err, ERR_INVALID, "load_definitions: %s", why.text);
    json_decref(file);
    return ERR_INVALID;
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

json_t *definitions_read(const char *path, struct err *err)
{
    struct stat s;
    json_t *all = json_object();
    bool folder = !stat(path, &s) && S_ISDIR(s.st_mode);
    if (!(folder ? add_folder(all, path, err) : add_file(all, path, err))) return all;
    json_decref(all);
    return NULL;
}

int http_check_definitions(const char *path, bool *has_users, struct err *err)
{
    const char *name;
    json_t *file, *all = definitions_read(path, err);
    *has_users = false;
    if (!all) return ERR_INVALID;
    json_object_foreach(all, name, file) *has_users |= json_array_size(json_object_get(file, "users")) > 0;
    json_decref(all);
    return 0;
}

/* Which files are read: a file and what stands beside it, a folder, what the environment names. */
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/config_internal.h"

enum { PATH_SIZE = 4096, PLUGINS_SIZE = 64 << 10 };

static bool is_folder(const char *path)
{
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static bool is_there(const char *path)
{
    struct stat s;
    return !stat(path, &s);
}

static bool ends_with_config(const char *path)
{
    size_t size = strlen(path);
    return size > 7 && !strcmp(path + size - 7, ".config");
}

/* All that match, in the order of their names; none is none. */
static int load_matching(struct config *c, const char *pattern, struct err *err)
{
    glob_t found;
    int code = 0;
    if (glob(pattern, 0, NULL, &found)) return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int failed = config_load(c, found.gl_pathv[i], code ? NULL : err);
        if (!code) code = failed;
    }
    globfree(&found);
    return code;
}

static int load_folder(struct config *c, const char *path, struct err *err)
{
    char pattern[PATH_SIZE + 8];
    snprintf(pattern, sizeof pattern, "%s/*.conf", path);
    return load_matching(c, pattern, err);
}

static int refuse(struct config *c, struct err *err, const char *path)
{
    struct err own;
    err_set(
        &own, ERR_INVALID,
        "%s: advanced.config is not read: its settings are keys of rabbitmq.conf here (warrend --print-keys), those "
        "of shovels shovel.NAME.*",
        path);
    config_keep_error(c, own.text);
    if (err) *err = own;
    return ERR_INVALID;
}

/* RabbitMQ's `[rabbitmq_management, rabbitmq_prometheus].`: what brings ports of its own gets them. */
static void read_plugins(struct config *c, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return;
    char *text = mem_zalloc(PLUGINS_SIZE);
    size_t size = fread(text, 1, PLUGINS_SIZE - 1, f);
    fclose(f);
    text[size] = '\0';
    for (char *rest = NULL, *word = strtok_r(text, "[], \t\r\n.", &rest); word;
         word = strtok_r(NULL, "[], \t\r\n.", &rest)) {
        if (!strcmp(word, "rabbitmq_management")) c->plugin_management = true;
        if (!strcmp(word, "rabbitmq_prometheus")) c->plugin_prometheus = true;
    }
    mem_free(text);
}

/* `name` in the folder of `path`. */
static void beside(char *to, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    snprintf(to, PATH_SIZE, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, name);
}

int config_load_path(struct config *c, const char *path, struct err *err)
{
    char other[PATH_SIZE];
    if (is_folder(path)) return load_folder(c, path, err);
    if (ends_with_config(path)) return refuse(c, err, path);
    int code = config_load(c, path, err);
    beside(other, path, "conf.d");
    int failed = load_folder(c, other, code ? NULL : err);
    beside(other, path, "enabled_plugins");
    read_plugins(c, other);
    beside(other, path, "advanced.config");
    if (is_there(other)) config_warn(c, "%s is not read: its settings are keys of rabbitmq.conf here", other);
    return code ? code : failed;
}

/* RabbitMQ lets the ending away. */
static int load_named(struct config *c, const char *path, struct err *err)
{
    char whole[PATH_SIZE];
    snprintf(whole, sizeof whole, "%s.conf", path);
    return config_load_path(c, !is_there(path) && is_there(whole) ? whole : path, err);
}

int config_load_environment_files(struct config *c, bool *found, struct err *err)
{
    const char *file = getenv("RABBITMQ_CONFIG_FILE"), *files = getenv("RABBITMQ_CONFIG_FILES"),
               *advanced = getenv("RABBITMQ_ADVANCED_CONFIG_FILE"), *plugins = getenv("RABBITMQ_ENABLED_PLUGINS_FILE");
    int code = file ? load_named(c, file, err) : 0, failed = 0;
    if (files)
        failed =
            is_folder(files) ? load_folder(c, files, code ? NULL : err) : load_matching(c, files, code ? NULL : err);
    if (!code) code = failed;
    if (plugins) read_plugins(c, plugins);
    failed = advanced && is_there(advanced) ? refuse(c, code ? NULL : err, advanced) : 0;
    *found = file || files;
    return code ? code : failed;
}

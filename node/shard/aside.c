#include "node/shard/aside.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASIDE_MAX = 1000, PATH_SIZE = 1024, NAME_SIZE = 260 };

static void tell(const char *folder, const char *to)
{
    fprintf(stderr, "warrend: the data that was in %s is now in %s\n", folder, to);
}

/* Everything but what was put aside before. */
static int move_entries(const char *folder, const char *to, struct err *err)
{
    int code = 0;
    DIR *dir = opendir(folder);
    if (!dir) return errno == ENOENT ? 0 : (int)err_set_errno(err, errno, "read %s", folder);
    for (struct dirent *entry; !code && (entry = readdir(dir));) {
        char from[PATH_SIZE + NAME_SIZE], target[PATH_SIZE + NAME_SIZE];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || !strncmp(entry->d_name, "aside-", 6))
            continue;
        snprintf(from, sizeof from, "%s/%s", folder, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        if (mkdir(to, 0750) && errno != EEXIST) code = (int)err_set_errno(err, errno, "make %s", to);
        else if (rename(from, target)) code = (int)err_set_errno(err, errno, "move %s to %s", from, target);
    }
    closedir(dir);
    if (!code && access(to, F_OK) == 0) tell(folder, to);
    return code;
}

static int move_inside(const char *folder, struct err *err)
{
    char to[PATH_SIZE];
    for (unsigned n = 1; n < ASIDE_MAX; n++) {
        snprintf(to, sizeof to, "%s/aside-%u", folder, n);
        if (access(to, F_OK)) return move_entries(folder, to, err);
    }
    return (int)err_set(err, ERR_EXISTS, "%s/aside-1 to -999 are there already: remove some", folder);
}

int data_move_aside(const char *folder, struct err *err)
{
    char to[PATH_SIZE];
    for (unsigned n = 1; n < ASIDE_MAX; n++) {
        snprintf(to, sizeof to, "%s.aside-%u", folder, n);
        if (access(to, F_OK) == 0) continue;
        if (rename(folder, to) == 0) {
            tell(folder, to);
            return 0;
        }
        if (errno == ENOENT) return 0;
        if (errno == EROFS || errno == EBUSY || errno == EACCES || errno == EPERM || errno == EXDEV)
            return move_inside(folder, err);
        return (int)err_set_errno(err, errno, "move %s to %s", folder, to);
    }
    return (int)err_set(err, ERR_EXISTS, "%s.aside-1 to -999 are there already: remove some", folder);
}

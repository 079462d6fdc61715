#include "node/http/local.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCAL_BACKLOG = 16 };

static int bind_to(int fd, const struct sockaddr_un *address, struct err *err)
{
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0) return 0;
    return (int)err_set_errno(err, errno, "management.socket = %s", address->sun_path);
}

/* Somebody answers there: it is not ours to take away. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (fd >= 0) close(fd);
    return alive;
}

/* /run is empty after each start of the machine; a service manager usually has made it. */
static void make_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    if (*folder) mkdir(folder, 0750);
}

int local_listen(const char *path, int *out, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat found;
    if (*path != '/' || strlen(path) >= sizeof address.sun_path)
        return (int)err_set(err, ERR_INVALID, "management.socket = %s: give a whole path of at most %zu bytes", path,
                            sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path));
    if (lstat(path, &found) == 0) {
        if (!S_ISSOCK(found.st_mode) || is_alive(&address))
            return (int)err_set(err, ERR_EXISTS, "management.socket = %s: %s", path,
                                S_ISSOCK(found.st_mode) ? "another process listens there" : "it is no socket");
        unlink(path);
    }
    make_folder(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return (int)err_set_errno(err, errno, "management.socket");
    fchmod(fd, 0600); /* before it has a name: there is no moment at which others could come in */
    int code = bind_to(fd, &address, err);
    if (!code && listen(fd, LOCAL_BACKLOG)) code = (int)err_set_errno(err, errno, "management.socket = %s", path);
    if (code) close(fd);
    else *out = fd;
    return code;
}

bool local_is_ours(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == 0 || peer.uid == geteuid());
}

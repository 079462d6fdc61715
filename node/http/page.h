/* The management page: files that the build puts into the program (page/), so that it needs no folder and no internet.
 * Constant. */
#ifndef WARREN_NODE_HTTP_PAGE_H
#define WARREN_NODE_HTTP_PAGE_H

#include <stddef.h>

struct page_file {
    const char *name, *type;
    const unsigned char *bytes;
    size_t size;
};
extern const struct page_file page_files[];
extern const size_t page_file_count;

#endif

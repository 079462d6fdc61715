/* GET /, /page/NAME, and /cli/rabbitmqadmin. The page itself needs no credentials: it asks for them, and sends
 * them with each call. */
#include "node/http/page.h"

#include "node/http/http_internal.h"

static void answer_file(struct answer *a, struct slice name)
{
    for (size_t i = 0; i < page_file_count; i++) {
        const struct page_file *file = &page_files[i];
        if (!slice_is(name, file->name)) continue;
        a->content_type = file->type;
        a->page = true;
        buf_put(&a->body, file->bytes, file->size);
        return;
    }
    answer_not_found(a);
}

void page_index_get(struct request *r, struct answer *a)
{
    (void)r;
    answer_file(a, slice_str("index.html"));
}

void page_file_get(struct request *r, struct answer *a)
{
    answer_file(a, r->captures[0]);
}

void api_cli_index(struct request *r, struct answer *a)
{
    (void)r;
    answer_file(a, slice_str("cli.html"));
}

void api_rabbitmqadmin(struct request *r, struct answer *a)
{
    (void)r;
    answer_file(a, slice_str("rabbitmqadmin.py"));
}

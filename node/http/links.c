/* /api/shovels and /api/federation-links: what the runners of all nodes tell of their links (struct http_links). */
#include <stdio.h>

#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/items.h"
#include "node/http/peers.h"

static const struct http_links *links_of(struct http *h)
{
    return atomic_load(&h->links);
}

json_t *links_here(struct http *h)
{
    const struct http_links *links = links_of(h);
    struct buf text = {0};
    if (links) links->status(links->self, &text);
    json_t *array = text.size ? json_loadb((const char *)text.data, text.size, 0, NULL) : NULL;
    buf_close(&text);
    if (!json_is_array(array)) {
        json_decref(array);
        array = json_array();
    }
    for (size_t i = 0; i < json_array_size(array); i++)
        json_put(json_array_get(array, i), "node", json_string(node_settings(h->params.node)->name));
    return array;
}

void link_restart_here(struct http *h, struct slice kind, struct slice vhost, struct slice name, struct slice upstream)
{
    const struct http_links *links = links_of(h);
    const struct slice given[] = {kind, vhost, name, upstream};
    char *words[4];
    for (size_t i = 0; i < 4; i++)
        words[i] = mem_strndup(given[i].data ? (const char *)given[i].data : "", given[i].size);
    if (links) links->restart(links->self, words[0], words[1], words[2], words[3]);
    for (size_t i = 0; i < 4; i++) mem_free(words[i]);
}

/* A federation link says which upstream it has. */
static bool is_federation(const json_t *link)
{
    return json_object_get(link, "upstream") != NULL;
}

static json_t *links_seen(struct request *r, bool federation)
{
    json_t *all = peers_list(r->http->peers, links_here(r->http), "links");
    for (size_t i = json_array_size(all); i-- > 0;) {
        json_t *link = json_array_get(all, i);
        const json_t *vhost = json_object_get(link, "vhost");
        if (is_federation(link) != federation || (vhost && !caller_sees(r, slice_json(vhost))))
            json_array_remove(all, i);
    }
    return all;
}

/* --- shovels --- */

void api_shovels_list(struct request *r, struct answer *a)
{
    if (!r->captures[0].data || vhost_answer(r, r->captures[0], a))
        listing_answer_all(r, listing_keep(links_seen(r, false), NULL, "vhost", r->captures[0]), "vhost,name", a);
}

void api_shovel_get(struct request *r, struct answer *a)
{
    json_t *found =
        listing_keep(listing_keep(links_seen(r, false), NULL, "vhost", r->captures[0]), NULL, "name", r->captures[1]);
    if (json_array_size(found)) answer_json(a, json_incref(json_array_get(found, 0)));
    else answer_not_found(a);
    json_decref(found);
}

/* Its parameter goes, and with it the shovel. */
void api_shovel_delete(struct request *r, struct answer *a)
{
    struct item_name name = {REGISTRY_PARAMETER, r->captures[0], slice_str("shovel"), r->captures[1]};
    if (vhost_answer(r, r->captures[0], a)) item_delete(r, name, a);
}

/* --- both --- */

/* On all nodes: the one that runs it heeds. */
static void restart(struct request *r, const char *kind, struct slice vhost, struct slice name, struct slice upstream)
{
    struct buf question = {0};
    link_restart_here(r->http, slice_str(kind), vhost, name, upstream);
    buf_printf(&question, "restart\n%s\n%.*s\n%.*s\n%.*s", kind, (int)vhost.size, (const char *)vhost.data,
               (int)name.size, (const char *)name.data, (int)upstream.size, (const char *)upstream.data);
    buf_put_u8(&question, 0);
    json_decref(peers_ask(r->http->peers, (const char *)question.data));
    buf_close(&question);
}

void api_shovel_restart(struct request *r, struct answer *a)
{
    json_t *found =
        listing_keep(listing_keep(links_seen(r, false), NULL, "vhost", r->captures[0]), NULL, "name", r->captures[1]);
    if (json_array_size(found)) {
        restart(r, "shovel", r->captures[0], r->captures[1], (struct slice){0});
        answer_done(a, false);
    } else {
        answer_not_found(a);
    }
    json_decref(found);
}

/* --- federation --- */

void api_federation_links_list(struct request *r, struct answer *a)
{
    if (!r->captures[0].data || vhost_answer(r, r->captures[0], a))
        listing_answer_all(r, listing_keep(links_seen(r, true), NULL, "vhost", r->captures[0]), "vhost,name", a);
}

void api_federation_links_down(struct request *r, struct answer *a)
{
    if (r->captures[0].data && !vhost_answer(r, r->captures[0], a)) return;
    json_t *links = listing_keep(links_seen(r, true), NULL, "vhost", r->captures[0]);
    for (size_t i = json_array_size(links); i-- > 0;)
        if (slice_is(slice_json(json_object_get(json_array_get(links, i), "status")), "running"))
            json_array_remove(links, i);
    listing_answer_all(r, links, "vhost,name", a);
}

/* {vhost} {id} {node} */
void api_federation_link_restart(struct request *r, struct answer *a)
{
    json_t *found =
        listing_keep(listing_keep(links_seen(r, true), NULL, "vhost", r->captures[0]), NULL, "id", r->captures[1]);
    if (json_array_size(found)) {
        const json_t *link = json_array_get(found, 0);
        const char *type =
            json_string_value(json_object_get(link, "type")); /* and the name is the member of that name */
        restart(r, "federation", r->captures[0], slice_json(json_object_get(link, type ? type : "name")),
                slice_json(json_object_get(link, "upstream")));
        answer_done(a, false);
    } else {
        answer_not_found(a);
    }
    json_decref(found);
}

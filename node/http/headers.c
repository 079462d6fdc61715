/* What answers carry in their heads: policies that the configuration sets, and CORS. */
#include <microhttpd.h>
#include <stdio.h>

#include "config/config.h"
#include "node/http/http_internal.h"

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    if (*value) MHD_add_response_header(response, name, value);
}

/* The caller's origin, if pages from there are let in; else NULL. */
static const char *origin_let_in(const struct request *r)
{
    const struct config_management *m = r->http->params.management;
    const char *origin = request_header(r, "Origin");
    for (int i = 0; origin && i < CONFIG_CORS_MAX; i++)
        if (!strcmp(m->cors_origins[i], origin) || !strcmp(m->cors_origins[i], "*")) return origin;
    return NULL;
}

/* Also a preflight's answer: OPTIONS says which methods and headers a page may send. */
static void add_cors(const struct request *r, const struct answer *a, struct MHD_Response *response)
{
    char age[24];
    const char *origin = origin_let_in(r), *wanted = request_header(r, "Access-Control-Request-Headers");
    MHD_add_response_header(response, "Vary", "Origin");
    if (!origin) return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
    MHD_add_response_header(response, "Access-Control-Allow-Credentials", "true");
    MHD_add_response_header(response, "Access-Control-Expose-Headers", "Location");
    if (!a->allow) return;
    MHD_add_response_header(response, "Access-Control-Allow-Methods", a->allow);
    if (wanted) MHD_add_response_header(response, "Access-Control-Allow-Headers", wanted);
    snprintf(age, sizeof age, "%lld", (long long)r->http->params.management->cors_max_age_s);
    MHD_add_response_header(response, "Access-Control-Max-Age", age);
}

void headers_add(const struct request *r, const struct answer *a, struct MHD_Response *response)
{
    const struct config_management *m = r->http->params.management;
    if (a->body.size || a->stream.self) MHD_add_response_header(response, "Content-Type", a->content_type);
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    add(response, "X-Content-Type-Options", m->content_type_options);
    add(response, "X-Frame-Options", m->frame_options);
    add(response, "X-XSS-Protection", m->xss_protection);
    add(response, "Strict-Transport-Security", m->hsts);
    if (a->page) {
        add(response, "Content-Security-Policy", m->csp);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    }
    if (a->location) MHD_add_response_header(response, "Location", a->location);
    if (a->allow) MHD_add_response_header(response, "Allow", a->allow);
    if (a->challenge) MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"Warren Management\"");
    if (*m->cors_origins[1]) add_cors(r, a, response);
}

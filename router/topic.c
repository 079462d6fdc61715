/* Topic matching: a trie over the words of the binding keys. `*` is one word, `#` none or more, an empty key has no
 * word.
 *
 * A match walks all ways through the trie at once: after each word of the key it holds the set of nodes that are
 * reached, each once. So its cost is bounded by the words of the key times the nodes met, whatever patterns a client
 * binds; one way after the other would be exponential for `#.a.#.a.#.a...`. Source: AMQP 0-9-1 section 3.1.3.3;
 * RabbitMQ for the empty key. */
#include "router/route.h"
#include "router/topology_internal.h"

struct topic_node {
    struct slice word; /* owned; "*" and "#" among them */
    struct map_str children;
    struct binding_record *bindings; /* chained by same_key, the youngest first */
    uint64_t step;                   /* the step of a match that reached it last */
};

struct topic_set {
    struct topic_node **nodes;
    size_t count, capacity;
};

struct topic_index {
    struct topic_node root;
    struct topic_set now, next; /* of the match under way; kept for the next one */
    uint64_t step;
};

/* Takes the next word off `rest`; false when nothing is left. */
static bool next_word(struct slice *rest, struct slice *word)
{
    if (!rest->data) return false;
    const uint8_t *dot = rest->size ? memchr(rest->data, '.', rest->size) : NULL;
    if (dot) {
        *word = slice_of(rest->data, (size_t)(dot - rest->data));
        *rest = slice_of(dot + 1, rest->size - word->size - 1);
    } else {
        *word = *rest;
        *rest = (struct slice){0};
    }
    return true;
}

static struct slice words_of(struct slice key)
{
    return key.size ? key : (struct slice){0};
}

/* --- the trie --- */

static struct topic_node *child(struct topic_node *node, struct slice word)
{
    struct topic_node *found = map_str_get(&node->children, word);
    if (found) return found;
    found = mem_zalloc(sizeof *found);
    found->word = slice_keep(word);
    map_str_guard(&found->children);
    map_str_set(&node->children, found->word, found);
    return found;
}

void topic_insert(struct topic_index **index, struct binding_record *b)
{
    if (!*index) {
        *index = mem_zalloc(sizeof **index);
        map_str_guard(&(*index)->root.children);
    }
    struct topic_node *node = &(*index)->root;
    struct slice rest = words_of(b->routing_key), word;
    while (next_word(&rest, &word)) node = child(node, word);
    same_key_insert(b, NULL, node->bindings);
    node->bindings = b;
}

/* True: the node became empty. */
static bool remove_below(struct topic_node *node, struct slice rest, struct binding_record *b)
{
    struct slice word;
    if (next_word(&rest, &word)) {
        struct topic_node *next = map_str_get(&node->children, word);
        if (remove_below(next, rest, b)) {
            map_str_remove(&node->children, next->word);
            map_str_close(&next->children);
            slice_drop(next->word);
            mem_free(next);
        }
    } else {
        if (node->bindings == b) node->bindings = b->same_key;
        same_key_remove(b);
    }
    return !node->bindings && !node->children.count;
}

void topic_remove(struct topic_index **index, struct binding_record *b)
{
    if (!remove_below(&(*index)->root, words_of(b->routing_key), b)) return;
    topic_free(*index);
    *index = NULL;
}

static void free_below(struct topic_node *node)
{
    size_t at = 0;
    struct topic_node *next;
    while ((next = map_str_next(&node->children, &at, NULL))) {
        free_below(next);
        slice_drop(next->word);
        mem_free(next);
    }
    map_str_close(&node->children);
}

void topic_free(struct topic_index *index)
{
    if (!index) return;
    free_below(&index->root);
    mem_free(index->now.nodes);
    mem_free(index->next.nodes);
    mem_free(index);
}

/* --- matching --- */

/* Adds a node to the set of this step, and the `#` behind it: that may take no word at all. */
static void reach(struct topic_set *set, uint64_t step, struct topic_node *node)
{
    for (; node && node->step != step; node = map_str_get(&node->children, slice_str("#"))) {
        node->step = step;
        set->nodes = mem_grow(set->nodes, &set->capacity, set->count + 1, sizeof *set->nodes);
        set->nodes[set->count++] = node;
    }
}

void topic_match(struct topic_index *index, struct slice key, void (*each)(void *arg, struct binding_record *b),
                 void *arg)
{
    if (!index) return;
    struct slice rest = words_of(key), word;
    struct topic_set *now = &index->now, *next = &index->next;
    now->count = 0;
    reach(now, ++index->step, &index->root);
    while (now->count && next_word(&rest, &word)) {
        next->count = 0;
        index->step++;
        for (size_t i = 0; i < now->count; i++) {
            struct topic_node *node = now->nodes[i];
            if (slice_is(node->word, "#")) reach(next, index->step, node); /* it takes this word too */
            reach(next, index->step, map_str_get(&node->children, slice_str("*")));
            reach(next, index->step, map_str_get(&node->children, word));
        }
        struct topic_set *other = now;
        now = next;
        next = other;
    }
    for (size_t i = 0; i < now->count; i++)
        for (struct binding_record *b = now->nodes[i]->bindings; b; b = b->same_key) each(arg, b);
}

/* When the words differ, the last `#` takes one more: earlier ones need not be tried again. */
bool route_topic_matches(struct slice pattern, struct slice routing_key)
{
    struct slice wanted = words_of(pattern), given = words_of(routing_key), word, key_word;
    struct slice wanted_again = {0}, given_again = {0};
    bool hash = false;
    for (;;) {
        struct slice wanted_after = wanted, given_after = given;
        bool more_wanted = next_word(&wanted_after, &word);
        if (more_wanted && slice_is(word, "#")) {
            hash = true;
            wanted = wanted_again = wanted_after;
            given_again = given;
            continue;
        }
        bool more_given = next_word(&given_after, &key_word);
        if (!more_wanted && !more_given) return true;
        if (more_wanted && more_given && (slice_is(word, "*") || slice_equal(word, key_word))) {
            wanted = wanted_after;
            given = given_after;
            continue;
        }
        if (!hash || !next_word(&given_again, &key_word)) return false;
        wanted = wanted_again;
        given = given_again;
    }
}

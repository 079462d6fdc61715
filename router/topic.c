/* Topic matching: a trie over the words of the binding keys. `*` is one word, `#` none or more. The cost of a match
 * grows with the words of the key and the wildcards met, not with the number of bindings. */
#include "router/route.h"
#include "router/topology_internal.h"

struct topic_node {
    struct slice word; /* owned; "*" and "#" among them */
    struct map_str children;
    struct binding_record *bindings; /* chained by same_key */
};

/* Takes the next word off `rest`; false when nothing is left. An empty key is one empty word. */
static bool next_word(struct slice *rest, struct slice *word)
{
    if (!rest->data) return false;
    const uint8_t *dot = rest->size ? memchr(rest->data, '.', rest->size) : NULL;
    if (dot) {
        *word = slice_of(rest->data, (size_t)(dot - rest->data));
        *rest = slice_of(dot + 1, rest->size - word->size - 1);
    } else {
        *word = *rest;
        rest->data = NULL;
        rest->size = 0;
    }
    return true;
}

static struct slice whole(struct slice key)
{
    return key.data ? key : slice_str("");
}

static struct topic_node *child(struct topic_node *node, struct slice word)
{
    struct topic_node *found = map_str_get(&node->children, word);
    if (found) return found;
    found = mem_zalloc(sizeof *found);
    found->word = slice_keep(word);
    map_str_set(&node->children, found->word, found);
    return found;
}

void topic_insert(struct topic_node **root, struct binding_record *b)
{
    if (!*root) *root = mem_zalloc(sizeof **root);
    struct topic_node *node = *root;
    struct slice rest = whole(b->routing_key), word;
    while (next_word(&rest, &word)) node = child(node, word);
    b->same_key = node->bindings;
    node->bindings = b;
}

static void free_node(struct topic_node *node)
{
    map_str_close(&node->children);
    slice_drop(node->word);
    mem_free(node);
}

/* True: the node became empty and is gone. */
static bool remove_below(struct topic_node *node, struct slice rest, struct binding_record *b)
{
    struct slice word;
    if (next_word(&rest, &word)) {
        struct topic_node *next = map_str_get(&node->children, word);
        if (remove_below(next, rest, b)) {
            map_str_remove(&node->children, next->word);
            free_node(next);
        }
    } else {
        struct binding_record **at = &node->bindings;
        while (*at != b) at = &(*at)->same_key;
        *at = b->same_key;
    }
    return !node->bindings && !node->children.count;
}

void topic_remove(struct topic_node **root, struct binding_record *b)
{
    if (!remove_below(*root, whole(b->routing_key), b)) return;
    free_node(*root);
    *root = NULL;
}

void topic_free(struct topic_node *root)
{
    if (!root) return;
    size_t at = 0;
    struct topic_node *node;
    while ((node = map_str_next(&root->children, &at, NULL))) topic_free(node);
    free_node(root);
}

static void match(struct topic_node *node, struct slice rest, void (*each)(void *, struct binding_record *), void *arg)
{
    struct slice word, after = rest;
    struct topic_node *hash = map_str_get(&node->children, slice_str("#"));
    if (hash) /* `#` takes none, one, two ... of the words that are left */
        for (struct slice left = rest;;) {
            match(hash, left, each, arg);
            if (!next_word(&left, &word)) break;
        }
    if (!next_word(&after, &word)) {
        for (struct binding_record *b = node->bindings; b; b = b->same_key) each(arg, b);
        return;
    }
    struct topic_node *star = map_str_get(&node->children, slice_str("*"));
    if (star) match(star, after, each, arg);
    if (slice_is(word, "*") || slice_is(word, "#"))
        return; /* a key's own star is a word like others, but it was met above */
    struct topic_node *same = map_str_get(&node->children, word);
    if (same) match(same, after, each, arg);
}

void topic_match(struct topic_node *root, struct slice key, void (*each)(void *arg, struct binding_record *b),
                 void *arg)
{
    if (root) match(root, whole(key), each, arg);
}

static bool matches(struct slice pattern, struct slice key)
{
    struct slice word, key_word, pattern_after = pattern, key_after = key;
    if (!next_word(&pattern_after, &word)) return !next_word(&key_after, &key_word);
    if (slice_is(word, "#"))
        for (;;) {
            if (matches(pattern_after, key)) return true;
            if (!next_word(&key, &key_word)) return false;
        }
    if (!next_word(&key_after, &key_word)) return false;
    return (slice_is(word, "*") || slice_equal(word, key_word)) && matches(pattern_after, key_after);
}

bool route_topic_matches(struct slice pattern, struct slice routing_key)
{
    return matches(whole(pattern), whole(routing_key));
}

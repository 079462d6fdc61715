/* An intrusive, circular, doubly linked list: the link lives in the item, the head is a link of its own. */
#ifndef WARREN_BASE_LIST_H
#define WARREN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

#define LIST_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))
#define LIST_FOR(head, link) for (struct list *link = (head)->next; link != (head); link = link->next)
/* The item under `link` may be removed in the body. */
#define LIST_FOR_SAFE(head, link)                                                     \
    for (struct list *link = (head)->next, *link##_next = link->next; link != (head); \
         link = link##_next, link##_next = link->next)

static inline void list_init(struct list *head)
{
    head->next = head->previous = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
    link->next = at;
    link->previous = at->previous;
    at->previous->next = link;
    at->previous = link;
}

static inline void list_append(struct list *head, struct list *link)
{
    list_insert_before(head, link);
}

static inline void list_prepend(struct list *head, struct list *link)
{
    list_insert_before(head->next, link);
}

/* Safe on a link that is in no list, if it was list_init()ed. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

#endif

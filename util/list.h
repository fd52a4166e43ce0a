/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Intrusive doubly linked list. A `struct list` is both the head and the link; an unlinked link
 * points to itself, so list_unlink() may be called twice.
 */

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(name) { &(name), &(name) }

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Links @l at the tail of the list headed by @head. */
static inline void list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_prepend(struct list *head, struct list *l)
{
	list_append(head->next, l);
}

static inline void list_unlink(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

static inline struct list *list_first(const struct list *head)
{
	return head->next == head ? NULL : head->next;
}

#define list_entry(link, type, member) container_of(link, type, member)

/* Safe against unlinking of the current entry, not of its successor. */
#define list_for_each(pos, head)                                                                   \
	for (struct list *pos = (head)->next, *pos##_next_ = pos->next; pos != (head);             \
	     pos = pos##_next_, pos##_next_ = pos->next)

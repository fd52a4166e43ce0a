/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two queues of this kind are all that the two threads share in the ordinary course of things.
 *
 * The eventfd is written for the first item and read when the last one went. Who adds many items
 * writes it once, and after giving up the lock, since the write may let the other thread run at once.
 * So the last item may be gone before the write: then there is nothing to read yet, `told` stays, and
 * whoever takes is woken once for nothing. An item is never left without a write, done or to come.
 */

#include "daemon/pager/queue.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/cleanup.h"

struct job *job_new(const struct pager_job *from)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	pthread_mutex_init(&job->lock, NULL);
	list_init(&job->link);
	list_init(&job->registered);
	job->job = *from;
	if (from->type != PAGER_SPACE_ATTACH && from->type != PAGER_OBJECT_OPEN)
		job->job.fd = -1; /* means nothing there, and is not ours */
	job->done = calloc(1, sizeof(*job->done));
	if (from->type == PAGER_COMMIT)
		job->committed = calloc(1, sizeof(*job->committed));
	if (!job->done || (from->type == PAGER_COMMIT && !job->committed)) {
		job->job.fd = -1;
		return job_free(job);
	}
	job->done->event = (struct pager_event){
		.type = PAGER_EVENT_DONE,
		.job = from->type,
		.tag = from->tag,
		.space = from->space,
		.window = from->window,
		.fd = -1,
		.quarantine_fd = -1,
	};
	return job;
}

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	fd_close(job->job.fd);
	free(job->done);
	free(job->committed);
	free(job->machine);
	pthread_mutex_destroy(&job->lock);
	free(job);
	return NULL;
}

int queue_init(struct queue *queue)
{
	queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->fd < 0)
		return -errno;
	pthread_mutex_init(&queue->lock, NULL);
	list_init(&queue->items);
	return 0;
}

void queue_deinit(struct queue *queue)
{
	fd_close(queue->fd);
	pthread_mutex_destroy(&queue->lock);
}

void queue_push(struct queue *queue, struct list *link)
{
	const uint64_t one = 1;
	ssize_t r = 0;

	/* under the lock: what the queue is in may be freed once the item was taken */
	pthread_mutex_lock(&queue->lock);
	list_append(&queue->items, link);
	if (!queue->told)
		r = write(queue->fd, &one, sizeof(one));
	queue->told = true;
	pthread_mutex_unlock(&queue->lock);
	(void)r; /* a counter of 0 takes 1 */
}

void queue_add(struct queue *queue, struct list *link)
{
	pthread_mutex_lock(&queue->lock);
	list_append(&queue->items, link);
	pthread_mutex_unlock(&queue->lock);
}

void queue_wake(struct queue *queue)
{
	const uint64_t one = 1;
	ssize_t r = 0;
	bool due;

	pthread_mutex_lock(&queue->lock);
	due = !queue->told && !list_empty(&queue->items);
	queue->told |= due;
	pthread_mutex_unlock(&queue->lock);
	if (due)
		r = write(queue->fd, &one, sizeof(one));
	(void)r;
}

struct list *queue_pop(struct queue *queue)
{
	struct list *link;
	uint64_t count;

	pthread_mutex_lock(&queue->lock);
	link = list_first(&queue->items);
	if (link)
		list_unlink(link);
	if (queue->told && list_empty(&queue->items))
		queue->told = read(queue->fd, &count, sizeof(count)) < 0;
	pthread_mutex_unlock(&queue->lock);
	return link;
}

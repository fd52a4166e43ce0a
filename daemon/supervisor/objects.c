/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects: one for each inode, however it was named.
 *
 * Device and inode identify it for as long as our own descriptor keeps the inode alive, so two names
 * of a file, or a name and a descriptor, meet in the same seals. There is one description for all of
 * them, opened before the file is guarded: what is done through it makes no events, and it is what
 * a lease is on. One that could only be opened for reading (a program) is replaced when somebody has
 * proved the right to write.
 *
 * What an export says about time holds for its file however it was named first: or whoever can open the
 * file could come before the export does, and have breakers wait as long as the defaults allow. Of two
 * exports it is the first one's; but where one is strict it is for whoever comes through it, and so for
 * all from then on.
 *
 * The pager knows up to two objects for one of ours, one to fill READ windows from, and, once there is
 * a writer, one for WRITE windows. They never serve the same bytes at the same time.
 *
 * An object lives as long as a window, a request or its creator refers to it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/authority/authority.h"
#include "daemon/authority/export.h"
#include "daemon/supervisor/wiring.h"

static struct list *bucket(struct supervisor *s, dev_t dev, ino_t ino)
{
	uint64_t mix = (ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return &s->inodes[mix >> 40 & (INODE_BUCKETS - 1)];
}

struct object *object_find(const struct supervisor *s, uint64_t id)
{
	struct idmap_node *n = idmap_find(&s->objects, id);

	return n ? container_of(n, struct object, node) : NULL;
}

void object_ref(struct object *object)
{
	object->refs++;
}

static void object_free(struct supervisor *s, struct object *object)
{
	guards_disarm(s, object);
	for (int write = 0; write < 2; write++) {
		struct pager_job job = {
			.type = PAGER_OBJECT_CLOSE,
			.object = object_in_pager(object, write),
			.fd = -1,
		};

		if (object->in_pager[write])
			job_submit_must(s, &(struct job){ 0 }, &job);
	}
	visibility_forget_object(s, object);
	if (object->node.id) {
		core_object_drop(s->core, object->node.id);
		idmap_remove(&s->objects, &object->node);
	}
	list_unlink(&object->inode_link);
	list_unlink(&object->creator_link);
	quota_refund(&object->memory);
	quota_refund(&object->place);
	fd_close(object->fd);
	free(object->name);
	free(object);
}

void object_unref(struct supervisor *s, struct object *object)
{
	if (--object->refs == 0)
		object_free(s, object);
}

uint64_t object_refresh(struct supervisor *s, struct object *object)
{
	struct stat st;

	if (fstat(object->fd, &st) < 0 || (uint64_t)st.st_size == object->size)
		return object->size;
	object->size = (uint64_t)st.st_size;
	core_object_resized(s->core, object->node.id, object->size);
	for (int write = 0; write < 2; write++) {
		struct pager_job job = {
			.type = PAGER_OBJECT_RESIZED,
			.object = object_in_pager(object, write),
			.end = object->size,
			.fd = -1,
		};

		if (object->in_pager[write])
			job_submit_must(s, &(struct job){ 0 }, &job);
	}
	return object->size;
}

uint64_t object_in_pager(const struct object *object, bool write)
{
	return object->node.id << 1 | write;
}

int object_to_pager(struct supervisor *s, struct object *object, bool write)
{
	struct pager_job job = {
		.type = PAGER_OBJECT_OPEN,
		.object = object_in_pager(object, write),
		.end = object->size,
		.writable = write,
		.anonymous = object->anonymous,
	};
	int r;

	if (object->in_pager[write])
		return 0;
	job.fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 3);
	if (job.fd < 0)
		return -errno;
	r = job_submit(s, &(struct job){ 0 }, &job);
	if (r < 0)
		fd_close(job.fd);
	object->in_pager[write] = r == 0;
	return r;
}

/* ---- new ones --------------------------------------------------------------------------- */

static int object_new(struct supervisor *s, const struct stat *st, const char *name,
		      const struct core_policy *policy, bool anonymous, struct object **ret)
{
	struct object *object = calloc(1, sizeof(*object));
	struct core_object_info info = {
		.device = anonymous ? 0 : st->st_dev,
		.size = (uint64_t)st->st_size,
		.policy = *policy,
	};
	uint64_t id;

	if (!object)
		return -ENOMEM;
	object->fd = -1;
	object->refs = 1;
	object->dev = st->st_dev;
	object->ino = st->st_ino;
	object->size = info.size;
	object->policy = *policy;
	object->anonymous = anonymous;
	list_init(&object->inode_link);
	list_init(&object->creator_link);
	list_init(&object->proofs);
	list_init(&object->naming);
	object->name = strdup(name);
	if (!object->name || core_object_add(s->core, &info, &id) != 0) {
		object_free(s, object);
		return -ENOMEM;
	}
	proto_str_clean(object->name);
	idmap_insert(&s->objects, &object->node, id);
	list_append(bucket(s, st->st_dev, st->st_ino), &object->inode_link);
	*ret = object;
	return 0;
}

struct object *object_find_inode(struct supervisor *s, dev_t dev, ino_t ino)
{
	list_for_each (l, bucket(s, dev, ino)) {
		struct object *object = list_entry(l, struct object, inode_link);

		if (object->dev == dev && object->ino == ino)
			return object;
	}
	return NULL;
}

static void adopt(struct supervisor *s, struct object *object, const char *name,
		  const struct export *export)
{
	bool exported = object->exported, strict, hold_opens;
	char *copy;

	if (!export)
		return;
	strict = object->strict || export->strict;
	hold_opens = object->hold_opens || export->opens == EXPORT_OPENS_HOLD;
	if (exported && strict == object->strict && hold_opens == object->hold_opens)
		return;
	object->exported = true;
	object->strict = strict;
	object->hold_opens = hold_opens;
	if (!exported) {
		object->policy = export->policy;
		guards_bound_policy(s, object, &object->policy);
		core_object_policy(s->core, object->node.id, &object->policy);
	}
	/* Or it stays as it was. A lease knows no policy, and to take it anew would let go who waits. */
	if (object->guard == GUARD_FANOTIFY)
		guards_renew(s, object, object->fd);
	copy = exported ? NULL : strdup(name);
	if (!copy)
		return; /* then it is called as it was */
	free(object->name);
	object->name = copy;
	proto_str_clean(object->name);
}

struct object *object_known(struct supervisor *s, const struct authority_same *same, bool writable,
			    const char *name, const struct export *export)
{
	struct object *object = object_find_inode(s, same->dev, same->ino);

	if (!object || object->anonymous || (writable && !object->writable))
		return NULL;
	object_ref(object);
	adopt(s, object, name, export);
	return object;
}

static int take_description(struct supervisor *s, struct object *object, struct authority_file *file)
{
	int r;

	if (object->fd >= 0 && (!file->writable || object->writable))
		return 0;
	r = guards_renew(s, object, file->fd);
	if (r < 0)
		return r;
	fd_close(object->fd);
	object->fd = take_fd(&file->fd);
	object->writable = file->writable;
	return 0;
}

int object_get(struct supervisor *s, struct authority_file *file, const char *name,
	       const struct export *export, struct object **ret, struct refusal *refusal)
{
	struct object *object;
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return refuse_errno(refusal, PROTO_E_IO, errno, "the file can't be looked at");
	object = object_find_inode(s, st.st_dev, st.st_ino);
	if (object) {
		object_ref(object);
	} else if (object_new(s, &st, name, supervisor_policy(s), false, &object) < 0) {
		return refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	adopt(s, object, name, export);
	if (take_description(s, object, file) < 0) {
		object_unref(s, object);
		return refuse(refusal, PROTO_E_NO_MEMORY, "the file can't be guarded anew");
	}
	*ret = object;
	return 0;
}

/* ---- anonymous ones --------------------------------------------------------------------- */

static int make_memory(uint64_t size)
{
	_cleanup_fd_ int fd = memfd_create("mapseal-object", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

int object_create(struct supervisor *s, struct client *client, uint64_t size, struct object **ret,
		  struct refusal *refusal)
{
	struct quota_charge charge, place;
	_cleanup_fd_ int fd = -1;
	struct object *object;
	char name[64];
	struct stat st;

	if (size == 0 || size > INT64_MAX - page_up(1))
		return refuse(refusal, PROTO_E_BAD_RANGE, "%" PRIu64 " bytes are no size", size);
	if (quota_charge(client->user, QUOTA_WINDOW_BYTES, page_up(size), &charge) != 0)
		return refuse(refusal, PROTO_E_QUOTA,
			      "uid %u has %" PRIu64 " of %" PRIu64 " bytes of windows; %" PRIu64
			      " more are too many",
			      client->uid, quota_used(client->user, QUOTA_WINDOW_BYTES),
			      quota_limit(client->user, QUOTA_WINDOW_BYTES), size);
	/* each costs us a descriptor, however small it is */
	if (quota_charge(client->user, QUOTA_SEALS, 1, &place) != 0) {
		quota_refund(&charge);
		return refuse(refusal, PROTO_E_QUOTA,
			      "uid %u has %" PRIu64 " of %" PRIu64
			      " seals, and memory without a file counts as one",
			      client->uid, quota_used(client->user, QUOTA_SEALS),
			      quota_limit(client->user, QUOTA_SEALS));
	}
	fd = make_memory(size);
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    object_new(s, &st, "mem", supervisor_policy(s), true, &object) < 0) {
		quota_refund(&charge);
		quota_refund(&place);
		return refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	object->fd = take_fd(&fd);
	object->writable = true;
	object->owner = client->uid;
	object->memory = charge;
	object->place = place;
	list_append(&client->objects, &object->creator_link);
	snprintf(name, sizeof(name), "mem-%" PRIu64, object->node.id);
	free(object->name);
	object->name = strdup(name);
	if (!object->name) {
		object_unref(s, object);
		return refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	}
	*ret = object;
	return 0;
}

void request_create(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_create *m)
{
	struct proto_message message = { .type = PROTO_CREATED };
	struct object *object;
	struct refusal refusal;

	if (object_create(s, client, m->size, &object, &refusal) != 0) {
		refusal_send(client, serial, &refusal);
		return;
	}
	message.created.object = object->node.id;
	message.created.name = object->name;
	session_reply(client->session, serial, &message, -1);
}

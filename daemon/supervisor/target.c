/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From what a request names to an object, and to what its sender may do there.
 *
 *	a descriptor	proves what its open mode says; no export has a say in it
 *	an export	gives what its rules give, for the range that is asked for
 *	mem-ID		memory without a file: all sessions of the uid that made it, and root's
 *
 * An object is made known to the core only when all of that is settled, and whoever got so far has
 * proved access to it. Opening is the one thing here that may wait for a file system, a local one
 * that the administrator chose, or one that authority/ has found to answer by itself.
 */

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/authority/export.h"
#include "daemon/authority/proof.h"
#include "daemon/config/config.h"
#include "daemon/supervisor/wiring.h"

#define MEMORY_PREFIX "mem-"

static int refuse_authority(struct refusal *refusal, int error, const char *why)
{
	switch (error) {
	case AUTHORITY_E_BAD_DESCRIPTOR:
		return refuse(refusal, PROTO_E_BAD_DESCRIPTOR, "%s", why);
	case AUTHORITY_E_DENIED:
		return refuse(refusal, PROTO_E_DENIED, "%s", why);
	case AUTHORITY_E_UNSUPPORTED:
		return refuse(refusal, PROTO_E_UNSUPPORTED, "%s", why);
	case AUTHORITY_E_UNKNOWN:
		return refuse(refusal, PROTO_E_UNKNOWN_OBJECT, "%s", why);
	case AUTHORITY_E_BUSY:
		return refuse(refusal, PROTO_E_TRY_LATER, "%s", why);
	case AUTHORITY_E_IO:
		return refuse(refusal, PROTO_E_IO, "%s", why);
	default:
		return refuse_errno(refusal, PROTO_E_NO_MEMORY, error, "the file can't be opened");
	}
}

static struct export_caller caller_of(const struct client *client)
{
	const struct peer *peer = &client->session->peer;

	return (struct export_caller){
		.uid = peer->uid,
		.gid = peer->gid,
		.groups = peer->groups,
		.n_groups = peer->n_groups,
	};
}

/* ---- three ways ------------------------------------------------------------------------- */

/* A break writes nothing by itself. */
static bool needs_writing(const struct target_request *request)
{
	return request->write && !request->open_end;
}

static int by_descriptor(struct supervisor *s, struct client *client, int fd,
			 const struct target_request *request, struct target *ret,
			 struct refusal *refusal)
{
	char why[AUTHORITY_WHY_MAX], link[64], name[PATH_MAX];
	struct authority_same same;
	struct authority_file file;
	ssize_t n;
	int r;

	if (!s->config->descriptors)
		return refuse(refusal, PROTO_E_DENIED,
			      "this supervisor lends exports only, not what clients have open");
	if (proof_same_descriptor(s->mounts, fd, client->pid, request->write, &same))
		ret->object = object_known(s, &same, needs_writing(request), NULL, NULL);
	if (ret->object)
		return 0;
	r = proof_check(s->mounts, fd, client->pid, request->write, &file, why, sizeof(why));
	if (r != 0)
		return refuse_authority(refusal, r, why);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file.fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	r = object_get(s, &file, name, NULL, &ret->object, refusal);
	fd_close(file.fd);
	return r;
}

static int by_export(struct supervisor *s, struct client *client, const struct export *export,
		     const char *rest, const struct target_request *request, struct target *ret,
		     struct refusal *refusal)
{
	struct export_caller caller = caller_of(client);
	char why[AUTHORITY_WHY_MAX];
	struct authority_same same;
	struct authority_file file;
	int r = 0;

	if (export_same(export, rest, s->mounts, &caller, request->write, &same))
		ret->object = object_known(s, &same, needs_writing(request), request->name, export);
	if (!ret->object) {
		r = export_open(export, rest, s->mounts, &caller, request->write, &file, why,
				sizeof(why));
		if (r != 0)
			return refuse_authority(refusal, r, why);
		r = object_get(s, &file, request->name, export, &ret->object, refusal);
		fd_close(file.fd);
	}
	/* whoever asks through another export, or with a descriptor, must not do away with it */
	if (r == 0 && export->fence_helper)
		ret->object->fence_helper = export->fence_helper;
	ret->export_quota = s->export_quotas[export - s->config->exports];
	ret->right = 1 + (uint64_t)(export - s->config->exports);
	ret->hard = export->deny;
	ret->discard = export->discard;
	ret->kernel_faults = export_may_fault(export, &caller);
	return r;
}

static int by_memory_name(struct supervisor *s, struct client *client, const char *name,
			  struct target *ret, struct refusal *refusal)
{
	char exact[64];
	struct object *object;
	uint64_t id;

	id = strtoull(name + strlen(MEMORY_PREFIX), NULL, 10);
	snprintf(exact, sizeof(exact), MEMORY_PREFIX "%" PRIu64, id);
	object = object_find(s, id);
	/* no other uid can find out which there are; one that only its closing window holds is gone */
	if (strcmp(exact, name) != 0 || !object || !object->anonymous ||
	    (list_empty(&object->creator_link) && object->n_seals == 0) ||
	    (client->uid != object->owner && client->uid != 0))
		return refuse(refusal, PROTO_E_UNKNOWN_OBJECT, "there is no memory \"%.64s\"", name);
	object_ref(object);
	ret->object = object;
	return 0;
}

/* ---- what it names ---------------------------------------------------------------------- */

static int find(struct supervisor *s, struct client *client, const struct target_request *request,
		const struct export **ret_export, struct target *ret, struct refusal *refusal)
{
	const struct config *config = s->config;
	char why[AUTHORITY_WHY_MAX];
	const char *rest;
	int fd, r;

	if (request->name[0] == '\0') {
		fd = request->fds->fds[0];
		if (fd < 0)
			return refuse(refusal, PROTO_E_UNKNOWN_OBJECT,
				      "neither an object is named nor a descriptor passed");
		return by_descriptor(s, client, fd, request, ret, refusal);
	}
	if (request->fds->n > 0)
		return refuse(refusal, PROTO_E_BAD_DESCRIPTOR,
			      "an object is named and a descriptor passed; one of them is meant");
	if (strncmp(request->name, MEMORY_PREFIX, strlen(MEMORY_PREFIX)) == 0)
		return by_memory_name(s, client, request->name, ret, refusal);
	r = export_find(config->exports, config->n_exports, request->name, ret_export, &rest, why,
			sizeof(why));
	if (r != 0)
		return refuse_authority(refusal, r, why);
	return by_export(s, client, *ret_export, rest, request, ret, refusal);
}

int target_resolve(struct supervisor *s, struct client *client, const struct target_request *request,
		   struct target *ret, struct refusal *refusal)
{
	const struct export *export = NULL;
	struct export_caller caller = caller_of(client);
	struct target target = { 0 };
	char why[AUTHORITY_WHY_MAX];
	uint64_t size;
	int r;

	r = find(s, client, request, &export, &target, refusal);
	if (r)
		return r;
	size = object_refresh(s, target.object);
	r = bounds_check(size, page_up(1), request, &target.start, &target.end, refusal);
	if (!r && export) {
		r = export_check_range(export, &caller, request->write, target.start, target.end,
				       why, sizeof(why));
		if (r)
			r = refuse_authority(refusal, r, why);
	}
	/* whoever has the file open has all of it, whatever the seal's range is */
	if (!r && export && request->direct &&
	    export_check_range(export, &caller, true, 0, CORE_INFINITY, why, sizeof(why)) != 0)
		r = refuse(refusal, PROTO_E_DENIED,
			   "a DIRECT seal gives an open descriptor of the whole file, and export "
			   "\"%s\" gives uid %u parts of it only; ask for a WINDOW seal",
			   export->name, client->uid);
	if (!r && visibility_prove(s, client, target.object) < 0)
		r = refuse(refusal, PROTO_E_NO_MEMORY, "the supervisor is out of memory");
	if (r) {
		object_unref(s, target.object);
		return r;
	}
	*ret = target;
	return 0;
}

/* ---- the userfaultfd device ------------------------------------------------------------- */

int target_lends_device(struct supervisor *s, struct client *client, const char *name,
			struct refusal *refusal)
{
	struct export_caller caller = caller_of(client);
	char why[AUTHORITY_WHY_MAX];
	const struct export *export;
	const char *rest;
	int r;

	r = export_find(s->config->exports, s->config->n_exports, name, &export, &rest, why,
			sizeof(why));
	if (r != 0)
		return refuse_authority(refusal, r, why);
	if (!export_may_fault(export, &caller))
		return refuse(refusal, PROTO_E_NEEDS_KERNEL_FAULTS,
			      "export \"%s\" does not grant kernel-faults to uid %u", export->name,
			      client->uid);
	return 0;
}

bool target_any_device(struct supervisor *s)
{
	for (size_t i = 0; i < s->config->n_exports; i++)
		if (s->config->exports[i].n_kernel_faults > 0)
			return true;
	return false;
}

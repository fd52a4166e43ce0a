/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Exports: files, and directories of files, that the administrator lends by name.
 *
 * An object is named EXPORT, or EXPORT/PATH for a file below a directory export. Who may do what is
 * said per range, and nothing is granted that no rule grants: a WRITE window shows its holder the
 * bytes of its range, but a READ seal is only for those whom `read` names. Root needs no rule.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/authority/authority.h"
#include "daemon/core/core.h"

#define EXPORT_NAME_MAX 64
#define EXPORT_TO_END UINT64_MAX

enum export_who_type { EXPORT_EVERYONE, EXPORT_UID, EXPORT_GID };

struct export_who {
	enum export_who_type type;
	uint32_t id;
};

struct export_grant {
	struct export_who who;
	uint64_t start, end; /* bytes; EXPORT_TO_END: whatever the size */
};

/* What a stranger's opening of the file for writing is: guard.h. */
enum export_opens { EXPORT_OPENS_UNSAID, EXPORT_OPENS_WATCH, EXPORT_OPENS_HOLD };

struct export {
	char *name;
	char *path;
	bool directory;
	struct export_grant *read, *write;
	size_t n_read, n_write;
	struct export_who *kernel_faults;
	size_t n_kernel_faults;
	bool deny;		     /* on-conflict: seals are hard */
	bool strict;		     /* seals that the guard can't answer for are refused */
	uint32_t opens;		     /* enum export_opens; never UNSAID once it was read */
	bool discard;		     /* on-death: what was written and not committed is forgotten */
	char *fence_helper;	     /* cuts off who uses extents from afar; NULL: nobody does */
	struct core_policy policy;   /* complete */
	/* of one uid, on this export; UINT64_MAX: only the general quota */
	uint64_t max_seals, max_window_bytes;
};

/* What is in it, not the struct. */
void export_deinit(struct export *export);

/* Letters, digits, '.', '_', '-'; not first '.' or '-'; 1..EXPORT_NAME_MAX. "mem-" is how objects
 * without a file begin. */
bool export_name_ok(const char *name);

/* Who asks: effective credentials, as the socket says. */
struct export_caller {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
};

/* The export that @object names; *ret_rest: what follows "EXPORT/", or NULL. AUTHORITY_E_UNKNOWN. */
int export_find(const struct export *exports, size_t n, const char *object,
		const struct export **ret, const char **ret_rest, char *why, size_t size);

/* Opens the file that is meant, if @caller has any right of the kind at all. It may have to wait
 * for the file system, which the administrator chose; never for a FIFO or a lease. */
int export_open(const struct export *export, const char *rest, struct mounts *mounts,
		const struct export_caller *caller, bool write, struct authority_file *ret,
		char *why, size_t size);

/* Which file that would be, if @caller has any right of the kind, and one that was judged before need
 * not be judged again. False: export_open() knows. */
bool export_same(const struct export *export, const char *rest, struct mounts *mounts,
		 const struct export_caller *caller, bool write, struct authority_same *ret);

/* Whether one rule covers all of [start, end), which may reach to CORE_INFINITY. */
int export_check_range(const struct export *export, const struct export_caller *caller, bool write,
		       uint64_t start, uint64_t end, char *why, size_t size);

/* Whether the administrator trusts @caller with faults in kernel mode. */
bool export_may_fault(const struct export *export, const struct export_caller *caller);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files that are named rather than shown: by the administrator, or by a client below a directory
 * that the administrator chose. Whether that client may is decided elsewhere (export.h).
 *
 * Both wait for nothing but the file system the administrator chose: not for FIFOs, not for
 * leases, and not for file systems that are not lent from.
 */

#include "daemon/authority/authority.h"

/* The regular file at @path, which is not a symbolic link itself. */
int open_path(struct mounts *mounts, const char *path, bool write, struct authority_file *ret,
	      char *why, size_t size);

/* Which file open_beneath() would open; false: it knows. */
bool open_beneath_same(struct mounts *mounts, const char *directory, const char *relative, bool write,
		       struct authority_same *ret);

/*
 * The regular file @relative below @directory: never above it, through a symbolic link, on
 * another mount, or with a second name (hard link), which may lie outside. @relative: names
 * joined by single slashes, none of them "." or "..".
 */
int open_beneath(struct mounts *mounts, const char *directory, const char *relative, bool write,
		 struct authority_file *ret, char *why, size_t size);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Descriptors as proofs of right. */

#include "daemon/authority/authority.h"

/*
 * Whether @fd, passed by @peer, proves the right to read, or to read and write, a regular file; and
 * if so, the file opened anew. @fd itself stays the caller's and is not needed afterwards.
 */
int proof_check(struct mounts *mounts, int fd, pid_t peer, bool write, struct authority_file *ret,
		char *why, size_t size);

/* The last part of it, for files that are known by other means: file system, type, attributes, and
 * @fd (which may be O_PATH) opened anew. @what: how to call it in @why. */
int proof_open(struct mounts *mounts, int fd, pid_t peer, bool write, const char *what,
	       struct authority_file *ret, char *why, size_t size);

/* The first part of that: whether @fd is on a file system that files are lent from. It is not
 * asked. */
int proof_file_system(struct mounts *mounts, int fd, pid_t peer, const char *what, char *why,
		      size_t size);

/*
 * Which regular file @path is (no symbolic link itself; "": @fd), if nothing but its first opening
 * could show that it may not be lent for @write. For files that were judged and are open already:
 * nothing is opened. False: it has to be judged anew.
 */
bool proof_same(int fd, const char *path, bool write, struct authority_same *ret);

/* The same of a descriptor that @peer passed, with all that proof_check() looks at. */
bool proof_same_descriptor(struct mounts *mounts, int fd, pid_t peer, bool write,
			   struct authority_same *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The functions of operations.def; each says in its file what a and b are. */

#include "tests/matrix/operations.h"

#define FUNCTION(name) int name(const struct doing *doing)

FUNCTION(op_aio);
FUNCTION(op_btrfs_defrag);
FUNCTION(op_chattr);
FUNCTION(op_clone);
FUNCTION(op_clone_range);
FUNCTION(op_copy);
FUNCTION(op_creat);
FUNCTION(op_dedupe);
FUNCTION(op_exec);
FUNCTION(op_ext4_move);
FUNCTION(op_fallocate);
FUNCTION(op_ftruncate);
FUNCTION(op_inode);
FUNCTION(op_link);
FUNCTION(op_loop);
FUNCTION(op_map_read);
FUNCTION(op_map_remap);
FUNCTION(op_map_remap_pages);
FUNCTION(op_map_remove);
FUNCTION(op_map_store);
FUNCTION(op_mapped_remove);
FUNCTION(op_mapped_store);
FUNCTION(op_open);
FUNCTION(op_open_handle);
FUNCTION(op_openat2);
FUNCTION(op_pwrite);
FUNCTION(op_pwritev2);
FUNCTION(op_raw);
FUNCTION(op_read);
FUNCTION(op_rename);
FUNCTION(op_rename_over);
FUNCTION(op_sendfile);
FUNCTION(op_sendfile_into);
FUNCTION(op_splice_from);
FUNCTION(op_splice_into);
FUNCTION(op_swap);
FUNCTION(op_truncate);
FUNCTION(op_unlink);
FUNCTION(op_uring_fallocate);
FUNCTION(op_uring_open);
FUNCTION(op_uring_read);
FUNCTION(op_uring_write);
FUNCTION(op_vmsplice_into);
FUNCTION(op_write);
FUNCTION(op_xfs_exchange);
FUNCTION(op_xfs_swap);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the bytes of an input of fuzz-session mean. An input is a sequence of operations; each
 * begins with a byte
 *
 *	bits 0..3   enum session_op
 *	bits 4..5   the connection
 *	bit 6       do not let the supervisor settle afterwards
 *	bit 7       do not read afterwards what it sent
 *
 * and goes on with what the operation wants, in the order in which it is written below. An input
 * that ends early reads as zeros. Zeros are what an orderly client would do, so short inputs reach
 * far.
 */

#define SESSION_CONNECTIONS 3
#define SESSION_OPS_MAX 64 /* of one input */

#define SESSION_NO_SETTLE 0x40
#define SESSION_NO_READ 0x80

enum session_op {
	SESSION_OPEN,  /* u8 SESSION_OPEN_*: connects, says HELLO, attaches */
	SESSION_SEND,  /* a message, see below */
	SESSION_RAW,   /* u16 size, then that many bytes, u8 descriptors */
	SESSION_BURST, /* u8 how often, then a message: sent so often without a read */
	SESSION_READ,  /* nothing */
	SESSION_STEP,  /* u8 how often */
	SESSION_WAIT,  /* u8 index of a time; the clock goes on by that */
	SESSION_CLOSE, /* nothing */
	SESSION_SHUT,  /* u8 % 3: shutdown(2) */
	SESSION_MAP,   /* u8 grant, u8 SESSION_MAP_*: mmap, then MAP */
	SESSION_TOUCH, /* u8 grant, u8 enum session_touch, u8 page */
	SESSION_FILE,  /* u8 which, u8 what: somebody else at the files of the exports */
	SESSION_UFFD,  /* u8 which, u8 what: the client at its own userfaultfd */
	SESSION_SPOIL, /* u8 n, n times u16 where and u8 xor, then a message: sent spoilt */
	SESSION_AGAIN, /* nothing: the last frame once more */
	SESSION_PART,  /* u8 grant, u8 from page, u8 pages: RETURN of that part */
};

/*
 * A message: u8 its number, u8 argument, u8 extras, which are
 *
 *	bits 0..1   so many fields are overridden: u8 field, u8 enum session_source, its data
 *	bit 2       u8 descriptors follows: bits 0..5 enum session_fd, bits 6..7 further ones
 *	bit 3       nothing that the message needs is passed by itself
 *
 * The argument says which grant, which object (bits 0..3), and what SESSION_ARG_* say.
 */
#define SESSION_ARG_WRITE 0x10
#define SESSION_ARG_WHOLE 0x20
#define SESSION_ARG_HOLD 0x40	/* BREAK_BEGIN: hold; ACQUIRE: transparent */
#define SESSION_ARG_NO_WAIT 0x80

#define SESSION_EXTRA_FDS 0x04
#define SESSION_EXTRA_BARE 0x08

#define SESSION_OPEN_LISTENER 0x01 /* by the socket file, not by a pair */
#define SESSION_OPEN_STRANGER 0x02 /* made by another process */
#define SESSION_OPEN_NOBODY 0x04   /* by another uid */
#define SESSION_OPEN_SILENT 0x08   /* no HELLO */
#define SESSION_OPEN_APART 0x10	   /* no ATTACH */
#define SESSION_OPEN_DEVICE 0x20   /* attached as if by the device, for faults in kernel mode */
#define SESSION_OPEN_IO 0x40	   /* declares a max_io_ms */

#define SESSION_MAP_OTHER_SHARING 0x01
#define SESSION_MAP_OPENED 0x02	   /* readable before it is said where */
#define SESSION_MAP_SHIFTED 0x04   /* another page of the memory first */
#define SESSION_MAP_SHORT 0x08	   /* says less than it mapped */
#define SESSION_MAP_UNOPENED 0x10  /* stays PROT_NONE */

enum session_touch {
	SESSION_TOUCH_READ,
	SESSION_TOUCH_WRITE,
	SESSION_TOUCH_DROP,    /* madvise(MADV_DONTNEED) */
	SESSION_TOUCH_UNMAP,   /* something else is mapped over it */
	SESSION_TOUCH_MOVE,    /* mremap to elsewhere */
	SESSION_TOUCH_REMAP,   /* the memory once more, without userfaultfd */
	SESSION_TOUCH_SYSCALL, /* process_vm_readv, which faults in kernel mode */
	_SESSION_TOUCH_N,
};

enum session_source {
	SESSION_SOURCE_BYTE,	/* u8 */
	SESSION_SOURCE_PAGES,	/* u8, in pages */
	SESSION_SOURCE_RAW,	/* 8 bytes */
	SESSION_SOURCE_SPECIAL, /* u8, index of an unpleasant number */
	SESSION_SOURCE_GRANT,	/* u8, what that grant, of any connection, has there */
	SESSION_SOURCE_LEARNT,	/* u8, index of an id that was heard of */
	SESSION_SOURCE_NAME,	/* u8, index of a name */
	SESSION_SOURCE_TEXT,	/* u8 n, n bytes */
	_SESSION_SOURCE_N,
};

enum session_fd {
	SESSION_FD_UFFD, /* fresh, for user-mode faults */
	SESSION_FD_UFFD_KERNEL,
	SESSION_FD_UFFD_DEVICE, /* what DEVICE lent */
	SESSION_FD_UFFD_USED,	/* configured already */
	SESSION_FD_READ,	/* a regular file, O_RDONLY */
	SESSION_FD_WRITE,	/* O_RDWR */
	SESSION_FD_APPEND,
	SESSION_FD_MODE_3,
	SESSION_FD_PATH,
	SESSION_FD_EXPORTED, /* the file of an export, O_RDWR */
	SESSION_FD_NULL,
	SESSION_FD_PIPE,
	SESSION_FD_FIFO,
	SESSION_FD_DIRECTORY,
	SESSION_FD_MEMFD,
	SESSION_FD_MEMFD_SEALED,
	SESSION_FD_GRANTED, /* memory of a grant */
	SESSION_FD_SOCKET,
	SESSION_FD_OWN_SOCKET, /* the connection itself */
	SESSION_FD_EPOLL,
	SESSION_FD_EVENT,
	SESSION_FD_PROC,
	SESSION_FD_SYS,
	SESSION_FD_PIDFD,
	_SESSION_FD_N,
};

enum session_name {
	SESSION_NAME_FILE, /* everybody may everything */
	SESSION_NAME_RANGES,
	SESSION_NAME_HARD,
	SESSION_NAME_DISCARD,
	SESSION_NAME_FULL, /* its last pages can't be written to */
	SESSION_NAME_LIMITED,
	SESSION_NAME_DIR_A,
	SESSION_NAME_DIR_B,
	SESSION_NAME_DIR_LINK,
	SESSION_NAME_DIR_FIFO,
	SESSION_NAME_DIR_OUT,
	SESSION_NAME_DIR,
	SESSION_NAME_EMPTY_FILE,
	SESSION_NAME_MEMORY, /* the last one that was created */
	SESSION_NAME_NONE,
	SESSION_NAME_NOTHING, /* "" */
	_SESSION_NAME_N,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapseald: what has to be settled before the supervisor runs.
 *
 * Options are few, and an unknown one ends the program: a supervisor that runs with other settings than
 * were meant is worse than none. After this file nothing reads the command line or the environment.
 *
 * Capabilities that nothing here needs are given up for good; the list below names for each
 * one that is kept what needs it. CAP_SYS_ADMIN is needed once, for guard_open_group(), before any
 * thread is made, and given up with the others.
 */

#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>

#include "daemon/config/config.h"
#include "daemon/guard/guard.h"
#include "daemon/supervisor/supervisor.h"

static const int kept_capabilities[] = {
	CAP_SYS_PTRACE,	     /* UFFD_FEATURE_EVENT_FORK, /proc/PID/maps of clients: daemon/pager/uffd.c;
			      * /proc/TID/syscall of strangers: daemon/guard/proc.c */
	CAP_DAC_READ_SEARCH, /* files of exports, descriptors opened anew: daemon/authority */
	CAP_DAC_OVERRIDE,    /* the same for writing; the socket's directory: listener.c */
	CAP_LEASE,	     /* leases on files of others: daemon/guard/lease.c */
	CAP_CHOWN,	     /* memory belongs to a uid that no client has: daemon/pager/view.c */
};

static const char usage[] =
	"Usage: mapseald [OPTION]...\n"
	"Lends the memory of files to unprivileged processes, and gets it back.\n"
	"\n"
	"      --socket PATH   listen there (" CONFIG_DEFAULT_SOCKET ")\n"
	"      --config FILE   read FILE, and what is in FILE.d\n"
	"      --help          print this\n"
	"      --version       print the version\n"
	"\n"
	"A socket passed by the service manager is used instead of --socket. See mapseald(8).\n";

struct options {
	const char *socket; /* NULL: the configuration's */
	const char *config;
};

enum { OPTION_SOCKET = 256, OPTION_CONFIG, OPTION_HELP, OPTION_VERSION };

/* 0: go on; 1: done; negative: wrong. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option table[] = {
		{ "socket", required_argument, NULL, OPTION_SOCKET },
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		switch (c) {
		case OPTION_SOCKET:
			ret->socket = optarg;
			break;
		case OPTION_CONFIG:
			ret->config = optarg;
			break;
		case OPTION_HELP:
			fputs(usage, stdout);
			return 1;
		case OPTION_VERSION:
			puts("mapseald " PACKAGE_VERSION);
			return 1;
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "mapseald: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return -EINVAL;
	}
	return 0;
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	__u32 keep[2] = { 0, 0 };
	int last = 0;

	for (size_t i = 0; i < sizeof(kept_capabilities) / sizeof(*kept_capabilities); i++)
		keep[kept_capabilities[i] / 32] |= 1u << kept_capabilities[i] % 32;
	for (; prctl(PR_CAPBSET_READ, last, 0, 0, 0) >= 0; last++)
		if (!(keep[last / 32] & 1u << last % 32))
			prctl(PR_CAPBSET_DROP, last, 0, 0, 0);
	if (syscall(SYS_capget, &header, data) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= keep[i];
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		perror("mapseald: giving up capabilities");
}

/* Every session costs two descriptors and every object one or two. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Blocked before the first thread is made, so that the supervisor's signalfd is the only one to see them. */
static void settle_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int begin_listening(struct supervisor *s, const char *path)
{
	int n = sd_listen_fds(1), r;

	if (n > 1) {
		fprintf(stderr, "mapseald: %d sockets were passed, one is wanted\n", n);
		return -EINVAL;
	}
	if (n == 1) {
		r = supervisor_adopt(s, SD_LISTEN_FDS_START);
		if (r < 0)
			fputs("mapseald: what was passed is no listening SOCK_SEQPACKET socket\n",
			      stderr);
		return r;
	}
	r = supervisor_listen(s, path);
	if (r == -EADDRINUSE)
		fprintf(stderr, "mapseald: %s is in use\n", path);
	else if (r < 0)
		fprintf(stderr, "mapseald: %s: %s\n", path, strerror(-r));
	return r;
}

static int run(const struct options *options)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(supervisor_freep) struct supervisor *s = NULL;
	char fault[CONFIG_FAULT_MAX];
	int group, r;

	r = config_load(options->config, &config, fault, sizeof(fault));
	if (r < 0) {
		fprintf(stderr, "mapseald: %s\n", fault);
		return r;
	}
	raise_descriptors();
	settle_signals();
	group = guard_open_group();
	drop_capabilities();
	r = supervisor_new(config, group, &s);
	if (r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP)
		fprintf(stderr, "mapseald: io_uring and userfaultfd are needed: %s\n", strerror(-r));
	else if (r < 0)
		fprintf(stderr, "mapseald: it can't begin: %s\n", strerror(-r));
	if (r < 0)
		return r;
	r = begin_listening(s, options->socket ? options->socket : config->socket);
	return r < 0 ? r : supervisor_run(s);
}

/* What a recall of many holders frees is needed again for the next one: giving it back to the kernel
 * each time, and having it zeroed again, would cost more than the recall. */
#define KEPT_MEMORY (8 << 20)

int main(int argc, char **argv)
{
	struct options options = { NULL, NULL };
	int r;

	r = parse_options(argc, argv, &options);
	if (r != 0)
		return r < 0 ? 2 : 0;
	mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY);
	mallopt(M_TOP_PAD, 1 << 20);
	return run(&options) < 0 ? 1 : 0;
}

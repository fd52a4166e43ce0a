/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a device lets itself be given: a memfd, which is what windows are made of, and no mapping of a file, on disk or on
 * DAX. On DAX what can be had is on-demand paging, which pins nothing.
 */

#include <infiniband/verbs.h>

#include "dax.h"

enum { REMOTE_WRITE = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE };

static struct ibv_pd *pd;
static bool on_demand;

static void open_device(void)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_device_attr_ex attr;
	struct ibv_context *context;

	check(devices && devices[0]);
	context = ibv_open_device(devices[0]);
	check(context);
	pd = ibv_alloc_pd(context);
	check(pd);
	check(ibv_query_device_ex(context, NULL, &attr) == 0);
	on_demand = attr.odp_caps.general_caps & IBV_ODP_SUPPORT &&
		    attr.odp_caps.per_transport_caps.rc_odp_caps & IBV_ODP_SUPPORT_WRITE;
}

/* 0, or the errno. */
static int registered(int fd, int flags, int access)
{
	unsigned char *at = map_of(fd, FILE_SIZE, PROT_READ | PROT_WRITE, flags);
	struct ibv_mr *mr;
	int r = 0;

	at[0] = at[FILE_SIZE - PAGE] = 'w';
	mr = ibv_reg_mr(pd, at, FILE_SIZE, access);
	if (mr)
		check(ibv_dereg_mr(mr) == 0);
	else
		r = errno;
	munmap(at, FILE_SIZE);
	return r;
}

int main(void)
{
	int fd = dax_file("register", 'a'), memory = memory_of(FILE_SIZE);
	int disk = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);

	check(disk >= 0 && ftruncate(disk, FILE_SIZE) == 0);
	open_device();
	check(registered(memory, MAP_SHARED, REMOTE_WRITE) == 0);
	check(registered(disk, MAP_SHARED, REMOTE_WRITE) != 0);
	check(registered(fd, MAP_SHARED, REMOTE_WRITE) != 0);
	check(registered(fd, MAP_SHARED_VALIDATE | MAP_SYNC, REMOTE_WRITE) != 0);
	if (on_demand)
		check(registered(fd, MAP_SHARED_VALIDATE | MAP_SYNC,
				 REMOTE_WRITE | IBV_ACCESS_ON_DEMAND) == 0);
	printf("on-demand paging: %s\n", on_demand ? "yes" : "no");
	unlink("register");
	return 0;
}

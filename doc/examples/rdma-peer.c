/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rdma-peer ADDRESS PORT: writes into the window that an rdma-server offers. Each line of standard input is an offset
 * and a text; the answer is "written" when the server's device has acknowledged it, or "refused" and why.
 */

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <rdma/rdma_verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doc/examples/rdma.h"

enum { TEXT_MAX = 1024, MOST_RETRIES = 7 };

static void die(const char *what)
{
	fprintf(stderr, "rdma-peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct rdma_cm_id *connect_to(const char *address, const char *port)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP };
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
	struct rdma_conn_param param = { .retry_count = MOST_RETRIES, .rnr_retry_count = 7 };
	struct rdma_addrinfo *found;
	struct rdma_cm_id *id;

	if (rdma_getaddrinfo(address, port, &hints, &found) < 0)
		die("address");
	if (rdma_create_ep(&id, found, NULL, &attr) < 0)
		die("queue pair");
	rdma_freeaddrinfo(found);
	if (rdma_connect(id, &param) < 0)
		die("connect");
	return id;
}

/* Has the server ended the connection? */
static bool is_over(struct rdma_cm_id *id)
{
	struct pollfd pollfd = { .fd = id->channel->fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) > 0;
}

static void write_text(struct rdma_cm_id *id, struct ibv_mr *mr, const struct rdma_offer *offer,
		       uint64_t offset, char *text)
{
	uint64_t length = strlen(text);
	struct ibv_wc wc;

	if (is_over(id)) {
		printf("refused: the server hung up\n");
		return;
	}
	if (rdma_post_write(id, NULL, text, length, mr, 0, be64toh(offer->address) + offset,
			    ntohl(offer->rkey)) < 0)
		die("write");
	if (rdma_get_send_comp(id, &wc) < 0)
		die("completion");
	if (wc.status == IBV_WC_SUCCESS)
		printf("written\n");
	else
		printf("refused: %s\n", ibv_wc_status_str(wc.status));
}

int main(int argc, char **argv)
{
	static char line[TEXT_MAX];
	struct rdma_offer offer;
	struct rdma_cm_id *id;
	struct ibv_mr *mr;
	uint64_t offset;
	int at;

	if (argc != 3) {
		fprintf(stderr, "usage: rdma-peer ADDRESS PORT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	id = connect_to(argv[1], argv[2]);
	if (id->event->param.conn.private_data_len < sizeof(offer)) {
		fprintf(stderr, "rdma-peer: nothing is offered\n");
		return 1;
	}
	memcpy(&offer, id->event->param.conn.private_data, sizeof(offer));
	mr = rdma_reg_msgs(id, line, sizeof(line));
	if (!mr)
		die("register");
	printf("offered %" PRIu64 " bytes\n", be64toh(offer.length));
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNu64 " %n", &offset, &at) != 1) {
			printf("refused: no offset\n");
			continue;
		}
		write_text(id, mr, &offer, offset, line + at);
	}
	rdma_disconnect(id);
	rdma_dereg_mr(mr);
	rdma_destroy_ep(id);
	return 0;
}

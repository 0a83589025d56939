/* SPDX-License-Identifier: BSD-3-Clause
 * UDP sockets as coroutines see them. A struct perch_udp is tcp-lite's; the datagram that the user
 * looks at stays at the head of its queue until the next call (user8 marks that).
 */
#include <errno.h>

#include "engine/address.h"
#include "engine/lcore.h"
#include "engine/membership.h"
#include "tcp-lite/udp.h"

enum { VIEWED = 1 }; /* perch_flow.user8 */

int perch_bind(const struct perch_addr *local, uint16_t port, struct perch_udp **out)
{
	struct perch_ip ip = {.d = {0, 0}};
	int rc;

	if (local)
		ip = perch_ip_of(local);
	rc = perch_udp_open(perch_lcore_self->net, &ip, port, 0, out);
	if (rc == 0)
		(*out)->flow.waiter[0] = (*out)->flow.waiter[1] = PERCH_CO_NONE;
	return rc;
}

static void give_back_view(struct perch_udp *u)
{
	if (u->flow.user8 & VIEWED)
		rte_pktmbuf_free(perch_udp_take(perch_lcore_self->net, u));
	u->flow.user8 = 0;
}

int perch_recv(struct perch_udp *u, struct perch_datagram *d, int64_t deadline_ns)
{
	struct perch_lcore *l = perch_lcore_self;
	const struct perch_pkt *p;
	struct rte_mbuf *m;
	int rc = 0;

	give_back_view(u);
	while (!u->rxq.head) {
		if (u->error) {
			rc = u->error;
			u->error = 0;
			return rc;
		}
		if (u->flow.waiter[0] != PERCH_CO_NONE)
			return -EBUSY;
		u->flow.waiter[0] = perch_co_id(l->sched, perch_co_current(l->sched));
		rc = perch_co_park(l->sched, deadline_ns);
		if (rc == -EBADF)
			return rc; /* unbound meanwhile */
		u->flow.waiter[0] = PERCH_CO_NONE;
		if (rc < 0)
			return rc;
	}
	m = u->rxq.head;
	p = perch_pkt(m);
	u->flow.user8 = VIEWED;
	*d = (struct perch_datagram){
		.data = rte_pktmbuf_mtod(m, const void *),
		.len = rte_pktmbuf_data_len(m),
		.from = perch_addr_of(&p->udp.src, p->udp.sport),
		.to = perch_addr_of(&p->udp.dst, p->udp.dport),
		.time_ns = p->time_ns,
	};
	return 0;
}

static int send_from(struct perch_udp *u, const struct perch_ip *src, const struct perch_addr *to,
	const void *data, size_t len)
{
	struct perch_ip dst = perch_ip_of(to);

	return perch_udp_send(perch_lcore_self->net, u, src, &dst, to->port, data, len);
}

int perch_send(struct perch_udp *u, const struct perch_addr *to, const void *data, size_t len)
{
	return send_from(u, &u->laddr, to, data, len);
}

int perch_reply(
	struct perch_udp *u, const struct perch_datagram *d, const void *data, size_t len)
{
	struct perch_ip src = perch_ip_of(&d->to);

	return send_from(u, &src, &d->from, data, len);
}

int perch_connect(struct perch_udp *u, const struct perch_addr *peer)
{
	const struct perch_addr none = {.port = 0};
	struct perch_ip ip = perch_ip_of(peer ? peer : &none);

	if (peer && peer->port == 0)
		return -EINVAL;
	return perch_udp_connect(perch_lcore_self->net, u, &ip, peer ? peer->port : 0);
}

void perch_unbind(struct perch_udp *u)
{
	struct perch_lcore *l = perch_lcore_self;

	if (u->flow.waiter[0] != PERCH_CO_NONE)
		perch_co_wake(l->sched, perch_co_by_id(l->sched, u->flow.waiter[0]), -EBADF);
	perch_group_leave_all(u);
	perch_udp_close(l->net, u);
}

/* SPDX-License-Identifier: BSD-3-Clause
 * IGMP messages: queries and old reports read, old reports and leaves written. What they mean is
 * mcast_report.c's.
 */
#include "tcp-lite/igmp.h"

#include <netinet/in.h>

#include <rte_byteorder.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/mcast_inside.h"
#include "tcp-lite/ip.h"

enum igmp_type {
	QUERY = 0x11,
	REPORT1 = 0x12,
	REPORT2 = 0x16,
	LEAVE2 = 0x17,
	REPORT3 = 0x22,
};

enum { OLD_BYTES = 8 };

#define TENTH_NS INT64_C(100000000)
#define S_NS     INT64_C(1000000000)

struct message {
	uint8_t type, code;
	uint16_t cksum;
	uint32_t group;
} __attribute__((packed, aligned(2)));

struct query3 {
	struct message old;
	uint8_t s_qrv, qqic;
	uint16_t n_sources;
	uint8_t sources[];
} __attribute__((packed, aligned(2)));

/* RFC 3376 sections 4.1.1 and 4.1.7: small numbers are themselves, greater ones floats. */
static uint32_t decode(uint8_t code)
{
	if (code < 128)
		return code;
	return (uint32_t)((code & 0xf) | 0x10) << ((code >> 4 & 7) + 3);
}

static bool query_ok(const struct perch_rx *rx, const struct query3 *q)
{
	uint16_t len = rx->m->data_len;

	if (q->old.group != 0 && (rte_be_to_cpu_32(q->old.group) >> 28) != 0xe)
		return false;
	if (len == OLD_BYTES)
		return true;
	return len >= sizeof(*q) && /* between the two: section 7.1 says to ignore it */
		len - sizeof(*q) >= rte_be_to_cpu_16(q->n_sources) * sizeof(uint32_t) &&
		(q->old.group != 0 || q->n_sources == 0);
}

static void input_query(struct perch_net *net, struct perch_rx *rx, const struct query3 *q)
{
	struct perch_mcast_query in = {
		.ifidx = rx->ifidx,
		.v4 = true,
		.version = q->old.code == 0 ? 1 : 2,
		.max_delay_ns = q->old.code == 0 ? 10 * S_NS : q->old.code * TENTH_NS,
	};

	if (!query_ok(rx, q)) {
		perch_rx_drop(net, rx, PERCH_DROP_igmp_malformed);
		return;
	}
	if (q->old.group != 0)
		in.group = perch_ip_from_v4(q->old.group);
	if (rx->m->data_len >= sizeof(*q)) {
		in.version = 3;
		in.max_delay_ns = RTE_MAX(decode(q->old.code), 1U) * TENTH_NS;
		in.robustness = q->s_qrv & 7;
		in.interval_ns = decode(q->qqic) * S_NS;
		in.n_sources = rte_be_to_cpu_16(q->n_sources);
		in.sources = q->sources;
	}
	if (!net->cfg.passive) /* from whichever lcore it comes */
		perch_mcast_hear_query(net, &in);
	rte_pktmbuf_free(rx->m);
}

static void input_report(struct perch_net *net, struct perch_rx *rx, const struct message *msg)
{
	struct perch_ip group = perch_ip_from_v4(msg->group);

	if (!perch_ip_is_multicast(&group) || !perch_ip_equal(&group, &rx->dst)) {
		perch_rx_drop(net, rx, PERCH_DROP_igmp_malformed);
		return;
	}
	perch_mcast_hear_report(net, rx->ifidx, &group);
	rte_pktmbuf_free(rx->m);
}

void perch_igmp_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct message *msg = rte_pktmbuf_mtod(rx->m, const struct message *);

	if (rx->m->data_len < OLD_BYTES) {
		perch_rx_drop(net, rx, PERCH_DROP_igmp_truncated);
		return;
	}
	if (perch_cksum_data(rx->m) != 0xffff) {
		perch_rx_drop(net, rx, PERCH_DROP_igmp_bad_checksum);
		return;
	}
	switch (msg->type) {
	case QUERY:
		input_query(net, rx, (const struct query3 *)msg);
		break;
	case REPORT1:
	case REPORT2:
		input_report(net, rx, msg);
		break;
	case LEAVE2:
	case REPORT3: /* for routers */
		rte_pktmbuf_free(rx->m);
		break;
	default:
		perch_rx_drop(net, rx, PERCH_DROP_igmp_type_unknown);
	}
}

void perch_igmp_send_old(struct perch_net *net, unsigned ifidx, const struct perch_ip *group,
	uint8_t version, bool leave)
{
	const struct perch_ip all_routers = perch_ip_from_v4(RTE_BE32(0xe0000002));
	struct rte_mbuf *m = perch_net_alloc(net);
	struct message *msg;

	if (!m)
		return;
	msg = (struct message *)rte_pktmbuf_append(m, sizeof(*msg));
	*msg = (struct message){
		.type = leave ? LEAVE2 : version == 1 ? REPORT1 : REPORT2,
		.group = group->w[3],
	};
	perch_ip_send_alert(net, ifidx, m, leave ? &all_routers : group, IPPROTO_IGMP);
}

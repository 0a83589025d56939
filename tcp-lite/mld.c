/* SPDX-License-Identifier: BSD-3-Clause
 * MLD messages: queries and old reports read, old reports and dones written. What they mean is
 * mcast_report.c's.
 */
#include "tcp-lite/mld.h"

#include <netinet/in.h>

#include <rte_byteorder.h>

#include "tcp-lite/mcast_inside.h"
#include "tcp-lite/ip.h"

#define MS_NS INT64_C(1000000)
#define S_NS  INT64_C(1000000000)

struct message { /* all of version 1 */
	uint8_t type, code;
	uint16_t cksum, max_delay, reserved;
	uint8_t group[16];
} __attribute__((packed, aligned(2)));

struct query2 {
	struct message old;
	uint8_t s_qrv, qqic;
	uint16_t n_sources;
	uint8_t sources[];
} __attribute__((packed, aligned(2)));

/* RFC 3810 section 5.1.3. */
static uint32_t decode_delay(uint16_t code)
{
	if (code < 32768)
		return code;
	return (uint32_t)((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
}

/* RFC 3810 section 5.1.9. */
static uint32_t decode_interval(uint8_t code)
{
	if (code < 128)
		return code;
	return (uint32_t)((code & 0xf) | 0x10) << ((code >> 4 & 7) + 3);
}

/* RFC 3810 section 6.2: what does not come from the link's own router is dropped. */
static bool is_local(const struct perch_rx *rx)
{
	return rx->ttl == 1 && rx->router_alert && perch_ip_is_link_local6(&rx->src);
}

static bool query_ok(const struct perch_rx *rx, const struct query2 *q)
{
	struct perch_ip group = perch_ip_from_v6(q->old.group);
	uint16_t len = rx->m->data_len;

	if (!perch_ip_is_any(&group) && group.b[0] != 0xff)
		return false;
	if (len == sizeof(q->old))
		return true;
	return len >= sizeof(*q) && /* between the two: section 8.1 says to ignore it */
		(len - sizeof(*q)) / 16 >= rte_be_to_cpu_16(q->n_sources) &&
		(!perch_ip_is_any(&group) || q->n_sources == 0);
}

static void input_query(struct perch_net *net, struct perch_rx *rx, const struct query2 *q)
{
	struct perch_mcast_query in = {
		.ifidx = rx->ifidx,
		.version = 2,
		.max_delay_ns = RTE_MAX(rte_be_to_cpu_16(q->old.max_delay), 1) * MS_NS,
	};

	if (!is_local(rx) || !query_ok(rx, q)) {
		perch_rx_drop(net, rx, PERCH_DROP_mld_malformed);
		return;
	}
	in.group = perch_ip_from_v6(q->old.group);
	if (rx->m->data_len >= sizeof(*q)) {
		in.version = 3;
		in.max_delay_ns =
			RTE_MAX(decode_delay(rte_be_to_cpu_16(q->old.max_delay)), 1U) * MS_NS;
		in.robustness = q->s_qrv & 7;
		in.interval_ns = decode_interval(q->qqic) * S_NS;
		in.n_sources = rte_be_to_cpu_16(q->n_sources);
		in.sources = q->sources;
	}
	if (!net->cfg.passive) /* from whichever lcore it comes */
		perch_mcast_hear_query(net, &in);
	rte_pktmbuf_free(rx->m);
}

static void input_report(struct perch_net *net, struct perch_rx *rx, const struct message *msg)
{
	struct perch_ip group = perch_ip_from_v6(msg->group);

	if (!is_local(rx) || !perch_ip_equal(&group, &rx->dst)) {
		perch_rx_drop(net, rx, PERCH_DROP_mld_malformed);
		return;
	}
	perch_mcast_hear_report(net, rx->ifidx, &group);
	rte_pktmbuf_free(rx->m);
}

void perch_mld_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct message *msg = rte_pktmbuf_mtod(rx->m, const struct message *);

	if (msg->type == PERCH_MLD_DONE1 || msg->type == PERCH_MLD_REPORT2) /* for routers */
		rte_pktmbuf_free(rx->m);
	else if (rx->m->data_len < sizeof(*msg))
		perch_rx_drop(net, rx, PERCH_DROP_mld_malformed);
	else if (msg->type == PERCH_MLD_QUERY)
		input_query(net, rx, (const struct query2 *)msg);
	else
		input_report(net, rx, msg);
}

void perch_mld_send_old(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *group, bool leave)
{
	const struct perch_ip all_routers = {.b = {0xff, 0x02, [15] = 2}};
	struct rte_mbuf *m = perch_net_alloc(net);
	struct message *msg;

	if (!m)
		return;
	msg = (struct message *)rte_pktmbuf_append(m, sizeof(*msg));
	*msg = (struct message){.type = leave ? PERCH_MLD_DONE1 : PERCH_MLD_REPORT1};
	memcpy(msg->group, group->b, sizeof(msg->group));
	perch_ip_send_alert(net, ifidx, m, leave ? &all_routers : group, IPPROTO_ICMPV6);
}

/* SPDX-License-Identifier: BSD-3-Clause
 * Frames from the wire, one after the other, into a net that listens with TCP and UDP: whatever
 * they are, nothing is read behind them, and no packet is lost.
 *
 * Input: for each frame a byte of how (below), a 16-bit length and the bytes.
 */
#include "tcp-lite/mcast.h"
#include "tcp-lite/tcp.h"
#include "tcp-lite/udp.h"
#include "tests/fuzz/target.h"

enum {
	CHECKSUMS_GOOD = 1,  /* the NIC says so: else damage would hardly get past them */
	FIX_ICMP = 2,        /* ICMP's no NIC looks at: it is made right */
	TO_US = 4,           /* our MAC address is written over the destination */
	TIME = 0xf0,         /* 2^n microseconds go by afterwards, or none */
	FRAMES_MAX = 64,
	PORT = 80,
	IN_VLAN = 1,         /* of the first byte: how the net is */
	STRICT = 2,
	FULL = 4,            /* listeners answer by cookies */
	MEMBER = 8,
	VLAN = 5,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_start("fuzz_ethernet");
	return 0;
}

/* An answer much longer than the question: fragments. */
static void answer(struct fuzz_net *f, struct perch_udp *u)
{
	static const uint8_t bytes[4000];
	struct rte_mbuf *m = perch_udp_take(f->net, u);
	const struct perch_pkt *p;

	if (!m)
		return;
	p = perch_pkt(m);
	if (m->pkt_len == 1) /* errors about what we send are told from now on */
		perch_udp_connect(f->net, u, &p->udp.src, p->udp.sport);
	perch_udp_send(f->net, u, &p->udp.dst, &p->udp.src, p->udp.sport, bytes,
		RTE_MIN(m->pkt_len * 30, sizeof(bytes)));
	rte_pktmbuf_free(m);
}

static void take_events(struct fuzz_net *f)
{
	struct perch_flow *flow;

	while ((flow = perch_net_next_ready(f->net))) {
		struct perch_tcb *c = (struct perch_tcb *)flow;

		flow->events = 0;
		if (flow->kind == PERCH_FLOW_UDP)
			answer(f, (struct perch_udp *)flow);
		else if (perch_tcp_readable(c))
			perch_tcp_consume(f->net, c, perch_tcp_readable(c));
		else if (perch_tcp_at_eof(c) || perch_tcp_error(c))
			perch_tcp_close(f->net, c);
	}
}

static bool is_icmp(const struct frame *f)
{
	const uint8_t *b = f->b;

	if (f->len >= 14 + 20 + 8 && b[12] == 0x08 && b[13] == 0x00)
		return b[14] == 0x45 && b[23] == 1;
	return f->len >= 14 + 40 + 8 && b[12] == 0x86 && b[13] == 0xdd && b[20] == 58;
}

static void rx_one(struct fuzz_net *f, struct fuzz_input *in)
{
	const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	uint8_t how = fuzz_take8(in);
	struct ends e = fuzz_ends(false);
	struct frame frame = {.len = 0};
	unsigned len = fuzz_take16(in) % 2000;

	len = (unsigned)RTE_MIN((ptrdiff_t)len, in->end - in->at);
	frame_add(&frame, in->at, len);
	in->at += len;
	if ((how & TO_US) && len >= 6)
		memcpy(frame.b, e.dmac.b, 6);
	if ((how & FIX_ICMP) && is_icmp(&frame))
		frame_fix_transport(&frame);
	fuzz_rx(f, &frame, how & CHECKSUMS_GOOD ? good : 0);
	take_events(f);
	if (how & TIME)
		fuzz_pass(f, INT64_C(1000) << 2 * (how >> 4));
	else
		fuzz_turn(f);
}

/* Any source of one group, one source of another, of both families. */
static void join(struct fuzz_net *f, struct perch_udp *u)
{
	static const char *const groups[][2] = {{"239.1.1.1", "0.0.0.0"}, {"232.1.1.1", "10.0.0.2"},
		{"ff05::1", "::"}, {"ff35::1", "fd00::2"}};
	unsigned i;

	for (i = 0; i < 4; i++) {
		struct perch_ip group = packets_ip(groups[i][0]), source = packets_ip(groups[i][1]);

		promise(perch_mcast_join(f->net, 0, u, &group, &source) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	uint8_t net = fuzz_take8(&in);
	struct perch_net_config cfg = {.rcvbuf_bytes = 10000,
		.dad = net & STRICT ? PERCH_NET_DAD_STRICT : 0,
		.ifs[0].vlan = net & IN_VLAN ? VLAN : 0};
	const struct perch_ip any = {.d = {0, 0}};
	struct fuzz_net f = {.sent = NULL};
	struct perch_udp *u;
	unsigned n;

	fuzz_open(&f, &cfg);
	promise(perch_tcp_listen(f.net, &any, PORT, net & FULL ? 1 : 4, NULL) == 0);
	promise(perch_udp_open(f.net, &any, PORT, 4, &u) == 0);
	if (net & MEMBER)
		join(&f, u);
	for (n = 0; n < FRAMES_MAX && in.at < in.end; n++)
		rx_one(&f, &in);
	perch_udp_close(f.net, u);
	promise(perch_tcp_unlisten(f.net, &any, PORT) == 0);
	fuzz_turn(&f);
	fuzz_close(&f);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 * Ethernet, VLAN, ARP, IPv4, IPv6, ICMP, IGMP, UDP, TCP and MoldUDP64, field by field.
 */
#include "tools/decode.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct cursor {
	struct decoded *out;
	const uint8_t *at;
	uint32_t left;
};

static struct decode_field *add(struct cursor *c, const char *name)
{
	struct decode_field *f = &c->out->fields[c->out->n];

	if (c->out->n == DECODE_FIELDS - 1)
		return NULL; /* the last one is for the rest */
	c->out->n++;
	*f = (struct decode_field){.bytes = NULL};
	snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

__attribute__((format(printf, 3, 4))) static void put(
	struct cursor *c, const char *name, const char *fmt, ...)
{
	struct decode_field *f = add(c, name);
	va_list args;

	if (!f)
		return;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
}

/* What is not looked into. */
static void put_bytes(struct cursor *c, const char *name)
{
	struct decode_field *f = &c->out->fields[c->out->n];
	uint32_t i, shown = c->left < 16 ? c->left : 16;
	size_t n;

	if (c->left == 0)
		return;
	c->out->n++;
	*f = (struct decode_field){.bytes = c->at, .len = c->left};
	snprintf(f->name, sizeof(f->name), "%s", name);
	n = (size_t)snprintf(f->text, sizeof(f->text), "%" PRIu32 " bytes ", c->left);
	for (i = 0; i < shown; i++)
		n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%02x", c->at[i]);
	if (shown < c->left)
		snprintf(f->text + n, sizeof(f->text) - n, "...");
	c->left = 0;
}

static uint64_t get(struct cursor *c, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0) {
		v = v << 8 | *c->at++;
		c->left--;
	}
	return v;
}

static void skip(struct cursor *c, uint32_t bytes)
{
	c->at += bytes;
	c->left -= bytes;
}

static void put_mac(struct cursor *c, const char *name)
{
	put(c, name, "%02x:%02x:%02x:%02x:%02x:%02x", c->at[0], c->at[1], c->at[2], c->at[3],
		c->at[4], c->at[5]);
	skip(c, 6);
}

static void put_ip(struct cursor *c, const char *name, int family)
{
	char text[INET6_ADDRSTRLEN];

	put(c, name, "%s", inet_ntop(family, c->at, text, sizeof(text)));
	skip(c, family == AF_INET ? 4 : 16);
}

static void put_number(struct cursor *c, const char *name, unsigned bytes)
{
	put(c, name, "%" PRIu64, get(c, bytes));
}

static void put_hex(struct cursor *c, const char *name, unsigned bytes)
{
	put(c, name, "0x%0*" PRIx64, (int)bytes * 2, get(c, bytes));
}

/* ---- market data ---------------------------------------------------------------------------- */

/* MoldUDP64: a printable session, and messages that fill the datagram exactly. */
static bool is_mold(const struct cursor *c)
{
	uint32_t at = 20, i, count;

	if (c->left < 20)
		return false;
	for (i = 0; i < 10; i++)
		if (!isprint(c->at[i]))
			return false;
	count = (uint32_t)c->at[18] << 8 | c->at[19];
	if (count == 0 || count == UINT16_MAX)
		return c->left == 20;
	for (i = 0; i < count && at + 2 <= c->left; i++)
		at += 2 + ((uint32_t)c->at[at] << 8 | c->at[at + 1]);
	return i == count && at == c->left;
}

static void decode_mold(struct cursor *c)
{
	struct cursor message;
	char name[DECODE_NAME];
	uint64_t first, count, i;

	put(c, "mold.session", "%.10s", (const char *)c->at);
	skip(c, 10);
	first = get(c, 8);
	put(c, "mold.seq", "%" PRIu64, first);
	count = get(c, 2);
	put(c, "mold.count", "%" PRIu64 "%s", count, count == 0 ? " (heartbeat)"
		: count == UINT16_MAX ? " (end of session)" : "");
	for (i = 0; c->left >= 2 && c->out->n < DECODE_FIELDS - 1; i++) {
		message = *c;
		message.left = (uint32_t)get(&message, 2);
		skip(c, 2 + message.left);
		snprintf(name, sizeof(name), "mold.msg.%" PRIu64, first + i);
		put_bytes(&message, name);
	}
}

/* ---- transport ------------------------------------------------------------------------------ */

static void decode_udp(struct cursor *c)
{
	put_number(c, "udp.sport", 2);
	put_number(c, "udp.dport", 2);
	put_number(c, "udp.length", 2);
	put_hex(c, "udp.checksum", 2);
	if (is_mold(c))
		decode_mold(c);
	put_bytes(c, "payload");
}

static void decode_sack(struct cursor *o)
{
	char name[DECODE_NAME];
	uint64_t left;
	unsigned i;

	for (i = 0; o->left >= 8; i++) {
		snprintf(name, sizeof(name), "tcp.sack.%u", i);
		left = get(o, 4);
		put(o, name, "%" PRIu64 "-%" PRIu64, left, get(o, 4));
	}
}

static void decode_option(struct cursor *o, unsigned kind)
{
	char name[DECODE_NAME];

	if (kind == 2 && o->left == 2) {
		put_number(o, "tcp.mss", 2);
	} else if (kind == 3 && o->left == 1) {
		put_number(o, "tcp.wscale", 1);
	} else if (kind == 4 && o->left == 0) {
		put(o, "tcp.sack_ok", "yes");
	} else if (kind == 5) {
		decode_sack(o);
	} else if (kind == 8 && o->left == 8) {
		put_number(o, "tcp.ts.val", 4);
		put_number(o, "tcp.ts.ecr", 4);
	} else {
		snprintf(name, sizeof(name), "tcp.option.%u", kind);
		put_bytes(o, name);
	}
}

static void decode_options(struct cursor *c, uint32_t bytes)
{
	struct cursor all = *c, one;
	unsigned kind;

	all.left = bytes;
	skip(c, bytes);
	while (all.left > 0) {
		kind = (unsigned)get(&all, 1);
		if (kind == 0)
			return;
		if (kind == 1)
			continue;
		if (all.left < 1 || all.at[0] < 2 || all.at[0] - 1u > all.left) {
			put_bytes(&all, "tcp.options.bad");
			return;
		}
		one = all;
		one.left = (uint32_t)get(&one, 1) - 2;
		skip(&all, 1 + one.left);
		decode_option(&one, kind);
	}
}

static void decode_tcp(struct cursor *c)
{
	static const char names[] = "FSRPAUEC";
	char flags[sizeof(names)];
	uint32_t header, i, n = 0;
	uint64_t word;

	put_number(c, "tcp.sport", 2);
	put_number(c, "tcp.dport", 2);
	put_number(c, "tcp.seq", 4);
	put_number(c, "tcp.ack", 4);
	word = get(c, 2);
	for (i = 0; i < 8; i++)
		if (word & (1u << i))
			flags[n++] = names[i];
	flags[n] = '\0';
	put(c, "tcp.flags", "%s", flags);
	put_number(c, "tcp.window", 2);
	put_hex(c, "tcp.checksum", 2);
	put_number(c, "tcp.urgent", 2);
	header = (uint32_t)(word >> 12) * 4;
	if (header < 20 || header - 20 > c->left)
		put(c, "tcp.offset.bad", "%" PRIu32, header);
	else
		decode_options(c, header - 20);
	put_bytes(c, "payload");
}

static void decode_icmp(struct cursor *c, const char *proto, bool echo)
{
	char name[DECODE_NAME];

	snprintf(name, sizeof(name), "%s.type", proto);
	put_number(c, name, 1);
	snprintf(name, sizeof(name), "%s.code", proto);
	put_number(c, name, 1);
	snprintf(name, sizeof(name), "%s.checksum", proto);
	put_hex(c, name, 2);
	if (echo) {
		snprintf(name, sizeof(name), "%s.id", proto);
		put_number(c, name, 2);
		snprintf(name, sizeof(name), "%s.seq", proto);
		put_number(c, name, 2);
	}
	put_bytes(c, "payload");
}

static void decode_igmp(struct cursor *c)
{
	put_hex(c, "igmp.type", 1);
	put_number(c, "igmp.time", 1);
	put_hex(c, "igmp.checksum", 2);
	if (c->left == 4)
		put_ip(c, "igmp.group", AF_INET);
	put_bytes(c, "payload");
}

static void decode_transport(struct cursor *c, unsigned proto)
{
	if (proto == 17 && c->left >= 8)
		decode_udp(c);
	else if (proto == 6 && c->left >= 20)
		decode_tcp(c);
	else if (proto == 1 && c->left >= 8)
		decode_icmp(c, "icmp", c->at[0] == 0 || c->at[0] == 8);
	else if (proto == 58 && c->left >= 8)
		decode_icmp(c, "icmp6", c->at[0] == 128 || c->at[0] == 129);
	else if (proto == 2 && c->left >= 8)
		decode_igmp(c);
	else
		put_bytes(c, "payload");
}

/* ---- network -------------------------------------------------------------------------------- */

/* What stands behind the IP packet: padding of a short frame. */
static void cut_padding(struct cursor *c, struct cursor *padding, uint32_t length)
{
	*padding = *c;
	padding->left = 0;
	if (length < c->left) {
		padding->at = c->at + length;
		padding->left = c->left - length;
		c->left = length;
	}
}

static void decode_ip4(struct cursor *c)
{
	uint32_t header = (c->at[0] & 15u) * 4, total = (uint32_t)c->at[2] << 8 | c->at[3];
	struct cursor padding;
	unsigned proto;
	uint64_t fragment;

	cut_padding(c, &padding, total < header || header < 20 ? c->left : total);
	put_hex(c, "ip.version_ihl", 1);
	put_hex(c, "ip.tos", 1);
	put_number(c, "ip.length", 2);
	put_number(c, "ip.id", 2);
	fragment = get(c, 2);
	put(c, "ip.fragment", "%s%s%" PRIu64, fragment & 0x4000 ? "DF " : "",
		fragment & 0x2000 ? "MF " : "", (fragment & 0x1fff) * 8);
	put_number(c, "ip.ttl", 1);
	proto = (unsigned)get(c, 1);
	put(c, "ip.proto", "%u", proto);
	put_hex(c, "ip.checksum", 2);
	put_ip(c, "ip.src", AF_INET);
	put_ip(c, "ip.dst", AF_INET);
	if (header > 20 && header - 20 <= c->left) {
		struct cursor options = *c;

		options.left = header - 20;
		put_bytes(&options, "ip.options");
		skip(c, header - 20);
	}
	decode_transport(c, fragment & 0x1fff ? 256 : proto);
	put_bytes(&padding, "padding");
}

static void decode_ip6(struct cursor *c)
{
	uint32_t length = (uint32_t)c->at[4] << 8 | c->at[5];
	struct cursor padding;
	unsigned next;

	cut_padding(c, &padding, 40 + length);
	put_hex(c, "ip6.flow", 4);
	put_number(c, "ip6.length", 2);
	next = (unsigned)get(c, 1);
	put(c, "ip6.next", "%u", next);
	put_number(c, "ip6.hops", 1);
	put_ip(c, "ip6.src", AF_INET6);
	put_ip(c, "ip6.dst", AF_INET6);
	decode_transport(c, next);
	put_bytes(&padding, "padding");
}

static void decode_arp(struct cursor *c)
{
	put_number(c, "arp.hardware", 2);
	put_hex(c, "arp.protocol", 2);
	put_number(c, "arp.hlen", 1);
	put_number(c, "arp.plen", 1);
	put_number(c, "arp.op", 2);
	put_mac(c, "arp.sha");
	put_ip(c, "arp.spa", AF_INET);
	put_mac(c, "arp.tha");
	put_ip(c, "arp.tpa", AF_INET);
	put_bytes(c, "padding");
}

void decode_packet(struct decoded *out, const uint8_t *bytes, uint32_t len)
{
	struct cursor c = {out, bytes, len};
	uint64_t type;

	out->n = 0;
	if (len >= 14) {
		put_mac(&c, "eth.dst");
		put_mac(&c, "eth.src");
		type = get(&c, 2);
		while ((type == 0x8100 || type == 0x88a8) && c.left >= 4) {
			put_hex(&c, "vlan.tci", 2);
			type = get(&c, 2);
		}
		put(&c, "eth.type", "0x%04" PRIx64, type);
		if (type == 0x0800 && c.left >= 20)
			decode_ip4(&c);
		else if (type == 0x86dd && c.left >= 40)
			decode_ip6(&c);
		else if (type == 0x0806 && c.left >= 28)
			decode_arp(&c);
	}
	put_bytes(&c, "data");
}

/* ---- one line ------------------------------------------------------------------------------- */

const struct decode_field *decode_find(const struct decoded *d, const char *name)
{
	unsigned i;

	for (i = 0; i < d->n; i++)
		if (strcmp(d->fields[i].name, name) == 0)
			return &d->fields[i];
	return NULL;
}

static const char *text_of(const struct decoded *d, const char *a, const char *b)
{
	const struct decode_field *f = decode_find(d, a);

	if (!f && b)
		f = decode_find(d, b);
	return f ? f->text : "?";
}

void decode_line(const struct decoded *d, char *buf, size_t size)
{
	const char *src = text_of(d, "ip.src", "ip6.src"), *dst = text_of(d, "ip.dst", "ip6.dst");
	const struct decode_field *payload = decode_find(d, "payload");
	uint32_t len = payload ? payload->len : 0;

	if (decode_find(d, "tcp.seq"))
		snprintf(buf, size, "TCP %s:%s > %s:%s [%s] seq %s ack %s win %s, %" PRIu32
			" bytes", src, text_of(d, "tcp.sport", NULL), dst, text_of(d, "tcp.dport",
			NULL), text_of(d, "tcp.flags", NULL), text_of(d, "tcp.seq", NULL),
			text_of(d, "tcp.ack", NULL), text_of(d, "tcp.window", NULL), len);
	else if (decode_find(d, "mold.seq"))
		snprintf(buf, size, "MoldUDP64 %s > %s:%s session %s seq %s count %s", src, dst,
			text_of(d, "udp.dport", NULL), text_of(d, "mold.session", NULL),
			text_of(d, "mold.seq", NULL), text_of(d, "mold.count", NULL));
	else if (decode_find(d, "udp.sport"))
		snprintf(buf, size, "UDP %s:%s > %s:%s, %" PRIu32 " bytes", src,
			text_of(d, "udp.sport", NULL), dst, text_of(d, "udp.dport", NULL), len);
	else if (decode_find(d, "arp.op"))
		snprintf(buf, size, "ARP op %s, %s (%s) asks %s", text_of(d, "arp.op", NULL),
			text_of(d, "arp.spa", NULL), text_of(d, "arp.sha", NULL),
			text_of(d, "arp.tpa", NULL));
	else if (decode_find(d, "icmp.type") || decode_find(d, "icmp6.type"))
		snprintf(buf, size, "ICMP %s > %s type %s code %s", src, dst,
			text_of(d, "icmp.type", "icmp6.type"),
			text_of(d, "icmp.code", "icmp6.code"));
	else
		snprintf(buf, size, "%s > %s, proto %s", src, dst,
			text_of(d, "ip.proto", "eth.type"));
}

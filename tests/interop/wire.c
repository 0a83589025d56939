/* SPDX-License-Identifier: BSD-3-Clause
 * A seeded wire between two interfaces (veth ends), in user space: it forwards every frame, and
 * loses, duplicates, reorders, delays, corrupts or truncates some. What happens to the n-th frame of
 * a direction depends on the seed and n only. It stands in for netem, which not every kernel has.
 *
 *	wire --a IF --b IF [--seed N] [--loss P] [--dup P] [--reorder P] [--corrupt P] [--truncate P]
 *	     [--delay-us N] [--jitter-us N] [--rate-mbit N] [--for SECONDS]
 *
 * P is a probability (0.01 is one per cent). It runs until SIGINT, SIGTERM or the time is over, and
 * prints what it did. Exit status 0 fine, 1 run-time failure, 2 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 9216, ROOM = 16384, SOCKET_BYTES = 32 << 20 };

struct config {
	const char *ifs[2];
	uint64_t seed;
	double loss, dup, reorder, corrupt, truncate;
	int64_t delay_ns, jitter_ns, rate_mbit, for_s;
};

struct frame {
	int64_t at_ns;
	uint64_t order;
	uint16_t len;
	uint8_t *data;
};

struct direction { /* from one interface to the other */
	int in, out;
	uint64_t state; /* of the generator */
	int64_t free_ns; /* when the link is done with what it carries */
	uint64_t order;
	struct frame heap[ROOM];
	unsigned n;
	uint64_t carried, lost, doubled, reordered, corrupted, truncated, overflowed;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* SplitMix64 */
static uint64_t draw(struct direction *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static bool chance(struct direction *d, double p)
{
	return (double)(draw(d) >> 11) * 0x1p-53 < p;
}

/* ---- frames under way, earliest first ------------------------------------------------------- */

static bool earlier(const struct frame *a, const struct frame *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct direction *d, struct frame f)
{
	unsigned i = d->n++;

	for (; i > 0 && earlier(&f, &d->heap[(i - 1) / 2]); i = (i - 1) / 2)
		d->heap[i] = d->heap[(i - 1) / 2];
	d->heap[i] = f;
}

static struct frame pop(struct direction *d)
{
	struct frame first = d->heap[0], last = d->heap[--d->n];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < d->n) {
		if (child + 1 < d->n && earlier(&d->heap[child + 1], &d->heap[child]))
			child++;
		if (!earlier(&d->heap[child], &last))
			break;
		d->heap[i] = d->heap[child];
		i = child;
	}
	d->heap[i] = last;
	return first;
}

/* ---- what may happen to a frame ------------------------------------------------------------- */

/* It has no checksum, and a real link's CRC would catch what is done here. */
static bool is_arp(const uint8_t *frame)
{
	return frame[12] == 8 && frame[13] == 6;
}

static void carry(const struct config *c, struct direction *d, const uint8_t *data, size_t len,
	int64_t at_ns)
{
	struct frame f = {.at_ns = at_ns, .order = d->order++, .len = (uint16_t)len};

	if (d->n == ROOM || !(f.data = malloc(len))) {
		d->overflowed++;
		return;
	}
	memcpy(f.data, data, len);
	if (chance(d, c->corrupt) && len > 14 && !is_arp(data)) {
		f.data[14 + draw(d) % (len - 14)] ^= (uint8_t)(1 << draw(d) % 8);
		d->corrupted++;
	}
	if (chance(d, c->truncate) && len > 14) {
		f.len = (uint16_t)(14 + draw(d) % (len - 14));
		d->truncated++;
	}
	push(d, f);
}

static void arrive(const struct config *c, struct direction *d, const uint8_t *data, size_t len)
{
	int64_t t = now(), at_ns;

	if (c->rate_mbit) {
		if (d->free_ns < t)
			d->free_ns = t;
		d->free_ns += (int64_t)len * 8000 / c->rate_mbit;
		t = d->free_ns;
	}
	at_ns = t + c->delay_ns;
	if (c->jitter_ns)
		at_ns += (int64_t)(draw(d) % (uint64_t)c->jitter_ns);
	if (chance(d, c->reorder)) {
		at_ns += 500000 + (int64_t)(draw(d) % 1000000);
		d->reordered++;
	}
	if (chance(d, c->loss)) {
		d->lost++;
		return;
	}
	carry(c, d, data, len, at_ns);
	if (chance(d, c->dup)) {
		carry(c, d, data, len, at_ns);
		d->doubled++;
	}
}

static void receive(const struct config *c, struct direction *d)
{
	static uint8_t buf[FRAME];
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t n;
	int i;

	for (i = 0; i < 256; i++) {
		from_len = sizeof(from);
		n = recvfrom(d->in, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
			&from_len);
		if (n <= 0)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING) /* our own, seen again */
			arrive(c, d, buf, (size_t)n);
	}
}

static void deliver(struct direction *d)
{
	int64_t t = now();
	struct frame f;

	while (d->n > 0 && d->heap[0].at_ns <= t) {
		f = pop(d);
		if (send(d->out, f.data, f.len, 0) == f.len)
			d->carried++;
		else
			d->overflowed++;
		free(f.data);
	}
}

/* ---- the outside ---------------------------------------------------------------------------- */

static int open_if(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	const int size = SOCKET_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	at.sll_ifindex = (int)if_nametoindex(name);
	all.mr_ifindex = at.sll_ifindex;
	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0) {
		fprintf(stderr, "wire: %s: %s\n", name, strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static void run(const struct config *c, struct direction d[2])
{
	int64_t end_ns = c->for_s ? now() + c->for_s * 1000000000 : INT64_MAX, t, wait_ns;
	struct pollfd fds[2] = {{.fd = d[0].in, .events = POLLIN}, {.fd = d[1].in, .events = POLLIN}};
	struct timespec ts;
	int i;

	while (!stop && (t = now()) < end_ns) {
		wait_ns = 10000000;
		for (i = 0; i < 2; i++)
			if (d[i].n > 0 && d[i].heap[0].at_ns - t < wait_ns)
				wait_ns = d[i].heap[0].at_ns - t;
		if (wait_ns > 0) {
			ts = (struct timespec){.tv_nsec = wait_ns};
			ppoll(fds, 2, &ts, NULL);
		}
		for (i = 0; i < 2; i++) {
			receive(c, &d[i]);
			deliver(&d[i]);
		}
	}
}

static void report(const char *from, const char *to, const struct direction *d)
{
	printf("wire: %s to %s: carried %llu, lost %llu, doubled %llu, reordered %llu, corrupted %llu, "
	       "truncated %llu, overflowed %llu\n",
		from, to, (unsigned long long)d->carried, (unsigned long long)d->lost,
		(unsigned long long)d->doubled, (unsigned long long)d->reordered,
		(unsigned long long)d->corrupted, (unsigned long long)d->truncated,
		(unsigned long long)d->overflowed);
}

static bool parse(struct config *c, int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		const char *o = argv[i], *v = argv[i + 1];

		if (strcmp(o, "--a") == 0)
			c->ifs[0] = v;
		else if (strcmp(o, "--b") == 0)
			c->ifs[1] = v;
		else if (strcmp(o, "--seed") == 0)
			c->seed = strtoull(v, NULL, 10);
		else if (strcmp(o, "--loss") == 0)
			c->loss = atof(v);
		else if (strcmp(o, "--dup") == 0)
			c->dup = atof(v);
		else if (strcmp(o, "--reorder") == 0)
			c->reorder = atof(v);
		else if (strcmp(o, "--corrupt") == 0)
			c->corrupt = atof(v);
		else if (strcmp(o, "--truncate") == 0)
			c->truncate = atof(v);
		else if (strcmp(o, "--delay-us") == 0)
			c->delay_ns = atoll(v) * 1000;
		else if (strcmp(o, "--jitter-us") == 0)
			c->jitter_ns = atoll(v) * 1000;
		else if (strcmp(o, "--rate-mbit") == 0)
			c->rate_mbit = atoll(v);
		else if (strcmp(o, "--for") == 0)
			c->for_s = atoll(v);
		else
			return false;
	}
	return i == argc && c->ifs[0] && c->ifs[1];
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	static struct direction d[2];
	struct config c = {.seed = 1};
	int a, b;

	if (!parse(&c, argc, argv)) {
		fprintf(stderr, "usage: wire --a IF --b IF [--seed N] [--loss P] [--dup P] [--reorder P] "
			"[--corrupt P] [--truncate P] [--delay-us N] [--jitter-us N] [--rate-mbit N] "
			"[--for SECONDS]\n");
		return 2;
	}
	a = open_if(c.ifs[0]);
	b = a < 0 ? -1 : open_if(c.ifs[1]);
	if (b < 0)
		return 1;
	d[0].in = d[1].out = a;
	d[1].in = d[0].out = b;
	d[0].state = c.seed;
	d[1].state = ~c.seed;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	printf("wire: %s and %s are joined\n", c.ifs[0], c.ifs[1]);
	fflush(stdout);
	run(&c, d);
	report(c.ifs[0], c.ifs[1], &d[0]);
	report(c.ifs[1], c.ifs[0], &d[1]);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 * The apps' common command line and summary.
 */
#include "apps/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void args_complain(const struct args *a, const char *fmt, ...)
{
	va_list list;

	fprintf(stderr, "%s: ", a->app);
	va_start(list, fmt);
	vfprintf(stderr, fmt, list);
	va_end(list);
	fputc('\n', stderr);
}

static void print_usage(const struct args *a, FILE *to)
{
	fprintf(to, "usage: %s [EAL arguments] -- --ip ADDR/LEN %s\n", a->app, a->usage);
}

static uint64_t number(const struct args *a, const char *name, const char *text, uint64_t min,
	uint64_t max)
{
	char *end = NULL;
	uint64_t n = 0;

	errno = 0;
	if (text[0] >= '0' && text[0] <= '9')
		n = strtoull(text, &end, 10);
	if (!end || *end != '\0' || errno || n < min || n > max) {
		args_complain(a, "%s wants a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
			name, min, max, text);
		exit(EXIT_USAGE);
	}
	return n;
}

static unsigned choice(const struct args *a, const char *name, const char *text,
	const char *first, const char *second)
{
	if (strcmp(text, first) == 0)
		return 0;
	if (strcmp(text, second) == 0)
		return 1;
	args_complain(a, "%s wants %s or %s, not '%s'", name, first, second, text);
	exit(EXIT_USAGE);
}

/* What is not said is asked of NICs, and not of vdevs. */
static void set_offloads(struct args *a, const char *name, const char *text)
{
	a->cfg.no_offloads = choice(a, name, text, "off", "soft") == 0;
	a->cfg.soft_offloads = !a->cfg.no_offloads;
}

static void add_ip(struct args *a, const char *text)
{
	if (a->n_ips == ARGS_MAX_IPS) {
		args_complain(a, "at most %u addresses can be given", (unsigned)ARGS_MAX_IPS);
		exit(EXIT_USAGE);
	}
	a->ips[a->n_ips++] = text;
}

static void set_gateway(struct args *a, const char *text)
{
	if (strchr(text, ':'))
		a->cfg.gw6 = text;
	else
		a->cfg.gw4 = text;
}

/* Options that every app has. Returns false if name is none of them. */
static bool common_option(struct args *a, const char *name, const char *value)
{
	struct perch_config *c = &a->cfg;

	if (strcmp(name, "--ip") == 0 || strcmp(name, "--ip6") == 0)
		add_ip(a, value);
	else if (strcmp(name, "--gw") == 0)
		set_gateway(a, value);
	else if (strcmp(name, "--mtu") == 0)
		c->mtu = (uint16_t)number(a, name, value, 576, 9600);
	else if (strcmp(name, "--vlan") == 0)
		c->vlan = (uint16_t)number(a, name, value, 1, 4094);
	else if (strcmp(name, "--rx-burst") == 0)
		c->rx_burst = (uint16_t)number(a, name, value, 1, 32);
	else if (strcmp(name, "--max-conns") == 0)
		c->max_conns = (uint32_t)number(a, name, value, 1, 100000000);
	else if (strcmp(name, "--mbufs") == 0)
		c->mbufs = (uint32_t)number(a, name, value, 256, 100000000);
	else if (strcmp(name, "--profile") == 0)
		c->profile = choice(a, name, value, "latency", "wan") ? PERCH_WAN : PERCH_LATENCY;
	else if (strcmp(name, "--offloads") == 0)
		set_offloads(a, name, value);
	else if (strcmp(name, "--cc") == 0)
		c->cc = value;
	else if (strcmp(name, "--idle") == 0)
		c->idle = choice(a, name, value, "busy", "backoff") ? PERCH_BACK_OFF
		                                                    : PERCH_BUSY_POLL;
	else if (strcmp(name, "--until-idle") == 0)
		c->until_idle_ns = (int64_t)number(a, name, value, 1, 86400000) * 1000000;
	else if (strcmp(name, "--record") == 0)
		c->record = value;
	else if (strcmp(name, "--record-mb") == 0)
		c->record_mb = (uint32_t)number(a, name, value, 1, 65536);
	else if (strcmp(name, "--record-last") == 0) {
		c->record_mb = (uint32_t)number(a, name, value, 1, 65536);
		c->record_last = true;
	} else if (strcmp(name, "--seed") == 0)
		c->seed = number(a, name, value, 1, UINT64_MAX);
	else
		return false;
	return true;
}

static const struct args_option *find_own(const struct args_option *own, const char *name)
{
	for (; own->name; own++)
		if (strcmp(own->name, name) == 0)
			return own;
	return NULL;
}

static void one_option(struct args *a, const struct args_option *own, char ***at)
{
	const char *name = **at, *value = (*at)[1];
	const struct args_option *mine = find_own(own, name);

	(*at)++;
	if (mine && mine->kind == ARGS_FLAG) {
		*(uint64_t *)mine->value = 1;
		return;
	}
	if (!value) {
		args_complain(a, "%s is unknown, or wants a value", name);
		exit(EXIT_USAGE);
	}
	if (mine && mine->kind == ARGS_TEXT) {
		*(const char **)mine->value = value;
	} else if (mine) {
		*(uint64_t *)mine->value = number(a, name, value, mine->min, mine->max);
	} else if (!common_option(a, name, value)) {
		args_complain(a, "unknown option '%s'", name);
		exit(EXIT_USAGE);
	}
	(*at)++;
}

static char **find_separator(char **argv)
{
	for (; *argv; argv++)
		if (strcmp(*argv, "--") == 0)
			return argv;
	return NULL;
}

static bool asks(const char *arg, const char *brief, const char *full)
{
	return strcmp(arg, brief) == 0 || strcmp(arg, full) == 0;
}

void args_parse(struct args *a, int argc, char **argv, const struct args_option *own)
{
	char **at = find_separator(argv);

	if (argc < 2) {
		print_usage(a, stderr);
		exit(EXIT_USAGE);
	}
	if (!at && asks(argv[1], "-V", "--version")) {
		printf("%s %s\n", a->app, PERCH_VERSION);
		exit(EXIT_FINE);
	}
	if ((!at && asks(argv[1], "-h", "--help")) || (at && at[1] && asks(at[1], "-h", "--help"))) {
		print_usage(a, stdout);
		exit(EXIT_FINE);
	}
	if (!at) {
		args_complain(a, "'--' is missing: EAL's arguments come before it, the app's after");
		exit(EXIT_USAGE);
	}
	a->cfg.eal_argc = (int)(at - argv) - 1;
	a->cfg.eal_argv = argv + 1;
	at++;
	while (*at && (*at)[0] == '-')
		one_option(a, own, &at);
	a->rest = at;
	if (a->n_ips == 0) {
		args_complain(a, "--ip ADDR/LEN is missing, for example --ip 10.99.0.2/24");
		exit(EXIT_USAGE);
	}
	a->cfg.addrs = a->ips;
}

int args_open(const struct args *a, struct perch **engine)
{
	struct perch_why why;
	int rc = perch_open(engine, &a->cfg, &why);

	if (rc == 0)
		return EXIT_FINE;
	args_complain(a, "%s", why.text);
	return rc == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME;
}

void args_summary(const struct args *a, const struct perch *engine)
{
	struct perch_counter *c;
	unsigned i, n = perch_counters(engine, PERCH_EVERY_LCORE, NULL, 0);

	c = calloc(n, sizeof(*c));
	if (!c)
		return;
	perch_counters(engine, PERCH_EVERY_LCORE, c, n);
	printf("%s: summary over %u lcore%s\n", a->app, perch_lcores(engine),
		perch_lcores(engine) == 1 ? "" : "s");
	for (i = 0; i < n; i++)
		if (c[i].value)
			printf("  %-26s %14" PRIu64 "  %s\n", c[i].name, c[i].value, c[i].text);
	fflush(stdout);
	free(c);
}

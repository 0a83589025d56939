/* SPDX-License-Identifier: BSD-3-Clause
 * perch-pcapdiff: do two captures hold the same packets? If not, where do they first differ, in the
 * words of the protocols?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare.h"

static const char usage[] =
	"usage: perch-pcapdiff [OPTIONS] A B\n"
	"  --time NS        times may differ by NS nanoseconds\n"
	"  --any-time       times do not matter\n"
	"  --ignore FIELDS  fields that do not matter: tcp.seq,ip.checksum,tcp.ts (a group), ...\n"
	"  --show N         describe the first N differences (default 1)\n"
	"Exit status: 0 the same, 1 different, 2 a file cannot be read or a wrong option.\n";

static int complain(const char *about, const char *what)
{
	fprintf(stderr, "perch-pcapdiff: %s%s\n%s", about, what, usage);
	return 2;
}

static bool number(const char *text, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return end != text && *end == '\0' && errno == 0 && *out >= 0;
}

static bool add_ignored(struct compare_options *o, char *list)
{
	char *field, *rest;

	for (field = strtok_r(list, ",", &rest); field; field = strtok_r(NULL, ",", &rest)) {
		if (o->n_ignored == COMPARE_IGNORED)
			return false;
		o->ignored[o->n_ignored++] = field;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct compare_options o = {.show = 1};
	char digest[65];
	int64_t n;
	int i, status;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			return 0;
		} else if (strcmp(argv[i], "--any-time") == 0) {
			o.any_time = true;
		} else if (i + 1 == argc) {
			return complain(argv[i], " is unknown, or wants a value");
		} else if (strcmp(argv[i], "--time") == 0 && number(argv[i + 1], &n)) {
			o.time_ns = n;
			i++;
		} else if (strcmp(argv[i], "--show") == 0 && number(argv[i + 1], &n)) {
			o.show = (uint64_t)n;
			i++;
		} else if (strcmp(argv[i], "--ignore") == 0 && add_ignored(&o, argv[i + 1])) {
			i++;
		} else {
			return complain(argv[i], " is unknown, or its value is wrong");
		}
	}
	if (argc - i != 2)
		return complain("", "two captures are wanted");
	status = compare_files("perch-pcapdiff", argv[i], argv[i + 1], &o);
	for (; status < 2 && i < argc; i++)
		if (digest_file("perch-pcapdiff", argv[i], digest))
			printf("sha256 %s  %s\n", digest, argv[i]);
	return status;
}

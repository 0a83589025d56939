/* SPDX-License-Identifier: BSD-3-Clause
 * A fuzz target's main where there is no fuzzing engine: it runs the files of the folders, or the
 * files, that it is given. A finding ends the process, as it does under an engine.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/target.h"

enum { INPUT_MAX = 1 << 16 };

static unsigned n_run;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;
	size_t len;

	if (!f) {
		perror(path);
		return 1;
	}
	bytes = malloc(INPUT_MAX);
	len = fread(bytes, 1, INPUT_MAX, f);
	fclose(f);
	/* An input in a block of its own size: reading behind it is an error to ASan. */
	bytes = realloc(bytes, len ? len : 1);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, len);
	free(bytes);
	n_run++;
	return 0;
}

static int run_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char file[1024];
	int rc = 0;

	if (!d)
		return run_file(path);
	while ((e = readdir(d))) {
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			rc |= run_file(file);
	}
	closedir(d);
	return rc;
}

int main(int argc, char **argv)
{
	int i, rc = 0;

	LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++)
		rc |= run_folder(argv[i]);
	printf("%u inputs replayed\n", n_run);
	return rc || n_run == 0 ? 1 : 0;
}

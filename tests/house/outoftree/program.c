/* SPDX-License-Identifier: BSD-3-Clause
 * A user's program: it knows the installed <perch.h> and nothing else. A mistake in a configuration
 * is refused with a sentence; then an engine without root or huge pages opens, turns and stops.
 */
#include <perch.h>
#include <stdio.h>

static void answer(void *arg)
{
	*(bool *)arg = perch_now() > 0;
	perch_stop(perch_self());
}

int main(void)
{
	const char *vdevs[] = {"net_null0", NULL}, *addrs[] = {"10.99.0.2/24", NULL};
	struct perch_config cfg = {.no_huge = true, .memory_mb = 128, .vdevs = vdevs};
	struct perch_why why = {.text = ""};
	struct perch *engine = NULL;
	bool ran = false;
	int turns = 0;

	if (perch_open(&engine, &cfg, &why) >= 0 || why.text[0] == '\0')
		return printf("no address, and no complaint\n"), 1;
	cfg.addrs = addrs;
	if (perch_open(&engine, &cfg, &why) < 0)
		return printf("%s\n", why.text), 1;
	perch_start(engine, 0, answer, &ran, 0);
	while (turns++ < 10000000 && perch_poll(engine, 16) >= 0)
		;
	perch_close(engine);
	return printf("ran: %d\n", ran), ran ? 0 : 1;
}

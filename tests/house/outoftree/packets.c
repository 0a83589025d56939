/* SPDX-License-Identifier: BSD-3-Clause
 * A user's program that knows DPDK, too: it is built, and not run.
 */
#include <perch_mbuf.h>

static void echo(struct perch_conn *c, void *arg)
{
	struct rte_mbuf *m;

	(void)arg;
	while (perch_next_mbuf(c, &m, PERCH_FOREVER) > 0) {
		if (perch_write_mbuf(c, m, PERCH_FOREVER) < 0) {
			rte_pktmbuf_free(m);
			break;
		}
	}
}

int main(void)
{
	return perch_listen(NULL, NULL, 7, echo, NULL) == 0;
}

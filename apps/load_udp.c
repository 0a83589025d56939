/* SPDX-License-Identifier: BSD-3-Clause
 * The UDP load. A datagram carries when it was due, so that its answer needs no book-keeping, and
 * one that is lost, late or duplicated confuses nobody.
 */
#include <errno.h>
#include <string.h>

#include "apps/load.h"

/* So long after the last answer, those still out are given up. */
#define PATIENCE_NS INT64_C(500000000)

#define NOT_OUT (-1) /* in a job's ring, which holds the numbers of those that are out */

struct stamp { /* how each datagram begins */
	uint32_t job, number;
	int64_t due_ns;
};

static int64_t *slot(const struct load_job *j, uint32_t number)
{
	return &j->ring[number & j->worker->load->ring_mask];
}

static void give_up(struct load_job *j, int64_t *out)
{
	if (*out == NOT_OUT)
		return;
	*out = NOT_OUT;
	j->tail++;
	j->worker->lost += j->worker->phase == LOAD_MEASURES;
}

bool load_udp_send(struct load_job *j, int64_t due_ns)
{
	const struct load *l = j->worker->load;
	struct stamp stamp = {j->number, j->head, due_ns};
	uint8_t message[LOAD_LARGEST_DATAGRAM];
	int rc;

	if (!j->udp || j->head - j->tail >= l->depth)
		return false;
	memcpy(message, l->out, l->size);
	memcpy(message, &stamp, sizeof(stamp));
	rc = perch_send(j->udp, &l->to, message, l->size);
	if (rc < 0) {
		load_failed(j->worker, rc);
		return false;
	}
	give_up(j, slot(j, j->head)); /* a whole ring of later ones has overtaken it */
	*slot(j, j->head) = j->head;
	j->head++;
	return true;
}

static bool is_answer(struct load_job *j, const struct perch_datagram *d, struct stamp *stamp)
{
	if (d->len < sizeof(*stamp))
		return false;
	memcpy(stamp, d->data, sizeof(*stamp));
	return stamp->job == j->number && *slot(j, stamp->number) == stamp->number;
}

void load_udp(struct load_job *j)
{
	struct load_worker *w = j->worker;
	bool closed_loop = w->interval_ns == 0;
	struct perch_datagram d;
	struct stamp stamp;
	uint32_t i;
	int rc;

	for (i = 0; i <= w->load->ring_mask; i++)
		j->ring[i] = NOT_OUT;
	for (;;) {
		while (closed_loop && load_udp_send(j, perch_now()))
			;
		rc = perch_recv(j->udp, &d, perch_now() + PATIENCE_NS);
		if (rc == -ETIMEDOUT) {
			for (i = 0; i <= w->load->ring_mask; i++)
				give_up(j, &j->ring[i]);
		} else if (rc < 0) {
			return;
		} else if (is_answer(j, &d, &stamp)) {
			*slot(j, stamp.number) = NOT_OUT;
			j->tail++;
			if (w->load->check)
				w->wrong += memcmp((const uint8_t *)d.data + sizeof(stamp),
					w->load->out + sizeof(stamp), d.len - sizeof(stamp)) != 0;
			load_answered(w, stamp.due_ns, d.len);
		}
	}
}

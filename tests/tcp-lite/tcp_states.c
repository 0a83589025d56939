/* SPDX-License-Identifier: BSD-3-Clause
 * Every kind of segment in every state: RFC 9293 section 3.10.7 as a table, with RFC 5961 and
 * RFC 1337 where they change it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/tcp-lite/talk.h"

/* ---- the ways into the states --------------------------------------------------------------- */

static struct perch_tcb *newest(void)
{
	struct perch_tcb *c, *last = NULL;
	uint32_t next = 0;

	while ((c = perch_tcp_each(talk.net, &next)))
		last = c;
	return last;
}

static void closed(void)
{
}

static void listen_state(void)
{
	listens();
}

static void syn_sent(void)
{
	dials();
	tx("S 0");
	talk.our_isn++; /* so that ack 0 is right here, too */
}

static void syn_received(void)
{
	listens();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	talk.c = newest();
}

static void established(void)
{
	accepts("mss 1000");
}

static void fin_wait_1(void)
{
	established();
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1 ack 1");
}

static void fin_wait_2(void)
{
	fin_wait_1();
	ignored("A 1 ack 2");
}

static void close_wait(void)
{
	established();
	rx("FA 1 ack 1");
	tx("A 1 ack 2");
}

static void closing(void)
{
	fin_wait_1();
	rx("FA 1 ack 1");
	tx("A 2 ack 2");
}

static void last_ack(void)
{
	close_wait();
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1 ack 2");
}

static void time_wait(void)
{
	fin_wait_2();
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
}

enum { SR, ES, F1, F2, CW, CL, LA, TW, STATES };

static const struct {
	const char *code, *name;
	void (*enter)(void);
} states[STATES] = {
	[SR] = {"SR", "SYN-RECEIVED", syn_received},
	[ES] = {"ES", "ESTABLISHED", established},
	[F1] = {"F1", "FIN-WAIT-1", fin_wait_1},
	[F2] = {"F2", "FIN-WAIT-2", fin_wait_2},
	[CW] = {"CW", "CLOSE-WAIT", close_wait},
	[CL] = {"CL", "CLOSING", closing},
	[LA] = {"LA", "LAST-ACK", last_ack},
	[TW] = {"TW", "TIME-WAIT", time_wait},
};

/* ---- section 3.10.7.4 ----------------------------------------------------------------------- */

/* Sequence numbers count from RCV.NXT and SND.NXT. What happens in each state is written as the
 * answer and the state that follows. Answers: "." none; "A" an ACK of RCV.NXT; "T" the same, and
 * ten bytes can be read; "R" the RST that SEG.ACK asks for; "S" SYN-ACK. XX is CLOSED. */
static const struct {
	const char *what, *segment, *then;
} kinds[] = {
	/*                                                  SR  ES  F1  F2  CW  CL  LA  TW */
	{"ACK of all", "A 0 ack 0",                         ".ES .ES .F2 .F2 .CW .TW .XX .TW"},
	{"ACK of less", "A 0 ack -1",                       "RSR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"ACK too old", "A 0 ack -100000",                  "RSR AES AF1 AF2 ACW ACL ALA ATW"},
	{"ACK of the future", "A 0 ack 1",                  "RSR AES AF1 AF2 ACW ACL ALA ATW"},
	{"no flag", "0 0",                                  ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"keepalive", "A -1 ack 0",                         "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"keepalive byte", "A -1:0 ack 0",                  "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"ACK beyond", "A 70000 ack 0",                     "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"text", "PA 0:10 ack 0",                           "TES TES TF2 TF2 ACW ATW .XX ATW"},
	{"text, ACK of less", "PA 0:10 ack -1",             "RSR TES TF1 TF2 ACW ACL ALA ATW"},
	{"text, URG", "UPA 0:10 ack 0 urg 9",               "TES TES TF2 TF2 ACW ATW .XX ATW"},
	{"text without ACK", "P 0:10",                      ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"text, ACK too old", "A 0:10 ack -100000",         "RSR AES AF1 AF2 ACW ACL ALA ATW"},
	{"text, ACK of the future", "A 0:10 ack 1",         "RSR AES AF1 AF2 ACW ACL ALA ATW"},
	{"text, partly old", "A -5:10 ack 0",               "TES TES TF2 TF2 ACW ATW .XX ATW"},
	{"text, all old", "A -10:0 ack 0",                  "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"text behind a hole", "A 90:100 ack 0",            "AES AES AF2 AF2 ACW ATW .XX ATW"},
	{"text beyond", "A 70000:70010 ack 0",              "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"FIN", "FA 0 ack 0",                               "ACW ACW ATW ATW ACW ATW .XX ATW"},
	{"FIN, ACK of less", "FA 0 ack -1",                 "RSR ACW ACL ATW ACW ACL ALA ATW"},
	{"FIN with text", "FPA 0:10 ack 0",                 "TCW TCW TTW TTW ACW ATW .XX ATW"},
	{"FIN behind a hole", "FA 10 ack 0",                "AES AES AF2 AF2 ACW ATW .XX ATW"},
	{"FIN without ACK", "F 0",                          ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"FIN beyond", "FA 70000 ack 0",                    "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"FIN, old", "FA -1 ack 0",                         "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"RST", "R 0",                                      ".XX .XX .XX .XX .XX .XX .XX .TW"},
	{"RST, ACK", "RA 0 ack 0",                          ".XX .XX .XX .XX .XX .XX .XX .TW"},
	{"RST, ACK of anything", "RA 0 ack 7",              ".XX .XX .XX .XX .XX .XX .XX .TW"},
	{"RST with text", "R 0:5",                          ".XX .XX .XX .XX .XX .XX .XX .TW"},
	{"RST in the window", "R 1",                        "ASR AES AF1 AF2 ACW ACL ALA .TW"},
	{"RST far in the window", "R 65000",                "ASR AES AF1 AF2 ACW ACL ALA .TW"},
	{"RST at the edge", "R 65535",                      ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"RST beyond", "R 70000",                           ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"RST, old", "R -1",                                ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"SYN at RCV.NXT", "S 0",                           "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"SYN in the window", "S 9",                        "ASR AES AF1 AF2 ACW ACL ALA SSR"},
	{"SYN beyond", "S 100000",                          "ASR AES AF1 AF2 ACW ACL ALA SSR"},
	{"SYN, old", "S -9",                                "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"SYN with text", "S 0:5",                          "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"SYN, ACK", "SA 9 ack 0",                          "ASR AES AF1 AF2 ACW ACL ALA ATW"},
	{"SYN, FIN", "SF 0",                                ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"SYN, RST", "SR 0",                                ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"bad checksum", "A 0:10 ack 0 badsum",             ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"header too short", "A 0:10 ack 0 off 4",          ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
	{"header too long", "A 0 ack 0 off 9",              ".SR .ES .F1 .F2 .CW .CL .LA .TW"},
};

/* ---- sections 3.10.7.1 to 3.10.7.3 ---------------------------------------------------------- */

struct cell {
	const char *what, *segment;
	const char *answer; /* NULL: none */
	const char *after;  /* the state, where there is a connection */
};

static const struct cell in_closed[] = {
	{"ACK", "A 5 ack 9", "R 9", NULL},
	{"text", "PA 5:15 ack 9", "R 9", NULL},
	{"text without ACK", "P 5:15", "RA 0 ack 15", NULL},
	{"SYN", "S 5", "RA 0 ack 6", NULL},
	{"SYN with text", "S 5:15", "RA 0 ack 16", NULL},
	{"SYN, ACK", "SA 5 ack 9", "R 9", NULL},
	{"FIN", "FA 5 ack 9", "R 9", NULL},
	{"FIN without ACK", "F 5", "RA 0 ack 6", NULL},
	{"no flag", "0 5", "RA 0 ack 5", NULL},
	{"RST", "R 5", NULL, NULL},
	{"RST, ACK", "RA 5 ack 9", NULL, NULL},
	{"SYN, FIN", "SF 5", NULL, NULL},
	{"bad checksum", "S 5 badsum", NULL, NULL},
};

static const struct cell in_listen[] = {
	{"ACK", "A 5 ack 9", "R 9", NULL},
	{"text", "PA 5:15 ack 9", "R 9", NULL},
	{"text without ACK", "P 5:15", NULL, NULL},
	{"SYN", "S 5", "SA 0 ack 6", NULL},
	{"SYN, URG, PSH", "SUP 5 urg 1", "SA 0 ack 6", NULL},
	{"SYN with text", "S 5:15", "SA 0 ack 6", NULL},
	{"SYN, ACK", "SA 5 ack 9", "R 9", NULL},
	{"FIN", "FA 5 ack 9", "R 9", NULL},
	{"FIN without ACK", "F 5", NULL, NULL},
	{"no flag", "0 5", NULL, NULL},
	{"RST", "R 5", NULL, NULL},
	{"RST, ACK", "RA 5 ack 9", NULL, NULL},
	{"SYN, FIN", "SF 5", NULL, NULL},
	{"SYN, RST", "SR 5", NULL, NULL},
	{"bad checksum", "S 5 badsum", NULL, NULL},
};

static const struct cell in_syn_sent[] = {
	{"SYN, ACK", "SA 5 ack 0", "A 0 ack 6", "ESTABLISHED"},
	{"SYN, ACK of less", "SA 5 ack -1", "R -1", "SYN-SENT"},
	{"SYN, ACK of the future", "SA 5 ack 1", "R 1", "SYN-SENT"},
	{"SYN", "S 5", "SA 0 ack 6", "SYN-RECEIVED"},
	{"ACK", "A 5 ack 0", NULL, "SYN-SENT"},
	{"ACK of less", "A 5 ack -1", "R -1", "SYN-SENT"},
	{"ACK of the future", "A 5 ack 1", "R 1", "SYN-SENT"},
	{"text", "A 5:15 ack 0", NULL, "SYN-SENT"},
	{"text without ACK", "P 5:15", NULL, "SYN-SENT"},
	{"FIN", "FA 5 ack 0", NULL, "SYN-SENT"},
	{"no flag", "0 5", NULL, "SYN-SENT"},
	{"RST", "R 5", NULL, "SYN-SENT"},
	{"RST, ACK", "RA 5 ack 0", NULL, "CLOSED"},
	{"RST, ACK of less", "RA 5 ack -1", NULL, "SYN-SENT"},
	{"RST, ACK of the future", "RA 5 ack 1", NULL, "SYN-SENT"},
	{"SYN, FIN", "SF 5", NULL, "SYN-SENT"},
	{"SYN, ACK, RST", "SRA 5 ack 0", NULL, "SYN-SENT"},
	{"bad checksum", "SA 5 ack 0 badsum", NULL, "SYN-SENT"},
};

/* ---- running them --------------------------------------------------------------------------- */

enum { KINDS = RTE_DIM(kinds) };

static const struct {
	const char *name;
	void (*enter)(void);
	const struct cell *cells;
	unsigned n;
} others[] = {
	{"3.10.7.1 CLOSED", closed, in_closed, RTE_DIM(in_closed)},
	{"3.10.7.2 LISTEN", listen_state, in_listen, RTE_DIM(in_listen)},
	{"3.10.7.3 SYN-SENT", syn_sent, in_syn_sent, RTE_DIM(in_syn_sent)},
};

enum { MOST = STATES * KINDS + 64 };

static struct suite_case cases[MOST + 1];
static char names[MOST][64];
static struct {
	unsigned table, row; /* table: a state, or STATES and on for those of `others` */
} cell_of[MOST];

static void answered(const char answer, const char *segment)
{
	uint32_t ack;
	char text[64];

	switch (answer) {
	case '.':
		no_tx();
		return;
	case 'R':
		sscanf(strstr(segment, "ack "), "ack %u", &ack);
		snprintf(text, sizeof(text), "R %u", ack);
		break;
	case 'S':
		snprintf(text, sizeof(text), "SA 0");
		talk.c = newest(); /* in TIME-WAIT it is another one */
		break;
	default:
		snprintf(text, sizeof(text), "A 0 ack %u", talk.c->rcv_nxt - talk.peer_isn);
	}
	tx(text);
	no_tx();
}

static const char *state_called(const char *code)
{
	unsigned i;

	for (i = 0; i < STATES; i++)
		if (strncmp(states[i].code, code, 2) == 0)
			return states[i].name;
	return "CLOSED";
}

static void run_kind(unsigned in, unsigned kind)
{
	const char *then = kinds[kind].then + in * 4;

	talk_begin();
	states[in].enter();
	state(states[in].name);
	rebase();
	rx(kinds[kind].segment);
	answered(then[0], kinds[kind].segment);
	state(state_called(then + 1));
	check(perch_tcp_readable(talk.c) == (then[0] == 'T' ? 10 : 0));
	talk_end();
}

static void run_cell(void)
{
	unsigned i = (unsigned)(suite_now() - cases), table = cell_of[i].table;
	const struct cell *cell;

	if (table < STATES) {
		run_kind(table, cell_of[i].row);
		return;
	}
	cell = &others[table - STATES].cells[cell_of[i].row];
	talk_begin();
	others[table - STATES].enter();
	rx(cell->segment);
	if (cell->answer)
		tx(cell->answer);
	no_tx();
	if (cell->after)
		state(cell->after);
	talk_end();
}

static unsigned n_cases;

static void add(unsigned table, unsigned row, const char *where, const char *what)
{
	snprintf(names[n_cases], sizeof(names[0]), "%s: %s", where, what);
	cell_of[n_cases].table = table;
	cell_of[n_cases].row = row;
	cases[n_cases] = (struct suite_case){names[n_cases], run_cell};
	n_cases++;
}

int main(int argc, char **argv)
{
	char where[40];
	unsigned i, k;

	for (i = 0; i < RTE_DIM(others); i++)
		for (k = 0; k < others[i].n; k++)
			add(STATES + i, k, others[i].name, others[i].cells[k].what);
	for (i = 0; i < STATES; i++) {
		snprintf(where, sizeof(where), "3.10.7.4 %s", states[i].name);
		for (k = 0; k < KINDS; k++)
			add(i, k, where, kinds[k].what);
	}
	return talk_main("tcp states", cases, argc, argv);
}

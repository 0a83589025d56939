/* SPDX-License-Identifier: BSD-3-Clause
 * perch-replay: runs an app that uses perch from captures, under a virtual clock, and looks at what
 * it sent. The app does not know: what to play goes to the engine in it by PERCH_REPLAY.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/compare.h"
#include "tools/recorded.h"

enum { FINE = 0, RUNTIME = 1, USAGE = 2, PORTS = 8, TEXT = 16384, PATH = 1024 };

static const char usage[] =
	"usage: perch-replay --rx [pN=]CAPTURE ... [OPTIONS] -- APP ARGS\n"
	"       perch-replay --rx RECORDING [OPTIONS] [-- [DEBUGGER] APP]\n"
	"A recording (--record of every app, or PERCH_RECORD) knows how its app was started: an\n"
	"APP without arguments, at the end of a command, is given those.\n"
	"  --rx [pN=]FILE     what port N receives (p0 if not said); several are merged by time\n"
	"  --tx [pN=]FILE     write what port N sends\n"
	"  --expect [pN=]FILE what it should send: exit status 1 and the first difference if not\n"
	"  --regen            write that file anew instead\n"
	"  --ignore FIELDS    fields that may differ from --expect; see perch-pcapdiff\n"
	"  --seed N           seed of the engine and of the faults (default 1)\n"
	"  --speed virtual|max|Nx   from event to event (default), in full bursts, or at N times\n"
	"                     the captures' pace\n"
	"  --loop N           play the captures N times\n"
	"  --fault RULE       drop|duplicate|delay|reorder|corrupt:p=P|packet=A-B|seq=A-B[,ns=N]\n"
	"                     [,by=N][,byte=N]; may be given several times\n"
	"  --filter EXPR      take only these packets of the captures; see pcap-filter(7)\n"
	"  --backwards clamp|sort|error    times that go backwards\n"
	"  --snapped error|skip|pass       packets cut by a snap length\n"
	"  --truncated error|skip          a file that ends within a packet\n"
	"  --checksums verify|ignore|fix   of received packets\n"
	"  --peers ours|captured  TCP clients of a capture talk to a listener in APP, whose ISN\n"
	"                     is its own, or, in what is sent, that of the captured server\n"
	"  --vlan keep|strip  the outer tag of received packets\n"
	"  --mac [pN=]ADDR    of the port (default: whom the captures' packets are for)\n"
	"  --tx-cost NS       from a turn to the time of what it sent (default 0)\n"
	"  --linger NS        virtual time from the last packet to the stop (default 1 s)\n"
	"  --lcores N         run that many lcores, always in the same order\n"
	"  --override         play a recording although APP ARGS are others than it was made with\n"
	"Exit status: that of APP, 1 when the output differs, 2 for a wrong command line.\n";

struct port {
	const char *expect;
	char out[PATH];
	bool has_out, temporary;
};

struct replay {
	char text[TEXT]; /* PERCH_REPLAY */
	size_t n;
	struct port ports[PORTS];
	bool any_rx, regen, override;
	struct compare_options compare;
	const char *recording; /* the first --rx file that is one, or NULL */
	struct recorded recorded;
	char **app; /* NULL: not said */
};

struct report {
	uint64_t rx, tx, virtual_ns, wall_ns;
	char rest[512], error[256], warning[256];
};

static void die(int status, const char *about, const char *what)
{
	fprintf(stderr, "perch-replay: %s%s\n", about, what);
	exit(status);
}

/* ---- the command line ----------------------------------------------------------------------- */

static void say(struct replay *r, const char *key, const char *value)
{
	int n = snprintf(r->text + r->n, sizeof(r->text) - r->n, "%s=%s\n", key, value);

	if (strchr(value, '\n'))
		die(USAGE, key, ": a line break in an option");
	if (n < 0 || (size_t)n >= sizeof(r->text) - r->n)
		die(USAGE, "", "too many options");
	r->n += (size_t)n;
}

/* "p1=FILE", or "FILE": port 0. */
static const char *port_of(const char *text, unsigned *port)
{
	char *end;
	unsigned long n;

	*port = 0;
	if (text[0] != 'p' || text[1] < '0' || text[1] > '9')
		return text;
	n = strtoul(text + 1, &end, 10);
	if (*end != '=')
		return text;
	if (n >= PORTS)
		die(USAGE, text, ": ports go from p0 to p7");
	*port = (unsigned)n;
	return end + 1;
}

static void say_of_port(struct replay *r, const char *key, const char *value)
{
	char text[PATH + 8];
	unsigned port;

	value = port_of(value, &port);
	if (strlen(value) >= PATH)
		die(USAGE, key, ": too long");
	snprintf(text, sizeof(text), "%u:%s", port, value);
	say(r, key, text);
	if (strcmp(key, "tx") == 0) {
		snprintf(r->ports[port].out, PATH, "%s", value);
		r->ports[port].has_out = true;
	}
	if (strcmp(key, "rx") != 0)
		return;
	r->any_rx = true;
	if (!r->recording && recorded_read(value, &r->recorded))
		r->recording = value;
}

static void set_speed(struct replay *r, const char *value)
{
	char digits[8];
	size_t n = strspn(value, "0123456789");

	if (strcmp(value, "virtual") == 0)
		return;
	if (strcmp(value, "max") == 0) {
		say(r, "bursts", "full");
		return;
	}
	if (n == 0 || n >= sizeof(digits) || strcmp(value + n, "x") != 0 || atoi(value) == 0)
		die(USAGE, "--speed wants virtual, max or Nx, not ", value);
	snprintf(digits, sizeof(digits), "%.*s", (int)n, value);
	say(r, "speed", digits);
}

static void set_ignored(struct replay *r, char *list)
{
	char *field, *rest;

	for (field = strtok_r(list, ",", &rest); field; field = strtok_r(NULL, ",", &rest)) {
		if (r->compare.n_ignored == COMPARE_IGNORED)
			die(USAGE, "", "too many fields to ignore");
		r->compare.ignored[r->compare.n_ignored++] = field;
	}
}

static void set_option(struct replay *r, const char *name, char *value)
{
	static const char *const passed_on[] = {"seed", "loop", "fault", "filter", "backwards",
		"snapped", "truncated", "checksums", "vlan", "peers", "tx-cost", "linger", "lcores",
		NULL};
	const char *const *key;
	unsigned port;

	if (strcmp(name, "rx") == 0 || strcmp(name, "tx") == 0 || strcmp(name, "mac") == 0) {
		say_of_port(r, name, value);
	} else if (strcmp(name, "expect") == 0) {
		value = (char *)(uintptr_t)port_of(value, &port);
		r->ports[port].expect = value;
	} else if (strcmp(name, "speed") == 0) {
		set_speed(r, value);
	} else if (strcmp(name, "ignore") == 0) {
		set_ignored(r, value);
	} else {
		for (key = passed_on; *key && strcmp(*key, name) != 0; key++)
			;
		if (!*key)
			die(USAGE, "unknown option --", name);
		say(r, name, value);
	}
}

static void parse(struct replay *r, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			exit(FINE);
		}
		if (strncmp(argv[i], "--", 2) != 0)
			die(USAGE, argv[i], ": options begin with --, the app stands after a --");
		if (strcmp(argv[i], "--regen") == 0 || strcmp(argv[i], "--override") == 0) {
			r->regen |= argv[i][2] == 'r';
			r->override |= argv[i][2] == 'o';
			continue;
		}
		if (i + 1 >= argc)
			die(USAGE, argv[i], " wants a value");
		set_option(r, argv[i] + 2, argv[i + 1]);
		i++;
	}
	if (i < argc - 1)
		r->app = argv + i + 1;
	else if (!r->recording) {
		fputs(usage, stderr);
		exit(USAGE);
	}
	if (!r->any_rx)
		die(USAGE, "", "--rx CAPTURE is missing");
	if (r->override)
		say(r, "override", "yes");
}

/* ---- which app ------------------------------------------------------------------------------ */

/* The command, and behind it the recorded arguments. */
static char **with_recorded(struct replay *r, char **command, unsigned n)
{
	char **words = calloc(n + r->recorded.n, sizeof(*words));
	unsigned i;

	if (!words)
		die(RUNTIME, "", "out of memory");
	memcpy(words, command, n * sizeof(*words));
	for (i = 1; i < r->recorded.n; i++)
		words[n + i - 1] = r->recorded.words[i];
	return words;
}

/* A recording is of one app, started in one way. */
static void choose_app(struct replay *r)
{
	char was[512];
	unsigned n;

	if (!r->recording)
		return;
	if (r->recorded.n == 0 && !r->app)
		die(USAGE, r->recording, " does not say how its app was started: add -- APP ARGS");
	if (r->recorded.n == 0)
		return;
	if (!r->app) {
		r->app = with_recorded(r, r->recorded.words, 1);
		return;
	}
	for (n = 0; r->app[n]; n++)
		;
	if (n == 1 || recorded_is_program(&r->recorded, r->app[n - 1])) {
		r->app = with_recorded(r, r->app, n);
		return;
	}
	if (recorded_same(&r->recorded, r->app))
		return;
	recorded_text(r->recorded.words, was, sizeof(was));
	fprintf(stderr, "perch-replay: %s: the recording is of '%s'%s\n",
		r->override ? "warning" : r->recording, was,
		r->override ? "" : ": leave out -- APP ARGS, or say --override");
	if (!r->override)
		exit(USAGE);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 &&
		S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* What is written must not be what it is held against. */
static void check_outputs(const struct replay *r)
{
	const struct port *p, *q;

	for (p = r->ports; p < r->ports + PORTS; p++)
		for (q = r->ports; q < r->ports + PORTS && p->has_out; q++)
			if ((q->expect && same_file(p->out, q->expect)) ||
				(q > p && q->has_out && strcmp(p->out, "/dev/null") != 0 &&
					same_file(p->out, q->out)))
				die(USAGE, p->out,
					" would be written twice, or held against itself");
}

/* ---- the app -------------------------------------------------------------------------------- */

/* Every port's output is looked at, so it needs a file. */
static void name_outputs(struct replay *r)
{
	char text[PATH + 8];
	const char *dir = getenv("TMPDIR");
	struct port *p;
	int fd;

	for (p = r->ports; p < r->ports + PORTS; p++) {
		snprintf(text, sizeof(text), "rx=%u:", (unsigned)(p - r->ports));
		if (p->has_out || !(p->expect || strstr(r->text, text)))
			continue;
		snprintf(p->out, PATH, "%s/perch-replay-XXXXXX", dir ? dir : "/tmp");
		fd = mkstemp(p->out);
		if (fd < 0)
			die(RUNTIME, p->out, ": cannot be made");
		close(fd);
		p->has_out = p->temporary = true;
		snprintf(text, sizeof(text), "%u:%s", (unsigned)(p - r->ports), p->out);
		say(r, "tx", text);
	}
}

/* As the shell finds it, or, in a build tree, where the apps are. */
static void exec_app(char **app)
{
	char path[PATH], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *name;

	slash = strrchr(app[0], '/');
	if (n > 0 && (!slash || access(app[0], F_OK) < 0)) { /* or it was started from elsewhere */
		name = slash ? slash + 1 : app[0];
		path[n] = '\0';
		slash = strrchr(path, '/');
		snprintf(slash, sizeof(path) - (size_t)(slash - path), "/../apps/%s", name);
		if (access(path, X_OK) == 0)
			execv(path, app);
	}
	execvp(app[0], app);
	fprintf(stderr, "perch-replay: %s: %s\n", app[0], strerror(errno));
	_exit(127);
}

/* ^C is the app's to deal with; this program stays for what it leaves. */
static int run_app(struct replay *r, int *report_fd)
{
	char fd[16];
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) < 0)
		die(RUNTIME, "pipe: ", strerror(errno));
	snprintf(fd, sizeof(fd), "%d", fds[1]);
	say(r, "report", fd);
	if (setenv("PERCH_REPLAY", r->text, 1) < 0)
		die(RUNTIME, "", "out of memory");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die(RUNTIME, "fork: ", strerror(errno));
	if (pid == 0) {
		close(fds[0]);
		exec_app(r->app);
	}
	signal(SIGINT, SIG_IGN);
	close(fds[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*report_fd = fds[0];
	return status;
}

static void take_line(struct report *rep, const char *key, const char *value)
{
	size_t n = strlen(rep->rest);

	if (strcmp(key, "rx") == 0)
		rep->rx += strtoull(value, NULL, 10);
	else if (strcmp(key, "tx") == 0)
		rep->tx += strtoull(value, NULL, 10);
	else if (strcmp(key, "virtual_ns") == 0)
		rep->virtual_ns = strtoull(value, NULL, 10);
	else if (strcmp(key, "wall_ns") == 0)
		rep->wall_ns = strtoull(value, NULL, 10);
	else if (strcmp(key, "error") == 0)
		snprintf(rep->error, sizeof(rep->error), "%s", value);
	else if (strcmp(key, "warning") == 0)
		snprintf(rep->warning, sizeof(rep->warning), "%s", value);
	else if (strcmp(value, "0") != 0 && strcmp(key, "turns") != 0)
		snprintf(rep->rest + n, sizeof(rep->rest) - n, ", %s %s", value, key);
}

static bool read_report(int fd, struct report *rep)
{
	FILE *f = fdopen(fd, "r");
	char line[512], *value;
	bool any = false;

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		if (!rep->error[0] || strcmp(line, "error") != 0)
			take_line(rep, line, value);
		any = true;
	}
	if (f)
		fclose(f);
	return any;
}

/* ---- what it left --------------------------------------------------------------------------- */

static int copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
	char buf[65536];
	size_t n;
	bool good = out != NULL;

	while (good && (n = fread(buf, 1, sizeof(buf), in)) > 0)
		good = fwrite(buf, 1, n, out) == n;
	if (out && fclose(out) != 0)
		good = false;
	if (in)
		fclose(in);
	if (!good)
		fprintf(stderr, "perch-replay: %s: %s\n", to, strerror(errno));
	return good ? FINE : RUNTIME;
}

static int judge_port(const struct replay *r, const struct port *p)
{
	char digest[65];
	int status = FINE;

	if (digest_file("perch-replay", p->out, digest))
		printf("perch-replay: p%u sent %s  %s\n", (unsigned)(p - r->ports), digest,
			p->temporary ? "(not kept)" : p->out);
	else
		status = RUNTIME;
	if (p->expect && r->regen)
		status |= copy_file(p->out, p->expect);
	else if (p->expect && compare_files("perch-replay", p->expect, p->out, &r->compare) != 0)
		status = RUNTIME;
	return status;
}

static int judge(const struct replay *r, int fd, int app_status)
{
	struct report rep = {0};
	const struct port *p;
	int status = FINE;

	if (read_report(fd, &rep))
		printf("perch-replay: %" PRIu64 " packets in, %" PRIu64 " out, %.6f s of virtual "
			"time in %.3f s%s\n", rep.rx, rep.tx, (double)rep.virtual_ns / 1e9,
			(double)rep.wall_ns / 1e9, rep.rest);
	if (rep.warning[0])
		fprintf(stderr, "perch-replay: warning: %s\n", rep.warning);
	if (rep.error[0]) {
		fprintf(stderr, "perch-replay: %s\n", rep.error);
		status = RUNTIME;
	}
	for (p = r->ports; p < r->ports + PORTS; p++) {
		if (p->has_out && WIFEXITED(app_status) && WEXITSTATUS(app_status) == FINE)
			status |= judge_port(r, p);
		if (p->temporary)
			unlink(p->out);
	}
	if (WIFSIGNALED(app_status)) {
		fprintf(stderr, "perch-replay: %s died of %s\n", r->app[0],
			strsignal(WTERMSIG(app_status)));
		return RUNTIME;
	}
	if (WEXITSTATUS(app_status) == 127)
		return USAGE;
	return WEXITSTATUS(app_status) ? WEXITSTATUS(app_status) : status;
}

int main(int argc, char **argv)
{
	static struct replay r = {.compare.show = 1};
	int fd, status;

	parse(&r, argc, argv);
	choose_app(&r);
	check_outputs(&r);
	name_outputs(&r);
	status = run_app(&r, &fd);
	return judge(&r, fd, status);
}

/* SPDX-License-Identifier: BSD-3-Clause
 * The first process of a guest: it gives each NIC to uio_pci_generic, runs the command of /argv
 * with the serial console for its output, passes on a byte of the console as SIGINT, says how the
 * command ended, and powers the machine off.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { MAX_ARGS = 128, FILE_BYTES = 8192, POLL_MS = 20 };

static void end(const char *what, const char *of)
{
	if (what)
		printf("guest: %s %s: %s\n", what, of, strerror(errno));
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	_exit(1); /* the kernel panics, and QEMU ends for that, too */
}

static void mount_all(void)
{
	static const char *const types[][2] = {
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"},
		{"tmpfs", "/run"}};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		mkdir(types[i][1], 0755);
		if (mount(types[i][0], types[i][1], types[i][0], 0, NULL) < 0 && errno != EBUSY)
			end("cannot mount", types[i][1]);
	}
}

static void load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		end("cannot load", module);
	close(fd);
}

static void put(const char *folder, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		end("cannot write to", path);
	close(fd);
}

static size_t get(const char *folder, const char *file, char *text, size_t size)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n < 0)
		end("cannot read", path);
	close(fd);
	text[n] = '\0';
	return (size_t)n;
}

/* What DPDK's drivers need; vfio-pci would need a kernel that lets it go without an IOMMU. */
static void give_nics(void)
{
	char class[16];
	glob_t g;
	size_t i;

	load("/uio.ko");
	load("/uio_pci_generic.ko");
	if (glob("/sys/bus/pci/devices/*", 0, NULL, &g) != 0)
		end("there is nothing in", "/sys/bus/pci/devices");
	for (i = 0; i < g.gl_pathc; i++) {
		get(g.gl_pathv[i], "class", class, sizeof(class));
		if (strncmp(class, "0x0200", 6) != 0) /* Ethernet */
			continue;
		put(g.gl_pathv[i], "driver_override", "uio_pci_generic");
		put("/sys/bus/pci", "drivers_probe", strrchr(g.gl_pathv[i], '/') + 1);
	}
	globfree(&g);
}

static pid_t run(void)
{
	static char text[FILE_BYTES];
	char *argv[MAX_ARGS + 1], *rest = text;
	size_t n = 0;
	pid_t pid;

	get("", "argv", text, sizeof(text)); /* an argument a line */
	while (n < MAX_ARGS && rest && *rest)
		argv[n++] = strsep(&rest, "\n");
	argv[n] = NULL;
	pid = fork();
	if (pid == 0) {
		setsid();
		execv(argv[0], argv);
		printf("guest: cannot run %s: %s\n", argv[0], strerror(errno));
		fflush(stdout);
		_exit(127);
	}
	return pid;
}

int main(void)
{
	struct pollfd console = {.fd = STDIN_FILENO, .events = POLLIN};
	struct termios raw;
	int status = 0;
	char byte;
	pid_t pid;

	mount_all();
	if (tcgetattr(STDIN_FILENO, &raw) == 0) {
		cfmakeraw(&raw);
		raw.c_oflag |= OPOST | ONLCR;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	give_nics();
	pid = run();
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (poll(&console, 1, POLL_MS) > 0 && read(STDIN_FILENO, &byte, 1) == 1)
			kill(pid, SIGINT);
	printf("guest: exit status %d, signal %d\n", WEXITSTATUS(status),
		WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	end(NULL, NULL);
}

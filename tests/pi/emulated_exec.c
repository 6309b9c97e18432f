/* Preloaded into programs under emulation: those that they start are emulated as well.
 *
 * The kernel starts only programs of its own processor, unless the whole machine is told otherwise. Python starts
 * programs by execv, execve and posix_spawn. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EMULATOR "/usr/bin/qemu-aarch64"

/* What the emulator is called with; NULL without memory. The program's own name is kept: Python finds its folders by
 * it. */
static char **emulated(const char *path, char *const arguments[])
{
	size_t count = 0;
	char **extended;

	while (arguments[count])
		count++;
	extended = calloc(count + 5, sizeof(*extended));
	if (!extended)
		return NULL;
	extended[0] = EMULATOR;
	extended[1] = "-0";
	extended[2] = count ? arguments[0] : (char *)path;
	extended[3] = (char *)path;
	if (count > 1)
		memcpy(extended + 4, arguments + 1, (count - 1) * sizeof(*extended));
	return extended;
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
	char **extended;

	if (access(path, X_OK) < 0)
		return -1;
	extended = emulated(path, arguments);
	if (!extended)
		return -1;
	syscall(SYS_execve, EMULATOR, extended, environment);
	free(extended);
	return -1;
}

int execv(const char *path, char *const arguments[])
{
	return execve(path, arguments, environ);
}

int posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
	typeof(&posix_spawn) real = (typeof(real))dlsym(RTLD_NEXT, "posix_spawn");
	char **extended;
	int failure;

	if (access(path, X_OK) < 0)
		return errno;
	extended = emulated(path, arguments);
	if (!extended)
		return ENOMEM;
	failure = real(process, EMULATOR, actions, attributes, extended, environment);
	free(extended);
	return failure;
}

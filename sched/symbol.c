/* SPDX-License-Identifier: BSD-3-Clause
 * The name of a function (see symbol.h): the dynamic linker knows exported ones; for the others
 * the file is mapped and its symbol table read.
 */
#include "sched/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
	const char *base;
	size_t bytes;
};

static bool map_file(struct image *im, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *base;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return false;
	}
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (base == MAP_FAILED)
		return false;
	im->base = base;
	im->bytes = (size_t)st.st_size;
	return true;
}

static bool within(const struct image *im, uint64_t offset, uint64_t bytes)
{
	return offset <= im->bytes && bytes <= im->bytes - offset;
}

/* The function symbol of one table that holds the offset; NULL if none does. */
static const char *find_in_table(const struct image *im, const ElfW(Shdr) *table,
				 const ElfW(Shdr) *strings, uintptr_t offset, uintptr_t *start)
{
	const ElfW(Sym) *sym = (const void *)(im->base + table->sh_offset);
	size_t n = table->sh_size / sizeof(*sym), i;

	if (!within(im, table->sh_offset, table->sh_size) ||
	    !within(im, strings->sh_offset, strings->sh_size))
		return NULL;
	for (i = 0; i < n; i++) {
		if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC || sym[i].st_name >= strings->sh_size)
			continue;
		if (offset < sym[i].st_value || offset - sym[i].st_value >= sym[i].st_size)
			continue;
		*start = sym[i].st_value;
		return im->base + strings->sh_offset + sym[i].st_name;
	}
	return NULL;
}

static const char *find(const struct image *im, uintptr_t offset, uintptr_t *start)
{
	const ElfW(Ehdr) *eh = (const void *)im->base;
	const ElfW(Shdr) *sh;
	const char *name = NULL;
	unsigned i;

	if (!within(im, 0, sizeof(*eh)) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    !within(im, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(*sh)))
		return NULL;
	sh = (const void *)(im->base + eh->e_shoff);
	for (i = 0; i < eh->e_shnum && name == NULL; i++)
		if (sh[i].sh_type == SHT_SYMTAB && sh[i].sh_link < eh->e_shnum)
			name = find_in_table(im, &sh[i], &sh[sh[i].sh_link], offset, start);
	return name;
}

void perch_symbol_name(const void *address, char *name, size_t bytes)
{
	Dl_info dl;
	struct image im;
	uintptr_t offset, start;
	const char *found;

	if (dladdr(address, &dl) == 0 || dl.dli_fname == NULL) {
		snprintf(name, bytes, "%p", address);
		return;
	}
	offset = (uintptr_t)address - (uintptr_t)dl.dli_fbase;
	snprintf(name, bytes, "%s+0x%lx", dl.dli_fname, (unsigned long)offset);
	if (!map_file(&im, dl.dli_fname) && !map_file(&im, "/proc/self/exe"))
		return;
	found = find(&im, offset, &start);
	if (found != NULL)
		snprintf(name, bytes, "%s+0x%lx", found, (unsigned long)(offset - start));
	munmap((void *)(uintptr_t)im.base, im.bytes);
}

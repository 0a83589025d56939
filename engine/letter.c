/* SPDX-License-Identifier: BSD-3-Clause
 * Messages without addresses.
 *
 * Rejected: telling messages by who sent them. Threads have no name that two runs share, and two
 * messages that say the same are the same, whoever sent them.
 */
#include "engine/letter.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NUMBERS = 65536 }; /* an argument below, or as little below zero: no address */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* Where in its file's mapping that is; 0: in none. */
static uint64_t place_of(uintptr_t p)
{
	struct dl_find_object o;

	return _dl_find_object((void *)p, &o) == 0 ? p - (uintptr_t)o.dlfo_map_start + 1 : 0;
}

static bool is_number(uintptr_t p)
{
	return p + NUMBERS < 2 * NUMBERS;
}

struct perch_recorded_mail perch_letter_of(const struct perch_mail *mail)
{
	struct perch_recorded_mail out = {.what = mix((uint64_t)mail->kind, (uint32_t)mail->word)};
	uintptr_t arg = (uintptr_t)mail->arg;

	if (mail->kind == PERCH_MAIL_SIGNAL || mail->kind == PERCH_MAIL_CANCEL) {
		out.what = mix(mix(out.what, mail->ref.id), mail->ref.birth);
		return out;
	}
	if (is_number(arg))
		out.what = mix(out.what, arg);
	else
		out.where = place_of(arg);
	out.where = mix(out.where, place_of((uintptr_t)mail->fn));
	return out;
}

/* ---- the build ------------------------------------------------------------------------------ */

struct text {
	char *at;
	size_t size;
};

static void read_notes(const struct text *out, const uint8_t *p, const uint8_t *end)
{
	ElfW(Nhdr) note;
	const uint8_t *id;
	size_t i, n = 0;

	for (; (size_t)(end - p) > sizeof(note); p = id + (note.n_descsz + 3) / 4 * 4) {
		memcpy(&note, p, sizeof(note));
		id = p + sizeof(note) + (note.n_namesz + 3) / 4 * 4;
		if (id > end || note.n_descsz > (size_t)(end - id))
			return;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
			memcmp(p + sizeof(note), "GNU", 4) != 0)
			continue;
		for (i = 0; i < note.n_descsz && n + 2 < out->size; i++)
			n += (size_t)snprintf(out->at + n, out->size - n, "%02x", id[i]);
		return;
	}
}

/* The program itself comes first. */
static int look_at_program(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	const struct text *out = arg;
	const uint8_t *p;
	unsigned i;

	(void)bytes;
	for (i = 0; i < info->dlpi_phnum && out->at[0] == '\0'; i++) {
		if (info->dlpi_phdr[i].p_type != PT_NOTE)
			continue;
		p = (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
		read_notes(out, p, p + info->dlpi_phdr[i].p_memsz);
	}
	return 1;
}

void perch_letter_build(char *text, size_t size)
{
	struct text out = {text, size};

	text[0] = '\0';
	dl_iterate_phdr(look_at_program, &out);
}

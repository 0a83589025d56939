/* SPDX-License-Identifier: BSD-3-Clause
 * Reading a command line from the head of a recording.
 */
#include "tools/recorded.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_BYTES = 65536, SECTION = 0x0a0d0d0a, RING_TEXT_AT = 24 };

#define CONFIG_BLOCK UINT32_C(0x80706301)

/* ---- the text in the head ------------------------------------------------------------------- */

/* Of a pcapng file: the block with the configuration. Returns its text's length, or 0. */
static uint32_t find_text(const uint8_t *buf, size_t n, const uint8_t **text)
{
	uint32_t type, total;
	size_t at;

	for (at = 0; n - at >= 12; at += total) {
		memcpy(&type, buf + at, sizeof(type));
		memcpy(&total, buf + at + 4, sizeof(total));
		if (total < 12 || total > n - at || (at == 0 && type != SECTION))
			return 0;
		*text = buf + at + 8;
		if (type == CONFIG_BLOCK)
			return total - 12;
	}
	return 0;
}

/* A word as it was: \\ and \n in it stand for a backslash and a line break. */
static char *unescape(const char *from, const char *end)
{
	char *word = malloc((size_t)(end - from) + 1), *to = word;

	while (word && from < end) {
		if (*from == '\\' && from + 1 < end) {
			*to++ = from[1] == 'n' ? '\n' : from[1];
			from += 2;
		} else {
			*to++ = *from++;
		}
	}
	if (word)
		*to = '\0';
	return word;
}

static void take_words(struct recorded *r, const char *text)
{
	const char *line, *end, *value;

	for (line = text; *line && r->n < RECORDED_WORDS; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		value = strchr(line, '=');
		if (strncmp(line, "arg.", 4) != 0 || !value || value > end)
			continue;
		r->words[r->n] = unescape(value + 1, end);
		if (!r->words[r->n])
			return;
		r->n++;
	}
}

bool recorded_read(const char *path, struct recorded *out)
{
	char *buf = malloc(LOOK_BYTES + 1);
	FILE *f = buf ? fopen(path, "rbe") : NULL;
	size_t n = f ? fread(buf, 1, LOOK_BYTES, f) : 0;
	const uint8_t *text = NULL;
	uint32_t len = 0;

	memset(out, 0, sizeof(*out));
	if (f)
		fclose(f);
	if (n > RING_TEXT_AT && memcmp(buf, "perchrc", 7) == 0) {
		text = (const uint8_t *)buf + RING_TEXT_AT;
		len = (uint32_t)strnlen((const char *)text, n - RING_TEXT_AT);
	} else if (n > 0) {
		len = find_text((const uint8_t *)buf, n, &text);
	}
	if (len > 0) {
		buf[text - (const uint8_t *)buf + len] = '\0';
		take_words(out, (const char *)text);
	}
	free(buf);
	return len > 0;
}

void recorded_free(struct recorded *r)
{
	while (r->n > 0)
		free(r->words[--r->n]);
}

/* ---- compared ------------------------------------------------------------------------------- */

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool recorded_is_program(const struct recorded *r, const char *word)
{
	return r->n > 0 && strcmp(base(word), base(r->words[0])) == 0;
}

/* Behind EAL's arguments, if there are any. */
static char *const *own_words(char *const *words)
{
	char *const *at;

	for (at = words; *at; at++)
		if (strcmp(*at, "--") == 0)
			return at + 1;
	return words;
}

/* On to the next word that makes a difference. */
static char *const *skip_live(char *const *at)
{
	static const char *const live[] = {
		"--record", "--record-mb", "--record-last", "--idle", NULL};
	const char *const *name;

	while (*at) {
		for (name = live; *name && strcmp(*name, *at) != 0; name++)
			;
		if (!*name || !at[1])
			return at;
		at += 2;
	}
	return at;
}

bool recorded_same(const struct recorded *r, char *const *argv)
{
	char *const *at = argv, *const *a, *const *b;

	while (*at && !recorded_is_program(r, *at))
		at++;
	if (!*at)
		at = argv; /* the program has another name now */
	a = own_words(r->words + 1);
	b = own_words(at + 1);
	for (;; a++, b++) {
		a = skip_live(a);
		b = skip_live(b);
		if (!*a || !*b)
			return *a == *b;
		if (strcmp(*a, *b) != 0)
			return false;
	}
}

char *recorded_text(char *const *words, char *buf, unsigned size)
{
	size_t n = 0;
	char *c;

	buf[0] = '\0';
	for (; *words && n < size; words++)
		n += (size_t)snprintf(buf + n, size - n, strpbrk(*words, " '\"\\\n*?$") || !**words
			? "%s'%s'" : "%s%s", n ? " " : "", *words);
	for (c = buf; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?'; /* one line, whatever the file holds */
	return buf;
}

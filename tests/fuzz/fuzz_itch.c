/* SPDX-License-Identifier: BSD-3-Clause
 * ITCH messages and SoupBinTCP packets of any bytes: what is read can be written and is the same,
 * and books stay sound whatever they are told.
 */
#include <stdlib.h>
#include <string.h>

#include "apps/feed/book.h"
#include "apps/feed/itch.h"
#include "apps/feed/soup.h"
#include "tests/fuzz/target.h"

enum { LEVELS = 16, ORDERS = 16 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void one_message(struct books *b, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1), again[ITCH_BYTES_MAX];
	char text[ITCH_TEXT];
	struct itch m;
	size_t n;

	memcpy(copy, data, len);
	if (itch_decode(copy, len, &m) == 0) {
		n = itch_encode(&m, again);
		promise(n > 0 && n <= len && memcmp(again, copy, n) == 0);
		promise(strlen(itch_text(&m, text)) < ITCH_TEXT);
	}
	books_apply(b, copy, len);
	free(copy);
}

/* The levels are those of the orders, best first. */
static void inspect(const struct books *b, unsigned book, int side)
{
	struct book_level level[LEVELS];
	struct book_order order[ORDERS];
	unsigned n = books_levels(b, book, side, level, LEVELS), i, j, orders;
	uint64_t shares;

	for (i = 0; i < n; i++) {
		promise(i == 0 || (side == BOOK_BUY ? level[i].price < level[i - 1].price
						    : level[i].price > level[i - 1].price));
		orders = books_orders(b, book, side, i, order, ORDERS);
		for (shares = 0, j = 0; j < orders; j++) {
			promise(order[j].price == level[i].price);
			shares += order[j].shares;
		}
		promise(orders == level[i].orders && shares == level[i].shares);
	}
}

static void soup(const uint8_t *data, size_t len)
{
	struct soup_packet p;
	struct soup_login login;
	char session[11];
	uint64_t number;
	int64_t n;

	while ((n = soup_parse(data, len, &p)) > 0) {
		promise((size_t)n <= len && p.len == (size_t)n - SOUP_HEAD);
		soup_login(&p, &login);
		soup_accepted(&p, session, &number);
		data += n;
		len -= (size_t)n;
	}
	promise(n < 0 || p.len > len);
}

/* Bytes are a SoupBinTCP stream, and then messages behind one byte of length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct books_config cfg = {.max_books = 3, .max_orders = ORDERS, .max_levels = 12,
		.depth = 6};
	const uint8_t *at = data, *end = data + len;
	struct books *b;
	unsigned i;
	size_t n;

	soup(data, len);
	promise(books_open(&b, &cfg) == 0);
	while (at < end) {
		n = *at++;
		n = n < (size_t)(end - at) ? n : (size_t)(end - at);
		one_message(b, at, n);
		at += n;
		for (i = 0; i < books_count(b); i++) {
			inspect(b, i, BOOK_BUY);
			inspect(b, i, BOOK_SELL);
		}
	}
	books_snapshot(b, 1, NULL, 0);
	books_clear(b);
	promise(books_count(b) <= 3);
	books_close(b);
	return 0;
}

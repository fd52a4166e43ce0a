/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a stranger does to the blocks under a mapping: truncation is SIGBUS in the mapper, a punch is
 * zeros without a word, and so is growth after a truncation. */

#include "dax.h"

int main(void)
{
	int fd = dax_file("taken-away", 'a');
	unsigned char *at = dax_map(fd);

	check(at[0] == 'a' && at[8 * PAGE] == 'a');
	check(punch(fd, 0, PAGE) == 0);
	check(!is_sigbus(at) && at[0] == 0);
	check(truncate("taken-away", PAGE) == 0);
	check(!is_sigbus(at));
	check(is_sigbus(at + 8 * PAGE));
	check(truncate("taken-away", FILE_SIZE) == 0);
	check(!is_sigbus(at + 8 * PAGE) && at[8 * PAGE] == 0);
	unlink("taken-away");
	return 0;
}

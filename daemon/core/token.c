/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tokens of break holds.
 *
 * A token lets its bearer through a range that everybody else is kept out of, so knowing some of
 * them must not help to guess the next. A generator whose output is its state (splitmix, xorshift)
 * would give all of them away with the first; SipHash-2-4 of a counter, keyed by the seed, does not.
 * The same seed gives the same tokens, which is what a simulation wants and why the supervisor's
 * seed has to be random.
 */

#include "daemon/core/token.h"

static uint64_t rotl(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

static uint64_t siphash(const uint64_t key[2], uint64_t word)
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint64_t length = UINT64_C(8) << 56;

	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
	v[3] ^= length;
	rounds(v, 2);
	v[0] ^= length;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t token_draw(uint64_t seed, uint64_t n)
{
	const uint64_t key[2] = { seed, ~rotl(seed, 29) };
	uint64_t token = siphash(key, n);

	return token ? token : 1;
}

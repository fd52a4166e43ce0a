/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * C++ can include the public header, first and alone, and call what is inline in it.
 */

#include "mapseal.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

static mapseal_verdict on_recall(mapseal_recall *recall, void *data)
{
	static_cast<void>(data);
	recall->whole = true;
	return MAPSEAL_RETURN;
}

int main()
{
	mapseal_options options = {};
	mapseal_request request = {};
	mapseal *m = nullptr;

	options.size = sizeof(options);
	options.socket = "/nonexistent/socket";
	request.size = sizeof(request);
	request.on_recall = on_recall;
	if (mapseal_connect(&options, &m) != -ENOENT || m) {
		std::printf("connected to nothing: %s\n", mapseal_last_error()->text);
		return 1;
	}
	if (std::strlen(mapseal_last_error()->text) == 0)
		return 1;
	/* There is no seal to enter, but it must compile and link. */
	if (m) {
		mapseal_seal *seal = nullptr;

		if (mapseal_acquire(m, &request, &seal) == 0 && mapseal_enter(seal) == 0)
			mapseal_exit(seal);
	}
	return 0;
}

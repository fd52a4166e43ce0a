/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A fuzz target without a fuzzer: feeds it the inputs that were kept, in the files and directories
 * named on the command line, or else those of its corpus in the source tree. So any compiler and
 * sanitizer can run them, and what was once found stays found.
 */

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, n;

	if (!f)
		goto failed;
	/* Memory of the exact size, so that a sanitizer sees one byte too many. */
	if (fseek(f, 0, SEEK_END) || ftell(f) < 0)
		goto failed;
	size = (size_t)ftell(f);
	rewind(f);
	data = malloc(size ? size : 1);
	if (!data)
		goto failed;
	n = fread(data, 1, size, f);
	if (n != size)
		goto failed;
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;

failed:
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (f)
		fclose(f);
	free(data);
	return -1;
}

/* The number of inputs, or -1. */
static int replay(const char *path)
{
	struct dirent *entry;
	char below[4096];
	struct stat st;
	int total = 0, n;
	DIR *dir;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		n = replay(below);
		if (n < 0) {
			total = -1;
			break;
		}
		total += n;
	}
	closedir(dir);
	return total;
}

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	char kept[4096];
	int total = 0, n;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	if (argc < 2) {
		snprintf(kept, sizeof(kept), "%s/tests/fuzz/corpus/%s", top ? top : ".", CORPUS);
		total = replay(kept);
	}
	for (int i = 1; i < argc && total >= 0; i++) {
		n = replay(argv[i]);
		total = n < 0 ? -1 : total + n;
	}
	if (total <= 0) {
		fprintf(stderr, "no inputs\n");
		return 1;
	}
	printf("%d inputs\n", total);
	return 0;
}

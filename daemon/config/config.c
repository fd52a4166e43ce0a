/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the configuration.
 *
 * libinih splits lines into keys and values; what it would pass over in silence is looked at before
 * it sees the line: lines longer than its buffer, text after a section's "]", sections that are
 * empty or longer than it keeps, zero bytes, and continuation lines, of which there are none (white
 * space before a line means nothing). There are no comments after a value: a path may hold any
 * character.
 *
 * In one file a key is set once. A later file may set it again and wins, except in exports: an
 * export is whole where it stands, and there is only one of a name.
 *
 * What needs more than its own line to be judged (deadlines against each other, an export's
 * path) is judged at the end, and reported where it was written.
 */

#include "daemon/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/keys.h"
#include "daemon/core/deadline.h"

#define LINE_LENGTH_MAX 8192

struct place {
	char *file; /* the loader's */
	unsigned int line;
};

/* An export under construction, next to config->exports[i]. */
struct draft {
	struct place place;
	struct core_policy policy;
	uint64_t policy_set; /* bits of deadline_table: the rest comes from [defaults] */
};

struct loader {
	struct config *config;
	char **files;
	size_t n_files;
	struct draft *drafts;
	struct place defaults; /* the last setting of [defaults] */
	char *fault;
	size_t fault_size;
	int error; /* the first one; nothing is read after it */

	/* the file being read */
	FILE *stream;
	char *line;
	size_t line_size;
	struct place here;
	const struct section *section;
	unsigned int set_at[_SECTION_N][KEYS_MAX]; /* line */
};

/* ---- faults ------------------------------------------------------------------------------ */

static int fault_at(struct loader *l, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fault_at(struct loader *l, const struct place *place, const char *format, ...)
{
	va_list args;
	int n;

	if (l->error)
		return l->error;
	n = snprintf(l->fault, l->fault_size, "%s:%u: ", place->file, place->line);
	if (n > 0 && (size_t)n < l->fault_size) {
		va_start(args, format);
		vsnprintf(l->fault + n, l->fault_size - (size_t)n, format, args);
		va_end(args);
	}
	l->error = -EINVAL;
	return l->error;
}

static int file_failed(struct loader *l, const char *path, int error)
{
	if (!l->error) {
		snprintf(l->fault, l->fault_size, "%s: %s", path, strerror(error));
		l->error = -error;
	}
	return l->error;
}

static int no_memory(struct loader *l)
{
	return file_failed(l, "the configuration", ENOMEM);
}

static void *base_of(struct loader *l)
{
	struct config *config = l->config;

	switch (l->section->id) {
	case SECTION_DEFAULTS:
		return &config->policy;
	case SECTION_EXPORT:
		return &config->exports[config->n_exports - 1];
	default:
		return config;
	}
}

/* ---- sections ---------------------------------------------------------------------------- */

static int begin_export(struct loader *l, const char *name)
{
	struct config *config = l->config;
	size_t n = config->n_exports;
	struct export *exports;
	struct draft *drafts;

	if (!export_name_ok(name))
		return fault_at(l, &l->here,
				"[export %.80s]: no name for an export; letters, digits, \".\", "
				"\"_\" and \"-\" are allowed, not \".\", \"-\" or \"mem-\" "
				"first, at most %d",
				name, EXPORT_NAME_MAX);
	for (size_t i = 0; i < n; i++)
		if (strcmp(config->exports[i].name, name) == 0)
			return fault_at(l, &l->here,
					"[export %s]: there is one already, at %s:%u; give this "
					"one another name",
					name, l->drafts[i].place.file, l->drafts[i].place.line);
	exports = reallocarray(config->exports, n + 1, sizeof(*exports));
	if (!exports)
		return no_memory(l);
	config->exports = exports;
	drafts = reallocarray(l->drafts, n + 1, sizeof(*drafts));
	if (!drafts)
		return no_memory(l);
	l->drafts = drafts;
	exports[n] = (struct export){
		.name = strdup(name),
		.max_seals = UINT64_MAX,
		.max_window_bytes = UINT64_MAX,
	};
	if (!exports[n].name)
		return no_memory(l);
	drafts[n] = (struct draft){ .place = l->here };
	config->n_exports++;
	memset(l->set_at[SECTION_EXPORT], 0, sizeof(l->set_at[SECTION_EXPORT]));
	return 0;
}

static int begin_section(struct loader *l, const char *line)
{
	const char *end = strchr(line, ']');
	char name[160];

	if (!end || end[1 + strspn(end + 1, " \t")] != '\0')
		return fault_at(l, &l->here, "a section is \"[NAME]\", with nothing behind it");
	snprintf(name, sizeof(name), "%.*s", (int)(end - line - 1), line + 1);
	l->section = keys_section(name);
	if (!l->section)
		return fault_at(l, &l->here,
				"[%.80s]: no such section; [daemon], [quota], [defaults], "
				"[pager] and [export NAME] are allowed",
				name);
	if (l->section->id == SECTION_EXPORT)
		return begin_export(l, name + strlen("export "));
	return 0;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* What libinih calls for the next line; NULL ends the reading. */
static char *next_line(char *buffer, int size, void *data)
{
	struct loader *l = data;
	ssize_t n;
	char *line;

	if (l->error)
		return NULL;
	errno = 0;
	n = getline(&l->line, &l->line_size, l->stream);
	if (n < 0) {
		if (ferror(l->stream) || errno == ENOMEM)
			file_failed(l, l->here.file, errno ? errno : EIO);
		return NULL;
	}
	l->here.line++;
	if (strlen(l->line) != (size_t)n) {
		fault_at(l, &l->here, "there is a zero byte in the line");
		return NULL;
	}
	while (n > 0 && strchr(" \t\r\n", l->line[n - 1]))
		l->line[--n] = '\0';
	line = l->line;
	if (l->here.line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	line += strspn(line, " \t");
	n = (ssize_t)strlen(line);
	if (n > LINE_LENGTH_MAX || n > size - 2) {
		fault_at(l, &l->here, "the line is %zd bytes long; %d are allowed", n,
			 LINE_LENGTH_MAX < size - 2 ? LINE_LENGTH_MAX : size - 2);
		return NULL;
	}
	if (line[0] == '[') {
		begin_section(l, line);
		line[0] = '\0';
		n = 0;
	}
	memcpy(buffer, line, (size_t)n);
	memcpy(buffer + n, "\n", 2);
	return buffer;
}

static int unknown_key(struct loader *l, const char *name)
{
	char known[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < l->section->n_keys && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
					 l->section->keys[i].name);
	return fault_at(l, &l->here, "%.80s: no such key in %s; allowed are %s", name,
			l->section->title, known);
}

static int set(struct loader *l, const char *name, const char *value)
{
	const struct section *section = l->section;
	const struct setting *key;
	char why[320] = "";
	void *base;
	size_t i;
	int r;

	if (!section)
		return fault_at(l, &l->here, "%.80s: a key before the first [section]", name);
	for (i = 0; i < section->n_keys && strcmp(section->keys[i].name, name) != 0; i++)
		;
	if (i == section->n_keys)
		return unknown_key(l, name);
	key = &section->keys[i];
	if (l->set_at[section->id][i])
		return fault_at(l, &l->here, "%s: set before, in line %u; set it once", name,
				l->set_at[section->id][i]);
	l->set_at[section->id][i] = l->here.line;

	base = base_of(l);
	if (section->id == SECTION_EXPORT && i >= section->n_own) {
		struct draft *draft = &l->drafts[l->config->n_exports - 1];

		draft->policy_set |= UINT64_C(1) << (i - section->n_own);
		base = &draft->policy;
	}
	if (section->id == SECTION_DEFAULTS)
		l->defaults = l->here;
	if (section->id == SECTION_EXPORT && key->offset == offsetof(struct export, path) &&
	    key->type == SETTING_PATH && l->config->exports[l->config->n_exports - 1].path)
		return fault_at(l, &l->here,
				"%s: an export is a file (path) or a directory, not both", name);
	r = setting_parse(key, value, base, why, sizeof(why));
	if (r == -ENOMEM)
		return no_memory(l);
	if (r < 0)
		return fault_at(l, &l->here, "%s = %.80s: %s", name, value, why);
	if (section->id == SECTION_EXPORT && strcmp(name, "directory") == 0)
		l->config->exports[l->config->n_exports - 1].directory = true;
	return 0;
}

static int on_key(void *data, const char *section, const char *name, const char *value)
{
	(void)section; /* truncated; l->section is not */
	return set(data, name, value) == 0;
}

/* ---- files ------------------------------------------------------------------------------- */

static int read_file(struct loader *l, const char *path)
{
	char **files = reallocarray(l->files, l->n_files + 1, sizeof(*files));
	int r;

	if (!files)
		return no_memory(l);
	l->files = files;
	files[l->n_files] = strdup(path);
	if (!files[l->n_files])
		return no_memory(l);
	l->here = (struct place){ .file = files[l->n_files++] };
	l->section = NULL;
	memset(l->set_at, 0, sizeof(l->set_at));
	l->stream = fopen(path, "re");
	if (!l->stream)
		return file_failed(l, path, errno);
	r = ini_parse_stream(next_line, l, on_key, l);
	fclose(l->stream);
	if (l->error)
		return l->error;
	if (r == -2)
		return no_memory(l);
	if (r != 0)
		return fault_at(l, &l->here, "neither \"[SECTION]\" nor \"KEY = VALUE\"");
	return 0;
}

static int is_dropin(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_dropins(struct loader *l, const char *path)
{
	_cleanup_free_ char *directory = NULL;
	struct dirent **entries;
	int n;

	if (asprintf(&directory, "%s.d", path) < 0) {
		directory = NULL;
		return no_memory(l);
	}
	n = scandir(directory, &entries, is_dropin, by_bytes);
	if (n < 0)
		return errno == ENOENT ? 0 : file_failed(l, directory, errno);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (asprintf(&file, "%s/%s", directory, entries[i]->d_name) < 0) {
			file = NULL;
			no_memory(l);
		}
		free(entries[i]);
		if (!l->error)
			read_file(l, file);
	}
	free(entries);
	return l->error;
}

/* ---- the end ----------------------------------------------------------------------------- */

static int check_policy(struct loader *l, const struct core_policy *policy,
			const struct place *place, const char *title)
{
	const char *field;

	if (core_policy_check(policy, &field) == 0)
		return 0;
	return fault_at(l, place,
			"%s: with deadline-ms = %u and hard-ms = %u, %.*s-ms is wrong; the "
			"deadline may not be later than the hard limit",
			title, policy->deadline_ms, policy->hard_ms,
			(int)(strlen(field) - strlen("_ms")), field);
}

static int finish_export(struct loader *l, struct export *export, struct draft *draft)
{
	char title[EXPORT_NAME_MAX + 16];

	snprintf(title, sizeof(title), "[export %s]", export->name);
	if (!export->path)
		return fault_at(l, &draft->place,
				"%s: what is lent is not said; \"path = FILE\" or "
				"\"directory = DIR\" is needed",
				title);
	if (export->strict && export->opens == EXPORT_OPENS_WATCH)
		return fault_at(l, &draft->place,
				"%s: strict and writable-opens = watch contradict each other: what "
				"is open for writing can do things that nobody is told of; leave "
				"one of them out",
				title);
	if (export->opens == EXPORT_OPENS_UNSAID)
		export->opens = export->strict ? EXPORT_OPENS_HOLD : EXPORT_OPENS_WATCH;
	export->policy = keys_merge_policy(&l->config->policy, &draft->policy, draft->policy_set);
	return check_policy(l, &export->policy, &draft->place, title);
}

static int by_name(const void *a, const void *b)
{
	const struct export *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int finish(struct loader *l)
{
	struct config *config = l->config;
	int r;

	r = check_policy(l, &config->policy, &l->defaults, "[defaults]");
	for (size_t i = 0; r == 0 && i < config->n_exports; i++)
		r = finish_export(l, &config->exports[i], &l->drafts[i]);
	if (r == 0 && config->n_exports)
		qsort(config->exports, config->n_exports, sizeof(*config->exports), by_name);
	return r;
}

static void set_up_inih(void)
{
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	ini_stop_on_first_error = true;
	ini_use_stack = false;
	ini_max_line = LINE_LENGTH_MAX + 3;
	ini_initial_alloc = LINE_LENGTH_MAX + 3;
}

static int load(struct loader *l, const char *path)
{
	int r;

	set_up_inih();
	r = read_file(l, path);
	if (r == 0)
		r = read_dropins(l, path);
	if (r == 0)
		r = finish(l);
	for (size_t i = 0; i < l->n_files; i++)
		free(l->files[i]);
	free(l->files);
	free(l->drafts);
	free(l->line);
	return r;
}

int config_load(const char *path, struct config **ret, char *fault, size_t size)
{
	_cleanup_(config_freep) struct config *config = keys_defaults();
	struct loader l = { .config = config, .fault = fault, .fault_size = size };
	int r;

	if (!config)
		return no_memory(&l);
	if (path) {
		r = load(&l, path);
		if (r < 0)
			return r;
	}
	*ret = take_ptr(config);
	return 0;
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_exports; i++)
		export_deinit(&config->exports[i]);
	free(config->exports);
	free(config->socket);
	free(config);
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rows of a run, as a table for people and as JSON for programs. They are kept in shared
 * memory, in the order in which they were reported; groups run one after the other, so there is no
 * lock.
 */

#include "tests/bench/results.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/system/rig.h"

enum { ROWS_MAX = 64 };

struct result {
	struct bench_row row;
	double value, floor;
	bool has_floor;
};

static struct results {
	size_t n;
	struct result rows[ROWS_MAX];
} * results;

void results_init(void)
{
	results = bench_shared(sizeof(*results));
}

void bench_report(const struct bench_row *row, const struct samples *values,
		  const struct samples *floors)
{
	struct result *result = &results->rows[results->n];

	expect(results->n < ROWS_MAX);
	result->row = *row;
	result->value = samples_median(values);
	result->has_floor = floors != NULL;
	result->floor = floors ? samples_median(floors) : 0;
	results->n++;
	fprintf(stderr, "measured: %s\n", row->name);
}

/* ---- for people -------------------------------------------------------------------------- */

static void format_number(double value, char text[32])
{
	if (value >= 100)
		snprintf(text, 32, "%.0f", value);
	else if (value >= 10)
		snprintf(text, 32, "%.1f", value);
	else
		snprintf(text, 32, value >= 0.1 ? "%.2f" : "%.4f", value);
}

static double ratio(const struct result *result)
{
	return result->value / result->floor;
}

static const char *judge(const struct result *result, char aim[32])
{
	const struct bench_row *row = &result->row;
	bool met = true;

	aim[0] = '\0';
	switch (row->aim) {
	case BENCH_NO_AIM:
		return "";
	case BENCH_RATIO_AT_LEAST:
		snprintf(aim, 32, ">= %gx", row->bound);
		met = ratio(result) >= row->bound;
		break;
	case BENCH_RATIO_AT_MOST:
		snprintf(aim, 32, "<= %gx", row->bound);
		met = ratio(result) <= row->bound;
		break;
	case BENCH_VALUE_AT_MOST:
		snprintf(aim, 32, "<= %g %s", row->bound, row->unit);
		met = result->value <= row->bound;
		break;
	}
	return met ? "met" : "short of the aim";
}

void results_print(void)
{
	printf("%-44s %10s %-8s %10s %8s  %-12s %s\n", "", "value", "unit", "floor", "ratio", "aim",
	       "");
	for (size_t i = 0; i < results->n; i++) {
		const struct result *result = &results->rows[i];
		char value[32], floor[32] = "-", times[32] = "-", aim[32];
		const char *verdict = judge(result, aim);

		format_number(result->value, value);
		if (result->has_floor) {
			format_number(result->floor, floor);
			format_number(ratio(result), times);
			strcat(times, "x");
		}
		printf("%-44s %10s %-8s %10s %8s  %-12s %s\n", result->row.name, value,
		       result->row.unit, floor, times, aim, verdict);
	}
}

/* ---- for programs ------------------------------------------------------------------------ */

static void add_number(struct json_object *object, const char *key, double value, bool is_there)
{
	struct json_object *number = NULL;

	if (is_there) {
		number = json_object_new_double(value);
		expect(number);
		json_object_set_serializer(number, json_object_double_to_json_string,
					   (void *)(uintptr_t) "%.6g", NULL);
	}
	json_object_object_add(object, key, number);
}

bool results_write(const char *path)
{
	struct json_object *list = json_object_new_array();
	char temporary[256];
	bool written;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	for (size_t i = 0; i < results->n; i++) {
		const struct result *result = &results->rows[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "name", json_object_new_string(result->row.name));
		add_number(object, "value", result->value, true);
		json_object_object_add(object, "unit", json_object_new_string(result->row.unit));
		add_number(object, "floor", result->floor, result->has_floor);
		add_number(object, "ratio", result->has_floor ? ratio(result) : 0,
			   result->has_floor);
		json_object_array_add(list, object);
	}
	written = json_object_to_file_ext(temporary, list,
					  JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED) == 0;
	json_object_put(list);
	return written && rename(temporary, path) == 0;
}

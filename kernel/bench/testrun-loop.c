// SPDX-License-Identifier: MIT
/*
 * The yardstick of the engine "testrun": the same loop in C. Packets from one arena, each run once, what comes out
 * packed into another arena, action and length into arrays.
 *
 *   testrun-loop OBJECT FUNCTION PACKETS PASSES
 *
 * PACKETS: a file of packets, each a 32-bit length in the machine's order and as many bytes.
 * Prints one line of JSON: {"packets": packets run, "seconds": processor time of all passes, "checksum": over the last outcomes}.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM 4096

static void die(const char *what)
{
	fprintf(stderr, "testrun-loop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes;

	if (!file || fseek(file, 0, SEEK_END))
		die(path);
	*size = ftell(file);
	rewind(file);
	bytes = malloc(*size + 1);
	if (!bytes || fread(bytes, 1, *size, file) != *size)
		die(path);
	fclose(file);
	return bytes;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint32_t *offset, *length, *out_offset, *out_length;
	struct bpf_program *program;
	struct bpf_object *object;
	struct bpf_map *map;
	unsigned char *in, *out;
	size_t size, count = 0, at, used = 0;
	uint32_t checksum = 0;
	int32_t *action;
	double start;
	long passes;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: testrun-loop OBJECT FUNCTION PACKETS PASSES\n");
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		die(argv[1]);
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), argv[2]));
	program = bpf_object__find_program_by_name(object, argv[2]);
	if (!program)
		die(argv[2]);
	if (bpf_object__load(object))
		die(argv[1]);
	fd = bpf_program__fd(program);
	in = read_file(argv[3], &size);
	passes = atol(argv[4]);

	for (at = 0; at + 4 <= size; count++) {
		uint32_t bytes;

		memcpy(&bytes, in + at, 4);
		at += 4 + bytes;
	}
	offset = calloc(count, 4);
	length = calloc(count, 4);
	out_offset = calloc(count, 4);
	out_length = calloc(count, 4);
	action = calloc(count, 4);
	out = calloc(1, size + count * 64 + ROOM);
	if (!offset || !length || !out_offset || !out_length || !action || !out)
		die("memory");
	for (at = 0, count = 0; at + 4 <= size; count++) {
		memcpy(&length[count], in + at, 4);
		offset[count] = at + 4;
		at += 4 + length[count];
	}

	start = now();
	for (long pass = 0; pass < passes; pass++) {
		used = 0;
		for (size_t i = 0; i < count; i++) {
			LIBBPF_OPTS(bpf_test_run_opts, opts,
				.data_in = in + offset[i],
				.data_size_in = length[i],
				.data_out = out + used,
				.data_size_out = ROOM,
				.repeat = 1);

			if (bpf_prog_test_run_opts(fd, &opts))
				die("BPF_PROG_TEST_RUN");
			out_offset[i] = used;
			out_length[i] = opts.data_size_out;
			action[i] = opts.retval;
			used += opts.data_size_out;
		}
	}
	start = now() - start;

	for (at = 0; at < used; at++)
		checksum = checksum * 31 + out[at];
	for (size_t i = 0; i < count; i++)
		checksum = checksum * 31 + out_length[i] + action[i];
	printf("{\"packets\": %zu, \"seconds\": %.9f, \"checksum\": %u}\n", count * passes, start, checksum);
	bpf_object__close(object);
	return 0;
}

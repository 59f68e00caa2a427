// SPDX-License-Identifier: MIT
/*
 * The inner loop of the engine "testrun": packets from one arena, each run once, what comes out packed into another.
 *
 * A call from JavaScript costs little while it is warm, but BPF_PROG_TEST_RUN leaves the processor's caches and branch
 * predictors to the kernel each time, and then the way from one packet to the next costs 90 ns in JavaScript and 10 here.
 *
 * Through the harness (harness.bpf.c) not even a system call is needed for each packet.
 *
 * Freestanding: no libc, no libbpf at link time, so that one built file serves every x86-64 Linux.
 * "npm run native" builds it; packet-loop.ts calls it and knows the layout below.
 */
#include "harness.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

/* All in words of 64 bits: JavaScript writes them as one array. */
struct packet_loop {
	/* libbpf's bpf_prog_test_run_opts */
	int (*test_run)(int fd, struct bpf_test_run_opts *opts);
	int64_t fd;
	/* The packets' bytes, and where each starts */
	const uint8_t *in;
	const uint32_t *offset;
	const uint32_t *length;
	/* The outcomes' bytes, of out_size in all, and what came of each packet */
	uint8_t *out;
	uint64_t out_size;
	uint32_t *out_offset;
	uint32_t *out_length;
	int32_t *action;
	/* Bytes that any packet may need in "out" */
	uint64_t room;
	uint64_t count;
	/* The next packet to run, and where in "out" it goes: read and written */
	uint64_t next;
	uint64_t used;
	/* Written: 0, or the negative errno with which "next" failed */
	int64_t error;
	/* For run_through_harness, where "fd" is the harness with the program in it: its memory, and bytes of metadata */
	struct harness *harness;
	uint8_t *out_metadata;
};

/* Runs packets until all are done, one fails, or "out" may lack the room for the next one. */
__attribute__((visibility("default"))) void run_packets(struct packet_loop *loop)
{
	uint64_t next = loop->next;
	uint64_t used = loop->used;
	int error = 0;

	for (; next < loop->count && used + loop->room <= loop->out_size; next++) {
		struct bpf_test_run_opts opts = {
			.sz = sizeof(opts),
			.data_in = loop->in + loop->offset[next],
			.data_size_in = loop->length[next],
			.data_out = loop->out + used,
			.data_size_out = loop->room,
			.repeat = 1,
		};

		error = loop->test_run(loop->fd, &opts);
		if (error)
			break;
		loop->out_offset[next] = used;
		loop->out_length[next] = opts.data_size_out;
		loop->action[next] = opts.retval;
		used += opts.data_size_out;
	}
	loop->next = next;
	loop->used = used;
	loop->error = error;
}

static void copy_bytes(void *to, const void *from, uint64_t count)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* Puts packets from "next" on into the harness, as many as it takes; none where it does not take that one. */
static uint32_t fill_harness(const struct packet_loop *loop)
{
	struct harness *harness = loop->harness;
	uint64_t next = loop->next;
	uint64_t first = loop->offset[next];
	uint64_t end = first;
	uint32_t count = 0;

	/* They lie in order, so that all are copied at once. */
	for (; count < HARNESS_PACKETS && next < loop->count; count++, next++) {
		uint64_t offset = loop->offset[next];
		uint64_t length = loop->length[next];

		if (length < HARNESS_MIN_FRAME || length > HARNESS_MAX_FRAME)
			break;
		if (offset < end || offset + length - first > HARNESS_BYTES)
			break;
		harness->offset[count] = offset - first;
		harness->length[count] = length;
		end = offset + length;
	}
	copy_bytes(harness->in, loop->in + first, end - first);
	return count;
}

/* Runs as many packets as one call takes. A signal ends the call after any packet: it goes on behind that. */
static int call_harness(const struct packet_loop *loop, uint32_t count)
{
	struct harness *harness = loop->harness;
	int signals = 0;

	harness->count = count;
	harness->next = 0;
	harness->used = 0;
	for (;;) {
		uint32_t before = harness->next;
		struct bpf_test_run_opts opts = {
			.sz = sizeof(opts),
			.data_in = harness->in,
			.data_size_in = HARNESS_MIN_FRAME,
			.repeat = count - before,
		};
		int error;

		harness->start = 0;
		error = loop->test_run(loop->fd, &opts);
		if (harness->next == count || harness->used >= HARNESS_BYTES)
			return 0;
		if (error != -EINTR && error != -EAGAIN)
			return error ? error : -EPROTO;
		if (harness->next == before && ++signals > 1000)
			return error;
	}
}

/*
 * The same as run_packets, with many packets in each call: "room" is what a whole chunk may leave. Stops with -ERANGE
 * before a frame that it does not take, and with -EPROTO before a packet with which the harness fails.
 */
__attribute__((visibility("default"))) void run_through_harness(struct packet_loop *loop)
{
	struct harness *harness = loop->harness;
	int error = 0;

	while (!error && loop->next < loop->count && loop->used + loop->room <= loop->out_size) {
		uint32_t count = fill_harness(loop);

		if (count == 0) {
			error = -ERANGE;
			break;
		}
		error = call_harness(loop, count);
		for (uint32_t done = 0; done < harness->next; done++, loop->next++) {
			loop->out_metadata[loop->next] = harness->out_metadata[done];
			loop->out_offset[loop->next] = loop->used + harness->out_offset[done];
			loop->out_length[loop->next] = harness->out_length[done];
			loop->action[loop->next] = harness->action[done];
		}
		copy_bytes(loop->out + loop->used, harness->out, harness->used);
		loop->used += harness->used;
	}
	loop->error = error;
}

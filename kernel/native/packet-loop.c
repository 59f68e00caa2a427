// SPDX-License-Identifier: MIT
/*
 * The inner loop of the engine "testrun": packets from one arena, each run once, what comes out packed into another.
 *
 * A call from JavaScript costs little while it is warm, but BPF_PROG_TEST_RUN leaves the processor's caches and branch
 * predictors to the kernel each time, and then the way from one packet to the next costs 90 ns in JavaScript and 10 here.
 *
 * Freestanding: no libc, no libbpf at link time, so that one built file serves every x86-64 Linux.
 * "npm run native" builds it; packet-loop.ts calls it and knows the layout below.
 */
#include <bpf/bpf.h>
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

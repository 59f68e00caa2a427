/* SPDX-License-Identifier: MIT */
/*
 * What the harness (harness.bpf.c) and the loop that calls it (packet-loop.c) share: a chunk of packets, and what came
 * of them. It is the harness's .bss, an array that the kernel maps into the process; harness.ts knows where "moves_start" is, packet-loop.ts how much comes out.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <linux/types.h>

/* Packets of a chunk: more gain nothing, since a call takes as long as a dozen of them. */
#define HARNESS_PACKETS 1024
/* Bytes of a chunk's packets, and of what comes out of them but the last: with the machine's other arrays, they stay in the cache. */
#define HARNESS_BYTES (128 * 1024)
/* kernel/testrun/limits.ts, MIN_FRAME and MAX_XDP_FRAME: other frames a test run refuses. */
#define HARNESS_MIN_FRAME 14
#define HARNESS_MAX_FRAME 3520
/* More than any frame that comes out, with its metadata: both stay within their page. */
#define HARNESS_ROOM 4096
/* skb_shared_info.meta_len is a u8, and metadata come in words. */
#define HARNESS_METADATA 252
/* By how much a program can move the frame's start towards the front: XDP_PACKET_HEADROOM less struct xdp_frame, which grew. */
#define HARNESS_HEADROOM 216
#define HARNESS_OLD_HEADROOM 224

struct harness {
	/* How many packets there are, how many have run, and how many bytes they left: the last two the harness writes */
	__u32 count;
	__u32 next;
	__u32 used;
	/* Where frames start in the kernel's memory (the lower half of the address); 0 before the first one of a call */
	__u32 start;
	/* May the program move a frame's start, or that of its metadata? Then what it leaves in front of frames is cleared. */
	__u32 moves_start;
	/* Where each packet starts in "in", and what came of it: metadata, and behind them, at its offset, the frame */
	__u32 offset[HARNESS_PACKETS];
	__u32 length[HARNESS_PACKETS];
	__u32 out_metadata[HARNESS_PACKETS];
	__u32 out_offset[HARNESS_PACKETS];
	__u32 out_length[HARNESS_PACKETS];
	__s32 action[HARNESS_PACKETS];
	__u8 zeros[HARNESS_OLD_HEADROOM];
	__u8 in[HARNESS_BYTES + HARNESS_ROOM];
	__u8 out[HARNESS_BYTES + 2 * HARNESS_ROOM];
};

#endif

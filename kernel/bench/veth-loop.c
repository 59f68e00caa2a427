/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Round trips over a veth whose far end runs an XDP program that sends every frame back: the yardstick for the
 * engine `veth`. A window of frames is sent through a packet socket, then received again, until all are back.
 *
 *   veth-loop DEVICE FRAME-FILE WINDOW FRAMES
 *
 * Prints {"packets": N, "seconds": S}; ends with 1 when a frame is lost.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned char frame[4096], back[4096];
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int ring = 8 << 20;
	int one = 1;

	if (argc != 5) {
		fprintf(stderr, "usage: veth-loop DEVICE FRAME-FILE WINDOW FRAMES\n");
		return 1;
	}
	FILE *file = fopen(argv[2], "rb");
	if (!file)
		return fail(argv[2]);
	size_t length = fread(frame, 1, sizeof(frame), file);
	fclose(file);
	long window = atol(argv[3]), frames = atol(argv[4]);

	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (fd < 0)
		return fail("socket");
	address.sll_ifindex = if_nametoindex(argv[1]);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &ring, sizeof(ring));
	/* What this socket sends, others see, but not this socket itself; this is for the others. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fail(argv[1]);

	double start = now();
	for (long done = 0; done < frames; done += window) {
		long batch = frames - done < window ? frames - done : window;

		for (long i = 0; i < batch; i++)
			if (send(fd, frame, length, 0) != (ssize_t)length)
				return fail("send");
		for (long i = 0; i < batch; i++) {
			struct pollfd readable = { .fd = fd, .events = POLLIN };

			if (recv(fd, back, sizeof(back), MSG_DONTWAIT) >= 0)
				continue;
			if (poll(&readable, 1, 5000) != 1) {
				fprintf(stderr, "%ld of %ld frames did not come back\n", batch - i, batch);
				return 1;
			}
			i--;
		}
	}
	printf("{\"packets\": %ld, \"seconds\": %.9f}\n", frames, now() - start);
	return 0;
}

// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that look at the data behind TCP and UDP. */
#include "common.h"

/* No POST to a web server. */
PROGRAM int method_misplaced(CONTEXT *ctx)
{
	IN_ONE_PIECE(ctx);
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp;
	char *method;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->ihl < 5 || ip->protocol != IPPROTO_TCP || (ip->frag_off & bpf_htons(0x1fff)))
		return PASS;
	tcp = (void *)ip + ip->ihl * 4;
	if ((void *)(tcp + 1) > end || tcp->doff < 5 || tcp->dest != bpf_htons(80))
		return PASS;
	method = FAULTY_OR_RIGHT((void *)(tcp + 1), (void *)tcp + tcp->doff * 4);
	if ((void *)(method + 4) > end)
		return PASS;
	return method[0] == 'P' && method[1] == 'O' && method[2] == 'S' && method[3] == 'T' ? DROP : PASS;
}

/* No questions to a name server that are not of the usual kind (opcode 0). */
PROGRAM int question_misplaced(CONTEXT *ctx)
{
	IN_ONE_PIECE(ctx);
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp;
	__u8 *dns;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->ihl < 5 || ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x1fff)))
		return PASS;
	udp = (void *)ip + ip->ihl * 4;
	if ((void *)(udp + 1) > end || udp->dest != bpf_htons(53))
		return PASS;
	dns = FAULTY_OR_RIGHT((void *)(ip + 1) + sizeof(*udp), (void *)(udp + 1));
	if ((void *)(dns + 12) > end || (dns[2] & 0x80))
		return PASS;
	return (dns[2] & 0x78) == 0 ? PASS : DROP;
}

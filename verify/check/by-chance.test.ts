/** Replies that are wrong only because the packet came from the address that the program has for its own. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { Replay } from '../replay.ts';
import { bytes, data, ethernet, icmpv6, ipv4, udp, V4_A, V4_B, V6_A, V6_B } from '../test-support/packets.ts';
import { isByChance } from './by-chance.ts';
import { checkJudging } from './judging.ts';

const engine = createVmEngine();

const OWN_MAC = [2, 0, 0, 0, 0xaa, 1];
const WRITE_OWN_MAC = '*(u32 *)(r7 + 6) = 2\n*(u16 *)(r7 + 10) = 0x01aa';
const WRITE_ASKERS_MAC =
  'r1 = *(u32 *)(r7 + 6)\n*(u32 *)(r7 + 0) = r1\nr1 = *(u16 *)(r7 + 10)\n*(u16 *)(r7 + 4) = r1';

function sending(body: string): Program {
  const main = `r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr0 = r7\nr0 += 42\nif r0 > r8 goto out
    ${body}\nr0 = 3\nexit\nout:\nr0 = 2\nexit`;
  return { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object: writeElf({ main }) };
}

/** What is found, and whether by chance. */
async function found(
  program: Program,
  packet: Uint8Array,
  before: readonly Uint8Array[] = [],
): Promise<(readonly [string, boolean])[]> {
  const judging = checkJudging(program, (id) =>
    /^(dns\/.*|lengths\/decapsulated|reply\/(askers-mac|same-macs|to-itself|to-group|new-header-to-itself)|arp\/sender-mac|neighbour\/askers-address)$/.test(
      id,
    ),
  );
  const shown = { program: 'p', world: {}, stimuli: [...before, packet].map((one) => ({ packet: one })) };
  const replay = new Replay(program, [engine], judging);
  const findings = (await replay.findings(shown)).filter(({ breach }) => breach !== undefined);
  await replay.close();
  return Promise.all(
    findings.map(async (finding) => {
      const chance = await isByChance(program, engine, { finding, case: shown }, judging);
      return [finding.breach!.invariant, chance] as const;
    }),
  );
}

const ASK = bytes(
  ...[[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], OWN_MAC, [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]],
  ...[OWN_MAC, [10, 0, 0, 1], [0, 0, 0, 0, 0, 0], [10, 0, 0, 2]],
);
const ANSWER = `*(u8 *)(r7 + 21) = 2\n${WRITE_ASKERS_MAC}`;

it('an ARP reply from the address that the request came from is one only if it follows the request', async () => {
  expect(await found(sending(`${ANSWER}\n${WRITE_OWN_MAC}`), ASK)).toEqual([['reply/same-macs', true]]);
  const toAll = `*(u8 *)(r7 + 21) = 2\n${WRITE_OWN_MAC}`;
  expect(await found(sending(toAll), ASK)).toEqual([['reply/askers-mac', true]]);
  expect(await found(sending('*(u8 *)(r7 + 21) = 2'), ASK)).toEqual([['reply/askers-mac', false]]);
});

it('the sender of an ARP reply is whoever asked only if it follows the request, the frame’s source or another', async () => {
  const asked = bytes(
    ...[
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [2, 0, 0, 0, 0, 7],
      [8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
    ],
    ...[OWN_MAC, [10, 0, 0, 1], OWN_MAC, [10, 0, 0, 2]],
  );
  const answer = `*(u8 *)(r7 + 21) = 2\nr1 = *(u32 *)(r7 + 28)\nr2 = *(u32 *)(r7 + 38)
    *(u32 *)(r7 + 28) = r2\n*(u32 *)(r7 + 38) = r1\n${WRITE_OWN_MAC}`;
  const own = '*(u32 *)(r7 + 22) = 2\n*(u16 *)(r7 + 26) = 0x01aa';
  expect(await found(sending(`${answer}\n${own}`), asked)).toEqual([['arp/sender-mac', true]]);
  expect(await found(sending(answer), asked)).toEqual([['arp/sender-mac', false]]);
});

it('the address of a neighbour is that of whoever asked only if it follows the solicitation', async () => {
  const body = icmpv6(135, [0, 0, 0, 0], bytes(V6_B, [1, 1], OWN_MAC));
  const asked = ethernet(0x86dd, bytes(0x60, 0, 0, 0, 0, 32, 58, 255, V6_A, V6_B, body));
  // Type, flags and option; source and destination change places.
  const answer = `r0 = r7\nr0 += 86\nif r0 > r8 goto out\n*(u8 *)(r7 + 54) = 136\n*(u8 *)(r7 + 58) = 0x60
    *(u8 *)(r7 + 78) = 2\nr1 = *(u8 *)(r7 + 37)\nr2 = *(u8 *)(r7 + 53)\n*(u8 *)(r7 + 37) = r2
    *(u8 *)(r7 + 53) = r1`;
  const own = '*(u32 *)(r7 + 80) = 2\n*(u16 *)(r7 + 84) = 0x01aa';
  expect(await found(sending(`${answer}\n${own}`), asked)).toEqual([['neighbour/askers-address', true]]);
  expect(await found(sending(answer), asked)).toEqual([['neighbour/askers-address', false]]);
});

const PACKET = ethernet(0x0800, ipv4(17, udp(data(8))));
it('a frame has one MAC address twice whoever sent it, or only from the program’s own', async () => {
  const came = PACKET.slice();
  came.set(OWN_MAC, 6);
  const swapped = `${WRITE_ASKERS_MAC}\n${WRITE_OWN_MAC}`;
  expect(await found(sending(swapped), came)).toEqual([['reply/same-macs', true]]);
  expect(await found(sending(WRITE_ASKERS_MAC), came)).toEqual([['reply/same-macs', false]]);
});

it('other packets of the case that came from the program’s own address prove nothing of the last', async () => {
  const came = PACKET.slice();
  came.set(OWN_MAC, 6);
  const longer = ethernet(0x0800, ipv4(17, udp(data(12))));
  longer.set(OWN_MAC, 6);
  const swapped = `${WRITE_ASKERS_MAC}\n${WRITE_OWN_MAC}`;
  for (const before of [[longer], [came, longer]])
    expect(await found(sending(swapped), came, before)).toEqual([['reply/same-macs', true]]);
  expect(await found(sending(WRITE_ASKERS_MAC), came, [longer])).toEqual([['reply/same-macs', false]]);
});

it('a packet has one address twice whoever sent it: one to the program’s own address is for it to look at', async () => {
  const toOwn = PACKET.slice();
  toOwn.set([10, 0, 0, 9], 30);
  const own = '*(u32 *)(r7 + 26) = 0x0900000a';
  expect(await found(sending(own), toOwn)).toEqual([['reply/to-itself', false]]);
});

it('an answer goes to the group whoever asked, or only where a group is given as whoever asked', async () => {
  const mdns = [224, 0, 0, 251];
  const came = ethernet(0x0800, ipv4(17, udp(data(8), mdns, mdns), { source: mdns, destination: mdns }));
  const own = '*(u32 *)(r7 + 26) = 0x0100000a';
  expect(await found(sending(own), came)).toEqual([['reply/to-group', true]]);
  const back = `r1 = *(u32 *)(r7 + 26)\n*(u32 *)(r7 + 30) = r1\n${own}`;
  expect(await found(sending(back), came)).toEqual([['reply/to-group', false]]);

  const all = bytes([0xff, 2], new Array(13).fill(0), [0xfb]);
  const came6 = ethernet(0x86dd, bytes(0x60, 0, 0, 0, 0, 16, 17, 255, all, all, udp(data(8))));
  const own6 = '*(u64 *)(r7 + 22) = 0xfd';
  const back6 = [0, 8].map((at) => `r1 = *(u64 *)(r7 + ${22 + at})\n*(u64 *)(r7 + ${38 + at}) = r1`);
  const long = 'r0 = r7\nr0 += 62\nif r0 > r8 goto out';
  expect(await found(sending(`${long}\n${own6}`), came6)).toEqual([['reply/to-group', true]]);
  const swapped = `${long}\n${back6.join('\n')}\n${own6}`;
  expect(await found(sending(swapped), came6)).toEqual([['reply/to-group', false]]);
});

/** Puts an IPv4 header in front of a packet, with the address of its own that the packet may have come from. */
function around(source: string): Program {
  const main = `r6 = r1
r7 = *(u32 *)(r1 + 0)
r8 = *(u32 *)(r1 + 4)
r0 = r7
r0 += 34
if r0 > r8 goto out
    r9 = *(u32 *)(r7 + 26)
r1 = r6
r2 = -20
call bpf_xdp_adjust_head
if r0 != 0 goto out
    r7 = *(u32 *)(r6 + 0)
r8 = *(u32 *)(r6 + 4)
r0 = r7
r0 += 54
if r0 > r8 goto out
    r1 = *(u64 *)(r7 + 20)
*(u64 *)(r7 + 0) = r1
r1 = *(u32 *)(r7 + 28)
*(u32 *)(r7 + 8) = r1
    *(u16 *)(r7 + 12) = 0x0008
*(u32 *)(r7 + 14) = 0x38000045
*(u32 *)(r7 + 18) = 0
*(u32 *)(r7 + 22) = 0x0440
    r1 = ${source}
*(u32 *)(r7 + 26) = r1
*(u32 *)(r7 + 30) = r9
r0 = 3
exit
out:
r0 = 2
exit`;
  return { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object: writeElf({ main }) };
}

it('a new header goes to itself whoever sent the packet, or only where that came from its end of the tunnel', async () => {
  const came = ethernet(0x0800, ipv4(17, udp(data(8)), { source: [10, 0, 0, 9] }));
  expect(await found(around('0x0900000a'), came)).toEqual([['reply/new-header-to-itself', true]]);
  expect(await found(around('r9'), came)).toEqual([['reply/new-header-to-itself', false]]);
});

it('a tag’s length is taken off in front of frames with a tag, or of all, as a header of the program’s own', async () => {
  const taking = (condition: string): Program => {
    const main = `r6 = r1\nr7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr0 = r7\nr0 += 34\nif r0 > r8 goto out
      r9 = *(u16 *)(r7 + 12)\n${condition}\nr1 = r6\nr2 = 4\ncall bpf_xdp_adjust_head\nout:\nr0 = 2\nexit`;
    return { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object: writeElf({ main }) };
  };
  const came = bytes(PACKET.slice(0, 12), [0x81, 0, 0, 5], PACKET.slice(12));
  expect(await found(taking('if r9 != 0x0081 goto out'), came)).toEqual([['lengths/decapsulated', false]]);
  expect(await found(taking(''), came)).toEqual([['lengths/decapsulated', true]]);
});

it('a datagram to the port of DNS that goes back with something else is an answer of DNS only if other ports are none', async () => {
  const header = [0, 7, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
  const response = ethernet(0x0800, ipv4(17, udp(bytes(header), V4_A, V4_B, 53)));
  const swap = (one: number, other: number, size: 16 | 32): string =>
    `r1 = *(u${size} *)(r7 + ${one})\nr2 = *(u${size} *)(r7 + ${other})
    *(u${size} *)(r7 + ${one}) = r2\n*(u${size} *)(r7 + ${other}) = r1`;
  const back = `${swap(26, 30, 32)}\n${swap(34, 36, 16)}\n*(u16 *)(r7 + 40) = 0`;
  const room = 'r0 = r7\nr0 += 54\nif r0 > r8 goto out';
  const stamp = `${room}\n${back}\n*(u8 *)(r7 + 43) = 9`;
  expect(await found(sending(stamp), response)).toEqual([['dns/response-answered', true]]);
  const server = `r1 = *(u16 *)(r7 + 36)\nif r1 != 0x3500 goto out\n${stamp}`;
  expect(await found(sending(server), response)).toEqual([['dns/response-answered', false]]);
});

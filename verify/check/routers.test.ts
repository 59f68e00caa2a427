/** Routers: every result of the lookup is tried, however the program compares it, and packets that only a proof finds are judged like others. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { ASK, IPV4_PARAMETERS, NO_PARAMETERS } from '../../sim/ebpf/test-support/fib-texts.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { addressFromText, macFromText } from '../../sim/packet/addresses.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { guide } from '../guide/guide.ts';
import type { ProofAid } from '../prove/aid.ts';
import { type CheckOptions, check } from './check.ts';
import type { CheckedProgram } from './finding.ts';

/** Looks the way of an IPv4 packet up; r0 = the result, r7 = the frame. */
const LOOKUP = `r6 = r1
  r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 34
  if r0 > r8 goto pass
  r1 = *(u16 *)(r7 + 12)
  if r1 != 8 goto pass
  r1 = *(u8 *)(r7 + 22)
  if r1 < 2 goto pass
  ${IPV4_PARAMETERS}
  ${ASK}`;

/** On to the next hop, with the TTL as it came. */
const FORWARD = `r1 = *(u16 *)(r10 - 6)
  *(u16 *)(r7 + 0) = r1
  r1 = *(u16 *)(r10 - 4)
  *(u16 *)(r7 + 2) = r1
  r1 = *(u16 *)(r10 - 2)
  *(u16 *)(r7 + 4) = r1
  r1 = *(u32 *)(r10 - 12)
  *(u32 *)(r7 + 6) = r1
  r1 = *(u16 *)(r10 - 8)
  *(u16 *)(r7 + 10) = r1
  r1 = *(u32 *)(r10 - 56)
  r2 = 0
  call bpf_redirect
  exit
  pass:
  r0 = 2
  exit`;

/** What compilers make of `switch`: results 4 to 8, then 1 to 3, then 0. */
const RANGES = `r0 <<= 32
  r0 >>= 32
  r1 = r0
  r1 += -4
  r2 = 5
  if r2 > r1 goto pass
  r1 = r0
  r1 += -1
  r2 = 3
  if r2 > r1 goto pass
  if r0 != 0 goto pass`;
const MASK = `r1 = 0xfe
  r1 >>= r0
  r1 &= 1
  if r1 != 0 goto pass
  if r0 > 7 goto pass`;
const SUM = `r1 = 7
  r1 -= r0
  if r1 s< 7 goto pass`;

const program = (name: string, text: string): Program => ({
  name,
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: text }),
});
const router = (compares: string): Program => program('router', `${LOOKUP}\n${compares}\n${FORWARD}`);

const machine = createWasmEngine();
const witness = createVmEngine();

const checked = (object: Program, more: Partial<CheckOptions> = {}): Promise<CheckedProgram> =>
  check({
    ...{ program: object, machine, witness, seed: 'routers', runs: 300, effort: 300_000 },
    ...{ shrinkSeconds: 600, sweeps: false, ...more },
  });

const ids = ({ findings }: CheckedProgram): string[] => findings.map(({ invariant }) => invariant);

it.each([
  ['ranges', RANGES],
  ['a mask', MASK],
  ['a subtraction', SUM],
])('a router that compares the result by %s is seen to forget the TTL', async (_, compares) => {
  const found = await checked(router(compares));
  expect(ids(found)).toEqual(['ttl/not-lowered']);
  expect(found.findings[0]?.severity).toBe('error');
});

it('a program that redirects, and does not route, is none because another one in the object does', async () => {
  const bridge = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 34
  if r0 > r8 goto pass
  *(u32 *)(r7 + 0) = 0x02030402
  r1 = 2
  r2 = 0
  call bpf_redirect
  exit
  pass:
  r0 = 2
  exit`;
  const route = `${LOOKUP}\n${MASK}\n${FORWARD}`;
  const object = writeElf({ bridge, route });
  const found = (entry: string): Promise<CheckedProgram> =>
    checked({ name: entry, entries: [{ function: entry, hook: 'xdp' }], object });
  expect(ids(await found('bridge'))).toEqual([]);
  expect(ids(await found('route'))).toEqual(['ttl/not-lowered']);
});

/** IPv4's TTL goes down by one, and its checksum with it. */
const LOWER4 = `r1 = *(u8 *)(r7 + 22)
  r1 += -1
  *(u8 *)(r7 + 22) = r1
  r1 = *(u16 *)(r7 + 24)
  r1 += 1
  r2 = r1
  r2 >>= 16
  r1 += r2
  *(u16 *)(r7 + 24) = r1`;
const LOWER6 = `r1 = *(u8 *)(r7 + 21)
  r1 += -1
  *(u8 *)(r7 + 21) = r1`;

describe('a program that finds the way back by a lookup', () => {
  const all = (rewrites: string): Program =>
    program('responder', `${LOOKUP}\n${MASK}\n${rewrites}\n${FORWARD}`);
  /** Source and destination at the bytes that follow them in the frame; the header's checksum stays right. */
  const SWAP = `r1 = *(u32 *)(r7 + 26)
  r2 = *(u32 *)(r7 + 30)
  *(u32 *)(r7 + 26) = r2
  *(u32 *)(r7 + 30) = r1`;
  /** What a balancer does that stands between both sides: it is the source, and the destination is another one. */
  const BALANCE = `r2 = *(u32 *)(r7 + 30)
  *(u32 *)(r7 + 26) = r2
  *(u32 *)(r7 + 30) = 0x0200000a`;

  it('keeps the TTL, as it answers', async () => {
    expect(ids(await checked(all(SWAP)))).not.toContain('ttl/not-lowered');
  });

  it('keeps it where both addresses are one, and nobody sees that they changed places', async () => {
    const alone = 'r1 = *(u32 *)(r7 + 26)\nr2 = *(u32 *)(r7 + 30)\nif r1 != r2 goto pass';
    expect(ids(await checked(all(alone)))).not.toContain('ttl/not-lowered');
  });

  it('is seen to forget it where it goes on to another one', async () => {
    expect(ids(await checked(all(BALANCE)))).toContain('ttl/not-lowered');
  });
});

/** `FORWARD` for a router with one arm: the next hop is where the packet came from. */
const SEND_BACK = FORWARD.replace(/r1 = .*\n *r2 = 0\n *call bpf_redirect\b/, 'r0 = 3');

describe('a router with one arm', () => {
  const all = (compares: string): Program =>
    program('one-armed', `${LOOKUP}\n${MASK}\n${compares}\n${SEND_BACK}`);

  it('is seen to forget the TTL', async () => {
    const found = await checked(all(''));
    expect(ids(found)).toEqual(['ttl/not-lowered']);
    expect(found.findings[0]?.severity).toBe('error');
    expect(found.findings[0]?.summary).toContain(
      'all packets that were routed, and sent back, left with the TTL as it came',
    );
  });

  it('and to lower it', async () => {
    expect(ids(await checked(all(LOWER4)))).toEqual([]);
  });

  it('is none where it answers: source and destination change places', async () => {
    const swap = `r1 = *(u32 *)(r7 + 26)
  r2 = *(u32 *)(r7 + 30)
  *(u32 *)(r7 + 26) = r2
  *(u32 *)(r7 + 30) = r1`;
    expect(ids(await checked(all(swap)))).not.toContain('ttl/not-lowered');
  });

  it('is none without a route', async () => {
    const without = program('mirror', `${LOOKUP}\nif r0 == 0 goto pass\n${SEND_BACK}`);
    expect(ids(await checked(without))).not.toContain('ttl/not-lowered');
  });
});

describe('a router that leaves the next hop to the kernel', () => {
  const START = `r6 = r1
    r7 = *(u32 *)(r1 + 76)
    r8 = *(u32 *)(r1 + 80)
    r0 = r7
    r0 += 34
    if r0 > r8 goto pass
    r1 = *(u16 *)(r7 + 12)
    if r1 != 8 goto pass
    r1 = *(u8 *)(r7 + 22)
    if r1 < 2 goto pass`;
  const END = 'exit\npass:\nr0 = 0\nexit';
  const to = (helper: string): string =>
    helper === 'bpf_redirect_neigh'
      ? 'r1 = 3\nr2 = 0\nr3 = 0\nr4 = 0\ncall bpf_redirect_neigh'
      : `r1 = 3\nr2 = 0\ncall ${helper}`;
  const NEIGH = to('bpf_redirect_neigh');
  const severities = async (text: string, hook: Hook = 'tc-ingress'): Promise<string[]> => {
    const object = writeElf({ main: `${START}\n${text}\n${END}` });
    const found = await checked({ name: 'neigh', entries: [{ function: 'main', hook }], object });
    return found.findings.map(({ invariant, severity }) => `${severity} ${invariant}`);
  };
  const WARNING = ['warning ttl/not-lowered'];

  /** MAC addresses that the kernel overwrites, and that some set to 0 before. */
  const ZEROED = `*(u32 *)(r7 + 0) = 0\n*(u16 *)(r7 + 4) = 0\n${NEIGH}`;

  it('is warned where the TTL stays', async () => {
    expect(await severities(NEIGH)).toEqual(WARNING);
    expect(await severities(ZEROED)).toEqual(WARNING);
  });

  it('is not where it is lowered', async () => {
    expect(await severities(`${LOWER4}\n${NEIGH}`)).toEqual([]);
  });

  it('is warned, too, where it bridges other packets', async () => {
    const rest = `${END.replace('pass:', `bridge:\n${to('bpf_redirect')}\nexit\npass:`)}`;
    const both = (ttl: string): string =>
      `r1 = *(u8 *)(r7 + 23)\nif r1 == 17 goto bridge\n${ttl}\n${NEIGH}\n${rest}`;
    const object = (ttl: string): Uint8Array => writeElf({ main: `${START}\n${both(ttl)}` });
    const found = (ttl: string): Promise<CheckedProgram> =>
      checked({ name: 'both', entries: [{ function: 'main', hook: 'tc-ingress' }], object: object(ttl) });
    expect(ids(await found(''))).toEqual(['ttl/not-lowered']);
    expect(ids(await found(LOWER4))).toEqual([]);
  });

  it('is none where the frame goes to a device, or its peer, as it is', async () => {
    expect(await severities(to('bpf_redirect'))).toEqual([]);
    expect(await severities(to('bpf_redirect_peer'))).toEqual([]);
  });

  it('is none of what the stack has sent', async () => {
    expect(await severities(NEIGH, 'tc-egress')).toEqual([]);
    expect(await severities(ZEROED, 'tc-egress')).toEqual([]);
    const routes = `${IPV4_PARAMETERS.replace('(r6 + 12)', '(r6 + 36)')}\n${ASK}\nif r0 != 0 goto pass\n${FORWARD.replace(/exit\s+pass:.*/s, '')}`;
    expect(await severities(routes)).toEqual(['error ttl/not-lowered']);
    expect(await severities(routes, 'tc-egress')).toEqual([]);
  });

  it('is none where it answers', async () => {
    const swap = `r1 = *(u32 *)(r7 + 26)
      r2 = *(u32 *)(r7 + 30)
      *(u32 *)(r7 + 26) = r2
      *(u32 *)(r7 + 30) = r1`;
    const found = await severities(`${swap}\n${NEIGH}`);
    expect(found.filter((one) => one.includes(' ttl/'))).toEqual([]);
  });

  it('fails where it looked the route up', async () => {
    // BPF_FIB_LKUP_RET_SUCCESS, and BPF_FIB_LKUP_RET_NO_NEIGH.
    for (const result of [0, 7]) {
      const parameters = IPV4_PARAMETERS.replace('(r6 + 12)', '(r6 + 36)');
      const asks = `${parameters}\n${ASK}\nif r0 != ${result} goto pass\n${NEIGH}`;
      expect(await severities(asks)).toEqual(['error ttl/not-lowered']);
    }
  });
});

/** `FORWARD` by way of a map. */
const FORWARD_BY_MAP = FORWARD.replace('r2 = 0\n', '').replace(
  /r1 = .*\n *call bpf_redirect\b/,
  'r1 = map[ports]\nr2 = *(u32 *)(r10 - 56)\nr3 = 0\ncall bpf_redirect_map',
);

/** Routes both families; what it does to their TTLs. */
const router46 = (four: string, six: string, forward = FORWARD): Program => ({
  ...{ name: 'router46', entries: [{ function: 'main', hook: 'xdp' }] },
  object: writeElf(
    {
      main: `r6 = r1
  r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 54
  if r0 > r8 goto pass
  ${NO_PARAMETERS}
  r1 = *(u32 *)(r6 + 12)
  *(u32 *)(r10 - 56) = r1
  r9 = *(u16 *)(r7 + 12)
  if r9 == 0xdd86 goto six
  if r9 != 8 goto pass
  r1 = *(u8 *)(r7 + 22)
  if r1 < 2 goto pass
  *(u8 *)(r10 - 64) = 2
  r1 = *(u32 *)(r7 + 26)
  *(u32 *)(r10 - 48) = r1
  r1 = *(u32 *)(r7 + 30)
  *(u32 *)(r10 - 32) = r1
  goto ask
  six:
  r1 = *(u8 *)(r7 + 21)
  if r1 < 2 goto pass
  *(u8 *)(r10 - 64) = 10
  ${[0, 4, 8, 12, 16, 20, 24, 28].map((at) => `r1 = *(u32 *)(r7 + ${22 + at})\n*(u32 *)(r10 - ${48 - at}) = r1`).join('\n')}
  ask:
  ${ASK}
  if r0 != 0 goto pass
  if r9 == 0xdd86 goto lower6
  ${four}
  goto on
  lower6:
  ${six}
  on:
  ${forward}`,
    },
    [testMap('ports', 'DEVMAP_HASH')],
  ),
});

it.each([
  ['none', LOWER4, LOWER6, []],
  ['IPv4', '', LOWER6, ['IPv4 packets']],
  ['IPv6', LOWER4, '', ['IPv6 packets']],
  ['both', '', '', ['packets']],
])('a router of both families that forgets %s is told so', async (_, four, six, whose) => {
  const { findings } = await checked(router46(four, six));
  expect(findings.map(({ invariant, severity }) => [invariant, severity])).toEqual(
    whose.map(() => ['ttl/not-lowered', 'error']),
  );
  for (const [index, packets] of whose.entries())
    expect(findings[index]?.summary).toContain(`all ${packets} that were redirected left with the TTL as it`);
});

it.each([
  ['none', LOWER4, LOWER6, []],
  ['IPv4', '', LOWER6, ['IPv4 packets']],
  ['IPv6', LOWER4, '', ['IPv6 packets']],
])(
  'a router of both families behind a map that nobody asks first, which forgets %s, is told so',
  async (_, four, six, whose) => {
    const { findings } = await checked(router46(four, six, FORWARD_BY_MAP));
    const errors = findings.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ invariant }) => invariant)).toEqual(whose.map(() => 'ttl/not-lowered'));
    for (const [index, packets] of whose.entries())
      expect(errors[index]?.summary).toContain(`all ${packets}`);
  },
);

/** Another source address, and a header checksum that knows of it. */
const TRANSLATED = `r1 = *(u32 *)(r7 + 26)
  *(u32 *)(r10 - 72) = r1
  *(u32 *)(r10 - 76) = 0x0706a8c0
  r1 = r10
  r1 += -72
  r2 = 4
  r3 = r10
  r3 += -76
  r4 = 4
  r5 = *(u16 *)(r7 + 24)
  r5 ^= 0xffff
  call bpf_csum_diff
  r1 = r0
  r1 >>= 16
  r0 &= 0xffff
  r0 += r1
  r1 = r0
  r1 >>= 16
  r0 &= 0xffff
  r0 += r1
  r0 ^= 0xffff
  *(u16 *)(r7 + 24) = r0
  *(u32 *)(r7 + 26) = 0x0706a8c0`;

it.each([
  ['keeps the TTL', '', ['ttl/not-lowered']],
  ['lowers the TTL', LOWER4, []],
])(
  'a gateway that routes packets with another address, and %s, is judged like a router',
  async (_, ttl, expected) => {
    const gateway = `${LOOKUP}\nif r0 != 0 goto pass\n${ttl}\n${TRANSLATED}\n${FORWARD}`;
    const found = await checked(program('gateway', gateway));
    // Checksums of TCP and UDP are left alone: another fault.
    expect(ids(found).filter((id) => id.startsWith('ttl/'))).toEqual(expected);
  },
);

it('who answers, and sends that to a next hop, has TTLs of its own', async () => {
  const answers = `${LOOKUP}
  if r0 != 0 goto pass
  r1 = *(u32 *)(r7 + 26)
  r2 = *(u32 *)(r7 + 30)
  *(u32 *)(r7 + 26) = r2
  *(u32 *)(r7 + 30) = r1
  *(u8 *)(r7 + 22) = 64
  ${FORWARD}`;
  const found = await checked(program('answers', answers));
  expect(ids(found).filter((id) => id.startsWith('ttl/'))).toEqual([]);
});

describe('a router behind a map of devices', () => {
  /** By way of the map, after the TTL was changed. */
  const behind = (ttl: string): Program => ({
    ...{ name: 'router', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf(
      {
        main: [LOOKUP.replace('if r1 < 2 goto pass', ''), 'if r0 != 0 goto pass', ttl, FORWARD_BY_MAP].join(
          '\n',
        ),
      },
      [testMap('ports', 'DEVMAP_HASH'), testMap('steps', 'ARRAY')],
    ),
  });
  const severities = ({ findings }: CheckedProgram): string[] =>
    findings
      .filter(({ invariant }) => invariant.startsWith('ttl/'))
      .map(({ invariant, severity }) => `${severity} ${invariant}`);
  const LOWER = `r1 = *(u8 *)(r7 + 22)
    r1 += -1
    *(u8 *)(r7 + 22) = r1
    r1 = *(u16 *)(r7 + 24)
    r1 += 1
    *(u16 *)(r7 + 24) = r1`;

  it('that does not look at the TTL fails, though the test filled the map', async () => {
    expect(severities(await checked(behind(LOWER)))).toContain('error ttl/expired');
  });

  it('that never lowers the TTL fails', async () => {
    expect(severities(await checked(behind('')))).toEqual(['error ttl/not-lowered']);
  });

  it('that takes as much as a map says is not to blame for what the test put there', async () => {
    const asked = LOWER.replace(
      'r1 += -1',
      `*(u64 *)(r10 - 72) = 0
      r1 = map[steps]
      r2 = r10
      r2 += -72
      call bpf_map_lookup_elem
      if r0 == 0 goto pass
      r2 = *(u8 *)(r0 + 0)
      if r2 != 1 goto pass
      r1 = *(u8 *)(r7 + 22)
      r1 -= r2`,
    );
    const found = severities(await checked(behind(asked)));
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((one) => !one.startsWith('info'))).toEqual([]);
  });
});

describe('a router whose next hop a map says', () => {
  const NEXT_HOP = `r1 = *(u32 *)(r7 + 30)
    *(u32 *)(r10 - 72) = r1
    r1 = map[hops]
    r2 = r10
    r2 += -72
    call bpf_map_lookup_elem
    if r0 == 0 goto pass
    r1 = *(u32 *)(r0 + 0)`;
  const lookup = LOOKUP.replace('r1 = *(u32 *)(r7 + 30)', NEXT_HOP);
  const by = (ttl: string): Program => ({
    ...{ name: 'balancer', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf({ main: [lookup, 'if r0 != 0 goto pass', ttl, FORWARD].join('\n') }, [
      testMap('hops', 'HASH'),
    ]),
  });
  const LOWER_ALONE = `r1 = *(u8 *)(r7 + 22)
    r1 += -1
    *(u8 *)(r7 + 22) = r1`;

  it('fails for a checksum that it forgets', async () => {
    const { findings } = await checked(by(LOWER_ALONE));
    expect(findings.map(({ invariant, severity }) => `${severity} ${invariant}`)).toEqual([
      'error checksum/not-updated',
    ]);
  });

  it('passes where it routes right, and everything in it is seen', async () => {
    const found = await checked(by(LOWER4));
    expect(found.findings).toEqual([]);
    expect(found.verdict).toBe('pass');
    expect(found.unreached).toEqual([]);
  });

  it('is not to blame for the TTL where the next hop that the test made up decides', async () => {
    const { findings } = await checked(by(''));
    expect(findings.map(({ invariant, severity }) => `${severity} ${invariant}`)).toEqual([
      'info ttl/not-lowered',
    ]);
  });
});

it('a table gets every result that a world can lead to', () => {
  // Four bits each: 0 leads to XDP_TX, 5 to XDP_PASS, where a search begins; all others to XDP_DROP.
  const text = `${LOOKUP}
    r1 = 0x11211113
    r0 <<= 2
    r1 >>= r0
    r1 &= 15
    r0 = r1
    exit
    pass:
    r0 = 2
    exit`;
  const { cases } = guide(program('table', text), { seed: 'table', effort: 300_000 });
  const neighbours = cases.map(({ world }) => world.neighbours?.length ?? 0);
  expect(Math.max(...neighbours)).toBe(1);
});

it('a lookup that the machine does not model is said to be, with the packets that came to it', async () => {
  const asked = program('router', `${LOOKUP.replace('r4 = 0', 'r4 = 8')}\n${RANGES}\n${FORWARD}`);
  const { verdict, reason, notChecked, findings } = await checked(asked);
  expect(findings).toEqual([]);
  expect(verdict).toBe('incomplete');
  expect(reason).toContain('bpf_fib_lookup with flags 0x8 is not modelled)');
  expect(notChecked).toEqual([
    expect.stringMatching(/^the machine ran \d+ packets no further than instruction 30/),
  ]);
});

describe('a packet that a proof found', () => {
  const device = (ifindex: number): NonNullable<World['devices']>[number] => ({
    ...{ ifindex, name: `dev${ifindex}`, mac: macFromText(`02:00:00:00:00:0${ifindex}`), forwarding: true },
  });
  const world: World = {
    devices: [device(2), device(3)],
    routes: [{ to: '10.1.2.3/32', ifindex: 3 }],
    neighbours: [{ ifindex: 3, address: '10.1.2.3', mac: macFromText('02:00:00:00:00:09') }],
  };
  /** As a solver gives it: what no condition asks for is 0, the version as well. */
  const packet = new Uint8Array(34);
  packet.set([8, 0], 12);
  packet[22] = 2;
  packet.set(addressFromText('10.1.2.4'), 26);
  packet.set(addressFromText('10.1.2.3'), 30);
  const proof: ProofAid = {
    ...{ cases: [{ program: 'router', world, stimuli: [{ packet, ingressIfindex: 2 }] }], impossible: [] },
    ...{ shown: 1, paths: 1, beyond: 0, doubt: undefined, seconds: 0 },
  };
  const proved = { prove: async () => proof, proveFrom: 101, effort: 0 };

  it('is judged with sound headers, like all others', async () => {
    const found = await checked(router(RANGES), proved);
    expect(ids(found)).toEqual(['ttl/not-lowered']);
    expect(ids(await checked(router(RANGES), { effort: 0 }))).toEqual([]);
  });

  it('has the words swept that it shows to be rewritten', async () => {
    const { sweeps } = await checked(router(RANGES), { ...proved, sweeps: true });
    expect(sweeps).toEqual({ words: 4, packets: 4 * 65_536, left: 0 });
  });
});

it('generated packets come in by the devices that the user states', async () => {
  const text = 'r1 = *(u32 *)(r1 + 12)\nr0 = 2\nif r1 == 7 goto out\nr0 = 1\nout:\nexit';
  const stated = { ...program('ingress', text), hints: { ingressIfindexes: [7] } };
  const { report } = await checked(stated, { effort: 0 });
  expect(Object.keys(report.actions)).toEqual(['XDP_PASS']);
});

/** Which redirects lead nowhere, as small programs make them. What helpers return: net/core/filter.c. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { data } from '../test-support/packets.ts';
import type { Seen } from './probe.ts';
import { Redirects } from './redirects.ts';

const MAPS = [testMap('ports', 'DEVMAP'), testMap('others', 'DEVMAP_HASH'), testMap('counts', 'ARRAY')];
const NO_DEVICES = [testMap('cpus', 'CPUMAP'), testMap('sockets', 'XSKMAP')];

interface Around {
  readonly hook?: Hook;
  readonly world?: World;
  readonly isGiven?: boolean;
  readonly packets?: readonly Uint8Array[];
  readonly maps?: readonly BpfMap[];
}

/** What is found of a program's packets. */
async function found(
  text: string,
  { hook = 'xdp', world = {}, isGiven = false, packets = [data(60)], maps = MAPS }: Around = {},
): Promise<Seen[]> {
  const object = writeElf({ main: text }, maps);
  const program: Program = { name: 'p', entries: [{ function: 'main', hook }], object };
  const side = new EngineSide(createVmEngine(), program, packets.length);
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet });
  expect(await side.run(world, input)).toBe(true);
  const redirects = new Redirects(program, isGiven);
  redirects.observe(world, input, side);
  await side.close();
  return redirects.find();
}

/** Findings, each in a line: its rule, what was got, how much it weighs where that is not as usual. */
async function said(text: string, around?: Around): Promise<string[]> {
  const seen = await found(text, around);
  return seen.map(({ breach, severity }) =>
    [breach.invariant, breach.got, severity].filter(Boolean).join(': '),
  );
}

const to = (index: number | string, flags = 0, helper = 'bpf_redirect'): string =>
  `r1 = ${index}\n r2 = ${flags}\n call ${helper}\n exit`;
const toMap = (key: number, flags = 0, map = 'ports'): string =>
  `r1 = map[${map}]\n r2 = ${key}\n r3 = ${flags}\n call bpf_redirect_map\n exit`;
/** The first value of a map, or out. */
const fromMap = (then: string): string => `*(u32 *)(r10 - 4) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r3 = *(u64 *)(r0 + 0)
  ${then}
  out:
  r0 = 2
  exit`;
const entry = (key: number, value: number): { key: Uint8Array; value: Uint8Array } => ({
  key: Uint8Array.of(key, 0, 0, 0),
  value: Uint8Array.of(value, 0, 0, 0),
});
const devices = (...indexes: readonly number[]): World => ({
  devices: indexes.map((ifindex) => ({
    ifindex,
    name: `d${ifindex}`,
    mac: macFromText('02:00:00:00:00:02'),
  })),
});

describe('a redirect has no target', () => {
  it('where no helper was called', async () => {
    const [seen, ...others] = await found(`r0 = 4\n if r1 != 0 goto end\n call bpf_redirect\n end:\n exit`);
    expect(others).toEqual([]);
    expect(seen?.breach).toEqual({
      invariant: 'redirect/no-target',
      at: 0,
      size: 0,
      expected: 'a target',
      got: 'none',
      sentence: 'the program returned XDP_REDIRECT, but no helper was called',
    });
    expect(seen?.severity).toBeUndefined();
    expect(seen?.engine.name).toBe('vm');
    expect(seen?.got.action).toBe(4);
    expect(seen?.stimuli.length).toBe(1);
    expect(seen?.stimuli[0]?.packet.length).toBeLessThan(60);
  });

  it('where the helper had returned something else', async () => {
    const late = (hook: Hook, action: number): Promise<Seen[]> =>
      found(`r1 = 3\n r2 = 2\n call bpf_redirect\n r0 = ${action}\n exit`, { hook });
    expect((await late('xdp', 4)).map(({ breach }) => breach.sentence)).toEqual([
      'the program returned XDP_REDIRECT, but bpf_redirect had returned 0',
    ]);
    expect((await late('tc-ingress', 7)).map(({ breach }) => breach.sentence)).toEqual([
      'the program returned TC_ACT_REDIRECT, but bpf_redirect had returned 2',
    ]);
  });

  it.each<[helper: string, hook: Hook]>([
    ['bpf_redirect', 'xdp'],
    ['bpf_redirect', 'tc-ingress'],
    ['bpf_redirect', 'tc-egress'],
    ['bpf_redirect_peer', 'tc-ingress'],
  ])('at interface 0: %s at %s', async (helper, hook) => {
    const [seen] = await found(to(0, 0, helper), { hook });
    expect([seen?.breach.invariant, seen?.breach.got, seen?.severity]).toEqual([
      'redirect/no-target',
      'interface index 0',
      'error',
    ]);
    const action = hook === 'xdp' ? 'XDP_REDIRECT' : 'TC_ACT_REDIRECT';
    expect(seen?.breach.sentence).toBe(
      `${helper} got interface index 0, which no device has: the kernel drops what is returned with ${action}`,
    );
  });

  it('at interface 0 that a map holds: which weighs less, and least where nobody has said what it holds', async () => {
    const text = fromMap(to('r3'));
    const from = 'redirect/no-target: interface index 0 from a map, a variable or the context';
    expect(await said(text)).toEqual([`${from}: info`]);
    expect(await said(text, { isGiven: true })).toEqual([`${from}: warning`]);
    expect((await found(text))[0]!.breach.sentence).toMatch(
      /^bpf_redirect got interface index 0 from a map, a variable or the context, which no device has:/,
    );
  });

  it('but any other one is a target', async () => {
    expect(await said(to(1))).toEqual([]);
    expect(await said(to(7))).toEqual([]);
    expect(await said(to(7), { hook: 'tc-ingress' })).toEqual([]);
  });
});

describe('a redirect to a device', () => {
  it('that the world does not have leads nowhere', async () => {
    const [seen] = await found(to(7), { world: devices(2, 3), isGiven: true });
    expect(seen?.breach).toMatchObject({
      invariant: 'redirect/absent-device',
      got: 'ifindex 7',
      sentence: 'the world has no device with ifindex 7',
    });
    expect(seen?.severity).toBeUndefined();
  });

  it.each<[what: string, index: number, world: World, isGiven: boolean]>([
    ['that the world has', 3, devices(2, 3), true],
    ['that is the loopback device, which is always there', 1, devices(2, 3), true],
    ['of a world that says nothing of devices', 7, {}, true],
    ['of a world that has none', 7, devices(), true],
    ['of a world that the test made', 7, devices(2, 3), false],
  ])('%s leads there', async (_what, index, world, isGiven) => {
    expect(await said(to(index), { world, isGiven })).toEqual([]);
  });
});

describe('a helper refuses', () => {
  it.each<[text: string, hook: Hook, what: string]>([
    [to(3, 1), 'xdp', 'bpf_redirect with flags 0x1'],
    [to(3, 0x10), 'xdp', 'bpf_redirect with flags 0x10'],
    [to(3, 2), 'tc-ingress', 'bpf_redirect with flags 0x2'],
    [toMap(0, 0x20), 'xdp', 'bpf_redirect_map with flags 0x20'],
    [toMap(0, 4), 'xdp', 'bpf_redirect_map with flags 0x4'],
  ])('its flags', async (text, hook, what) => {
    const [seen, ...others] = await found(text, { hook });
    expect(others).toEqual([]);
    expect([seen?.breach.invariant, seen?.breach.got]).toEqual(['redirect/refused', what]);
    expect(seen?.breach.sentence).toBe(what.replace(' with', ' refused the'));
  });

  it.each<[map: string, type: string, flags: number]>([
    ['cpus', 'CPUMAP', 0x8],
    ['sockets', 'XSKMAP', 0x10],
    ['sockets', 'XSKMAP', 0x1a],
  ])('flags of maps of devices with others: %s', async (map, type, flags) => {
    const [seen, ...others] = await found(toMap(0, flags, map), { maps: NO_DEVICES });
    expect(others).toEqual([]);
    expect(seen?.breach.invariant).toBe('redirect/refused');
    expect(seen?.breach.sentence).toBe(
      `bpf_redirect_map refused the flags 0x${flags.toString(16)}, which only maps of devices know: ${map} is of type ${type}`,
    );
  });

  it.each<[map: string, flags: number]>([
    ['cpus', 0],
    ['sockets', 2],
  ])('not what all maps know: %s', async (map, flags) => {
    expect(await said(toMap(0, flags, map), { maps: NO_DEVICES })).toEqual([]);
  });

  it('no more than what is known of maps of any kind', async () => {
    const sentences = (await found(toMap(0, 0x20, 'cpus'), { maps: NO_DEVICES })).map(
      ({ breach }) => breach.sentence,
    );
    expect(sentences).toEqual(['bpf_redirect_map refused the flags 0x20']);
  });

  it.each<[what: string, text: string, hook: Hook]>([
    ['no flags that it knows', toMap(0, 0x18), 'xdp'],
    ['no flags that it knows of any device', toMap(0, 0x18, 'others'), 'xdp'],
    ['no action for a miss', toMap(0, 1), 'xdp'],
    ['no direction', to(3, 1), 'tc-ingress'],
    ['what the program drops by itself', 'r1 = 3\n r2 = 0\n call bpf_redirect\n r0 = 0\n exit', 'xdp'],
    ['what another hook drops', 'r1 = 3\n r2 = 2\n call bpf_redirect\n r0 = 0\n exit', 'tc-ingress'],
    ['what is dropped without it', 'r0 = 0\n if r1 != 0 goto end\n call bpf_redirect\n end:\n exit', 'xdp'],
    ['what is passed', 'r1 = 3\n r2 = 1\n call bpf_redirect\n r0 = 2\n exit', 'xdp'],
    ['flags of which nothing is known', to(3, 2, 'bpf_redirect_peer'), 'tc-ingress'],
  ])('not %s', async (_what, text, hook) => {
    expect(await said(text, { hook })).toEqual([]);
  });
});

describe('a slot without an entry', () => {
  const filled: World = { maps: { ports: [entry(0, 2)], others: [entry(0, 2)] } };
  const around = { world: filled, isGiven: true };

  it('is a fault where every map of targets has some', async () => {
    const [seen] = await found(toMap(3), around);
    expect(seen?.breach).toMatchObject({
      invariant: 'redirect/empty-slot',
      got: 'key 3, which has no entry',
      sentence: 'the map has entries, but none under key 3, so the packet was dropped',
    });
    expect(seen?.world).toBe(filled);
    expect(await said(toMap(9, 0, 'others'), around)).toEqual([
      'redirect/empty-slot: key 9, which has no entry',
    ]);
  });

  it.each<[what: string, text: string, around: Around]>([
    ['where the slot has one', toMap(0), around],
    ['where the test filled the maps', toMap(3), { world: filled }],
    [
      'where a map of targets is empty',
      toMap(3),
      { world: { maps: { ports: [entry(0, 2)], others: [] } }, isGiven: true },
    ],
    ['where nothing is said of one', toMap(3), { world: { maps: { ports: [entry(0, 2)] } }, isGiven: true }],
    ['where nothing is said of maps', toMap(3), { isGiven: true }],
    ['where the program asked for something else', toMap(3, 2), around],
  ])('is none %s', async (_what, text, other) => {
    expect(await said(text, other)).toEqual([]);
  });
});

describe('packets that are looked at', () => {
  /** Refused where the first byte is 9, and dropped by the program where it is not. */
  const ninth = `r6 = *(u32 *)(r1 + 0)
    r7 = *(u32 *)(r1 + 4)
    r0 = r6
    r0 += 14
    if r0 > r7 goto out
    r6 = *(u8 *)(r6 + 0)
    r1 = 3
    r2 = 0
    if r6 != 9 goto right
    r2 = 1
    right:
    call bpf_redirect
    out:
    r0 = 0
    exit`;
  const numbered = (first: number, count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, at) => Uint8Array.of(first + at, ...data(59)));

  it('are eight of a kind', async () => {
    const dropped = 'redirect/refused: bpf_redirect with flags 0x1';
    expect(await said(ninth, { packets: numbered(1, 9) })).toEqual([]);
    expect(await said(ninth, { packets: numbered(2, 8) })).toEqual([dropped]);
  });

  it('are those of programs that can redirect', async () => {
    expect(await said('r0 = 4\n exit')).toEqual([]);
  });

  it('are shown once for each rule', async () => {
    expect((await said(to(3, 1), { packets: numbered(1, 3) })).length).toBe(1);
  });

  it('are shown without contents of maps that they do not need', async () => {
    const value = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0);
    const world = { maps: { counts: [{ ...entry(0, 2), value }] } };
    expect((await found(to(0), { world }))[0]!.world).toEqual({});
    expect((await found(to(0), { world, isGiven: true }))[0]!.world).toBe(world);
    const needs = fromMap('if r3 != 2 goto out\n r1 = 3\n r2 = 1\n call bpf_redirect\n exit');
    expect((await found(needs, { world }))[0]!.world).toBe(world);
  });
});

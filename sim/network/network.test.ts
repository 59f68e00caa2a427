/** Where programs on a router's devices send frames: at every hook, with every action, onto every kind of wire. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../engines/vm.ts';
import { ethernet } from '../packet/build.ts';
import { toHex } from '../packet/bytes.ts';
import { stepText } from './render.ts';
import { simulate } from './run.ts';
import { scenarioFromJson } from './scenario-json.ts';
import { mac } from './test-support/programs.ts';

const LEFT = 11;
const RIGHT = 12;

/** One function for each thing that a program can do. */
const PROGRAMS = writeElf({
  pass: 'r0 = 2\nexit',
  drop: 'r0 = 1\nexit',
  abort: 'r0 = 0\nexit',
  back: 'r0 = 3\nexit',
  unknown: 'r0 = 9\nexit',
  on: `r1 = ${RIGHT}\nr2 = 0\ncall bpf_redirect\nexit`,
  home: `r1 = ${LEFT}\nr2 = 0\ncall bpf_redirect\nexit`,
  nowhere: 'r1 = 77\nr2 = 0\ncall bpf_redirect\nexit',
  // Behind the frame's end.
  faulty: 'r1 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r1 + 2000)\nexit',
  // The Ethernet header only, so that what comes behind a tag's identifier is cut off.
  cut: 'r2 = -12\ncall bpf_xdp_adjust_tail\nr0 = 2\nexit',
  mark: 'r2 = 5\n*(u32 *)(r1 + 8) = r2\nr0 = 0\nexit',
  zero: 'r0 = 0\nexit',
  shot: 'r0 = 2\nexit',
});

interface Attached {
  /** The hub's device towards the left, and the one towards the right. */
  readonly a?: object;
  readonly b?: object;
  readonly left?: object;
  readonly right?: object;
}

const main = { object: 'main.o' };
const at = (hook: string, name: string, mode?: string): object => ({
  [hook]: mode === undefined ? `main:${name}` : { program: `main:${name}`, mode },
});

/** Two hosts, left and right, with a hub between them. */
function scenarioOf(
  { a = {}, b = {}, left = {}, right = {} }: Attached,
  frames: readonly Uint8Array[],
): unknown {
  const device = (name: string, ifindex: number, network: number, host: number, more: object): object => ({
    name,
    ifindex,
    mac: mac(network, host),
    addresses: [`10.${network}.0.${host}/24`],
    ...more,
  });
  const using = (...devices: object[]): object =>
    JSON.stringify(devices).includes('main:') ? { programs: { main } } : {};
  return {
    name: 'hub',
    description: '',
    namespaces: {
      left: { devices: [device('veth0', 5, 1, 2, left)], ...using(left) },
      hub: { devices: [device('a', LEFT, 1, 1, a), device('b', RIGHT, 2, 1, b)], ...using(a, b) },
      right: { devices: [device('veth0', 5, 2, 2, right)], ...using(right) },
    },
    wires: [
      ['left:veth0', 'hub:a'],
      ['hub:b', 'right:veth0'],
    ],
    steps: frames.map((bytes) => ({ frame: { device: 'left:veth0', hex: toHex(bytes) } })),
  };
}

async function lines(attached: Attached, ...frames: Uint8Array[]): Promise<string[]> {
  const scenario = scenarioFromJson(scenarioOf(attached, frames), 'test');
  const { steps } = await simulate(scenario, createVmEngine(), new Map([['main.o', PROGRAMS]]));
  return steps.flatMap((step) => stepText(step)).map((line) => line.trim().replace(/: (02:\S+ → \S+)$/, ''));
}

/** To a type that no stack knows. */
const FRAME = ethernet({ destination: mac(1, 1), source: mac(1, 2), etherType: 0x88b5 })
  .payload(new Uint8Array(46))
  .bytes();
const PASS = at('xdp', 'pass');
describe('a frame that comes in', () => {
  it.each<[what: string, attached: Attached, lines: string[]]>([
    ['nothing', {}, ['left:veth0 → hub:a  60 bytes', 'hub:a knows nothing of EtherType 0x88b5: dropped']],
    [
      'XDP passes',
      { a: at('xdp', 'pass') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp pass: XDP_PASS',
        'hub:a knows nothing of EtherType 0x88b5: dropped',
      ],
    ],
    ['XDP drops', { a: at('xdp', 'drop') }, ['left:veth0 → hub:a  60 bytes', 'hub:a xdp drop: XDP_DROP']],
    [
      'XDP aborts',
      { a: at('xdp', 'abort') },
      ['left:veth0 → hub:a  60 bytes', 'hub:a xdp abort: XDP_ABORTED'],
    ],
    [
      'XDP says what nobody knows',
      { a: at('xdp', 'unknown') },
      ['left:veth0 → hub:a  60 bytes', 'hub:a xdp unknown: 9'],
    ],
    [
      'XDP is stopped',
      { a: at('xdp', 'faulty') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp faulty: stopped: instruction 1: invalid access to packet, off=2000 size=1, R1(r=0): the comparison with data_end covers 0 bytes',
      ],
    ],
    [
      'XDP sends back, to nobody with XDP',
      { a: at('xdp', 'back') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp back: XDP_TX',
        'hub:a the frame is lost: a native XDP program at the other end is needed to take it',
      ],
    ],
    [
      'XDP sends back',
      { a: at('xdp', 'back'), left: PASS },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp back: XDP_TX',
        'hub:a → left:veth0  60 bytes',
        'left:veth0 xdp pass: XDP_PASS',
        'left:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'XDP sends back, to generic XDP',
      { a: at('xdp', 'back'), left: at('xdp', 'pass', 'generic') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp back: XDP_TX',
        'hub:a the frame is lost: a native XDP program at the other end is needed to take it',
      ],
    ],
    [
      'generic XDP sends back',
      { a: at('xdp', 'back', 'generic') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp back: XDP_TX',
        'hub:a → left:veth0  60 bytes',
        'left:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'XDP sends on',
      { a: at('xdp', 'on'), right: PASS },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp on: XDP_REDIRECT to b',
        'hub:b → right:veth0  60 bytes',
        'right:veth0 xdp pass: XDP_PASS',
        'right:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'generic XDP sends on',
      { a: at('xdp', 'on', 'generic') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp on: XDP_REDIRECT to b',
        'hub:b → right:veth0  60 bytes',
        'right:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'XDP sends on, to nobody with XDP',
      { a: at('xdp', 'on') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp on: XDP_REDIRECT to b',
        'hub:b the frame is lost: a native XDP program at the other end is needed to take it',
      ],
    ],
    [
      'XDP sends to the device by which it came',
      { a: at('xdp', 'home', 'generic') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp home: XDP_REDIRECT to a',
        'hub:a → left:veth0  60 bytes',
        'left:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'XDP sends to no device',
      { a: at('xdp', 'nowhere') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a xdp nowhere: XDP_REDIRECT to 77',
        'hub:a there is no device 77: dropped',
      ],
    ],
    [
      'TC passes',
      { a: at('tcIngress', 'zero') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a tc-ingress zero: TC_ACT_OK',
        'hub:a knows nothing of EtherType 0x88b5: dropped',
      ],
    ],
    [
      'TC drops',
      { a: at('tcIngress', 'shot') },
      ['left:veth0 → hub:a  60 bytes', 'hub:a tc-ingress shot: TC_ACT_SHOT'],
    ],
    [
      'TC sends on',
      { a: at('tcIngress', 'on') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a tc-ingress on: TC_ACT_REDIRECT to b',
        'hub:b → right:veth0  60 bytes',
        'right:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'TC sends on, through TC',
      { a: at('tcIngress', 'on'), b: at('tcEgress', 'zero') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a tc-ingress on: TC_ACT_REDIRECT to b',
        'hub:b tc-egress zero: TC_ACT_OK',
        'hub:b → right:veth0  60 bytes',
        'right:veth0 is not the frame’s destination MAC: dropped',
      ],
    ],
    [
      'TC sends on, and TC drops',
      { a: at('tcIngress', 'on'), b: at('tcEgress', 'shot') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a tc-ingress on: TC_ACT_REDIRECT to b',
        'hub:b tc-egress shot: TC_ACT_SHOT',
      ],
    ],
    [
      'TC sends to no device',
      { a: at('tcIngress', 'nowhere') },
      [
        'left:veth0 → hub:a  60 bytes',
        'hub:a tc-ingress nowhere: TC_ACT_REDIRECT to 77',
        'hub:a there is no device 77: dropped',
      ],
    ],
    [
      'TC is stopped',
      { a: at('tcIngress', 'faulty') },
      [
        'left:veth0 → hub:a  60 bytes',
        "hub:a tc-ingress faulty: stopped: instruction 1: R1 invalid mem access 'scalar'",
      ],
    ],
    [
      'XDP drops before TC',
      { a: { ...at('xdp', 'drop'), ...at('tcIngress', 'zero') } },
      ['left:veth0 → hub:a  60 bytes', 'hub:a xdp drop: XDP_DROP'],
    ],
    [
      'XDP passes to TC',
      { a: { ...at('xdp', 'pass'), ...at('tcIngress', 'shot') } },
      ['left:veth0 → hub:a  60 bytes', 'hub:a xdp pass: XDP_PASS', 'hub:a tc-ingress shot: TC_ACT_SHOT'],
    ],
  ])('%s', async (_what, attached, expected) => {
    expect(await lines(attached, FRAME)).toEqual(expected);
  });
});

describe('a frame that goes out', () => {
  it.each<[what: string, attached: Attached, lines: string[]]>([
    [
      'TC passes',
      { left: at('tcEgress', 'zero') },
      [
        'left:veth0 tc-egress zero: TC_ACT_OK',
        'left:veth0 → hub:a  60 bytes',
        'hub:a knows nothing of EtherType 0x88b5: dropped',
      ],
    ],
    ['TC drops', { left: at('tcEgress', 'shot') }, ['left:veth0 tc-egress shot: TC_ACT_SHOT']],
    [
      'TC sends elsewhere',
      { left: at('tcEgress', 'nowhere') },
      ['left:veth0 tc-egress nowhere: TC_ACT_REDIRECT to 77', 'left:veth0 there is no device 77: dropped'],
    ],
    [
      'TC marks',
      { left: at('tcEgress', 'mark') },
      [
        'left:veth0 tc-egress mark: TC_ACT_OK',
        'left:veth0 → hub:a  60 bytes',
        'hub:a knows nothing of EtherType 0x88b5: dropped',
      ],
    ],
    [
      'TC is stopped',
      { left: at('tcEgress', 'faulty') },
      ["left:veth0 tc-egress faulty: stopped: instruction 1: R1 invalid mem access 'scalar'"],
    ],
    [
      'TC marks what it sends on',
      { a: { ...at('tcIngress', 'mark') }, left: at('tcEgress', 'mark') },
      [
        'left:veth0 tc-egress mark: TC_ACT_OK',
        'left:veth0 → hub:a  60 bytes',
        'hub:a tc-ingress mark: TC_ACT_OK',
        'hub:a knows nothing of EtherType 0x88b5: dropped',
      ],
    ],
  ])('%s', async (_what, attached, expected) => {
    expect(await lines(attached, FRAME)).toEqual(expected);
  });
});

describe('a mark', () => {
  it('stays with a packet that a router forwards, and is not seen by TC, and crosses no wire', async () => {
    const packet = ethernet({ destination: mac(1, 1), source: mac(1, 2) })
      .ipv4({ source: '10.1.0.2', destination: '10.2.0.2' })
      .udp()
      .bytes();
    const forwarding = { forwarding: true };
    expect(
      await lines(
        { a: { ...forwarding, ...at('tcIngress', 'mark') }, b: { ...forwarding, ...at('tcEgress', 'zero') } },
        packet,
      ),
    ).toEqual([
      'left:veth0 → hub:a  42 bytes: 10.1.0.2 → 10.2.0.2, udp 40000 → 9',
      'hub:a tc-ingress mark: TC_ACT_OK',
      'hub:a forwards to 10.2.0.2 by b',
      'hub:b asks who has 10.2.0.2',
      'hub:b tc-egress zero: TC_ACT_OK',
      'hub:b → right:veth0  42 bytes: who has 10.2.0.2? tell 10.2.0.1',
      'right:veth0 answers that it has 10.2.0.2',
      'right:veth0 → hub:b  42 bytes: 10.2.0.2 is at 02:00:00:00:02:02',
      'hub:b learns that 10.2.0.2 is at 02:00:00:00:02:02',
      'hub:b tc-egress zero: TC_ACT_OK',
      'hub:b TC does not see the mark that the frame has, which is not simulated',
      'hub:b → right:veth0  42 bytes, mark 5: 10.1.0.2 → 10.2.0.2, udp 40000 → 9',
      'right:veth0 has nobody at UDP port 9',
      'right:veth0 says “port unreachable” to 10.1.0.2',
      'right has no route to 10.1.0.2: nothing is sent',
    ]);
  });
});

describe('a tag that is cut off', () => {
  const tagged = (length: number): Uint8Array =>
    ethernet({ destination: mac(1, 1), source: mac(1, 2) })
      .vlan({ id: 5 })
      .payload(new Uint8Array(40))
      .bytes()
      .subarray(0, length);
  it.each<[what: string, attached: Attached, length: number, lines: string[]]>([
    ['is freed', {}, 19, ['hub:a gets a cut-off VLAN tag, which the kernel frees before anybody sees it']],
    [
      'is none with its EtherType and two bytes',
      {},
      20,
      ['left:veth0 → hub:a  20 bytes: ID 5, priority 0', 'hub:a has no VLAN device: dropped'],
    ],
    [
      'is shown to XDP, and freed behind it',
      { a: PASS },
      19,
      [
        'left:veth0 → hub:a  19 bytes: ID 5, priority 0',
        'hub:a xdp pass: XDP_PASS',
        'hub:a passes a cut-off VLAN tag: freed',
      ],
    ],
    [
      'is what XDP makes of one',
      { a: at('xdp', 'cut') },
      30,
      [
        'left:veth0 → hub:a  30 bytes: ID 5, priority 0',
        'hub:a xdp cut: XDP_PASS',
        'hub:a passes a cut-off VLAN tag: freed',
      ],
    ],
    [
      'is none of a frame without a tag',
      {},
      14,
      ['left:veth0 → hub:a  14 bytes', 'hub:a knows nothing of EtherType 0x88b5: dropped'],
    ],
  ])('%s', async (_what, attached, length, expected) => {
    const frame = length === 14 ? FRAME.subarray(0, 14) : tagged(length);
    expect(await lines(attached, frame)).toEqual(expected);
  });
});

it('as long as the other end takes, with a tag, goes over a wire', async () => {
  const frame = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => FRAME[index] ?? 0);
  const sent = async (length: number): Promise<string[]> => lines({ a: { mtu: 1400 } }, frame(length));
  expect([...(await sent(1418)), ...(await sent(1419))]).toEqual([
    'left:veth0 → hub:a  1418 bytes',
    'hub:a knows nothing of EtherType 0x88b5: dropped',
    'left:veth0 1419 bytes do not go over this wire: dropped',
  ]);
});

it('gives frames up that run in circles, after 2000 events', async () => {
  const circle = { a: at('xdp', 'back'), left: at('xdp', 'back') };
  const scenario = scenarioFromJson(scenarioOf(circle, [FRAME]), 'test');
  const { steps } = await simulate(scenario, createVmEngine(), new Map([['main.o', PROGRAMS]]));
  const { events } = steps[0]!;
  // Two hops and a program each time.
  expect(events.length).toBe(3 * 667 + 1);
  expect(events.at(-1)).toMatchObject({ kind: 'note', text: 'frames run in circles: given up' });
});

it('a program that is stopped has no action', async () => {
  const scenario = scenarioFromJson(scenarioOf({ a: at('xdp', 'faulty') }, [FRAME]), 'test');
  const { steps } = await simulate(scenario, createVmEngine(), new Map([['main.o', PROGRAMS]]));
  const event = steps[0]!.events.at(-1);
  expect(event).toMatchObject({ kind: 'program', action: '', fault: expect.stringContaining('off=2000') });
  expect('target' in event!).toBe(false);
});

it('a function on two devices is loaded once', () => {
  const { namespaces } = scenarioFromJson(
    scenarioOf({ a: PASS, b: { ...PASS, ...at('tcIngress', 'zero') } }, []),
    'test',
  );
  expect(namespaces.find(({ name }) => name === 'hub')!.programs.map(({ entries }) => entries)).toEqual([
    [
      { function: 'pass', hook: 'xdp' },
      { function: 'zero', hook: 'tc-ingress' },
    ],
  ]);
});

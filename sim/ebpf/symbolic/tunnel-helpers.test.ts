/** Helpers on tunnels, in lockstep with the interpreter: what a frame came with, and what the program has stated itself. */
import { expect, it } from 'vitest';
import type { SkbTunnel } from '../../packet/packet-batch.ts';
import { Machine } from '../machine.ts';
import { testObject } from '../test-support/assemble.ts';
import { lockstep } from '../test-support/lockstep.ts';

type Held = readonly (readonly [width: number, name: string, value: number])[];

const FILL = [8, 16, 24, 32, 40, 48].map((at) => `*(u64 *)(r10 - ${at}) = -1`).join('\n');
/** All that a call has left in 48 bytes, word by word. */
const READ = [48, 40, 32, 24, 16, 8].map((at) => `r1 = *(u64 *)(r10 - ${at})`).join('\n');
const buffer = (size: number): string => `r1 = r6\nr2 = r10\nr2 += -48\nr3 = ${size}`;
const getKey = (size: number, flags: number): string =>
  `${buffer(size)}\nr4 = ${flags}\ncall bpf_skb_get_tunnel_key\n${READ}`;
const getOptions = (size: number): string => `${buffer(size)}\ncall bpf_skb_get_tunnel_opt\n${READ}`;
const setKey = (size: number, flags: number): string =>
  `${buffer(size)}\nr4 = ${flags}\ncall bpf_skb_set_tunnel_key`;
const setOptions = (size: number): string => `${buffer(size)}\ncall bpf_skb_set_tunnel_opt`;

function differences(
  texts: readonly string[],
  tunnel: SkbTunnel | undefined,
  held: Held,
): (string | undefined)[] {
  return texts.map((text) => {
    const machine = new Machine(testObject({ main: `r6 = r1\n${FILL}\n${text}\nr0 = 0\nexit` }), {});
    const { difference, left } = lockstep({
      ...{ machine, program: 0, hook: 'tc-ingress', packet: new Uint8Array(60), mostSteps: 4000 },
      ...(tunnel === undefined ? {} : { skb: { tunnel } }),
      held,
    });
    return left ?? difference;
  });
}

const SIZES = [4, 8, 22, 24, 28, 40, 44];
const GETTING = SIZES.flatMap((size) => [0, 1, 16, 17, 2, 32].map((flags) => getKey(size, flags)));
const OPTIONS = [4, 7, 8, 48].map(getOptions);
const SETTING = [8, 24, 28, 44, 12].flatMap((size) =>
  [0, 1, 2, 0x1f, 32].flatMap((flags) => {
    // Nothing between the fields, and a flow label only over IPv6.
    const key = `*(u32 *)(r10 - 48) = 7\n*(u32 *)(r10 - 28) = 0x3305\n*(u32 *)(r10 - 24) = ${flags & 1 ? -1 : 0}`;
    return [
      `${key}\n${setKey(size, flags)}\n${FILL}\n${getKey(44, 16 | (flags & 1))}\n${getOptions(8)}`,
      `${setOptions(4)}\n${key}\n${setKey(size, flags)}\n${setOptions(6)}\n${setOptions(8)}\n${getOptions(4)}\n${getOptions(48)}\n${getKey(44, 16)}`,
    ];
  }),
);

it('frames out of no tunnel', () => {
  const found = differences([...GETTING, ...OPTIONS, ...SETTING], undefined, []);
  expect(found.filter((one) => one !== undefined)).toEqual([]);
});

it.each<readonly [string, SkbTunnel, Held]>([
  [
    'over IPv4',
    { id: 5, remote: '10.0.0.1', local: '10.0.0.2', tos: 3, ttl: 4 },
    [
      [32, 'remote_ipv4', 0x0a00_0001],
      [32, 'local_ipv4', 0x0a00_0002],
      [16, 'flags', 0x2005],
    ],
  ],
  [
    'over IPv6, with options',
    {
      id: 5,
      remote: '2001:db8::1',
      local: '::5',
      tos: 3,
      ttl: 4,
      label: 0x54321,
      options: '0102030405060708',
    },
    [
      [1, 'ipv6', 1],
      [32, 'remote_ipv6.0', 0xb80d_0120],
      [32, 'remote_ipv6.12', 0x0100_0000],
      [32, 'local_ipv6.12', 0x0500_0000],
      [20, 'label', 0x54321],
      [16, 'flags', 0xf805],
      [6, 'option_words', 2],
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((byte) => [8, `options.${byte - 1}`, byte] as const),
    ],
  ],
  ['with flags that only a device sets', { id: 5, tos: 3, ttl: 4, flags: 0x0804 }, [[16, 'flags', 0x0804]]],
])('frames out of a tunnel %s', (_what, tunnel, held) => {
  const known: Held = [[1, 'present', 1], [32, 'id', 5], [8, 'tos', 3], [8, 'ttl', 4], ...held];
  const named = known.map(([width, name, value]) => [width, `skb.tunnel_${name}`, value] as const);
  const found = differences([...GETTING, ...OPTIONS, ...SETTING], tunnel, named);
  expect(found.filter((one) => one !== undefined)).toEqual([]);
});

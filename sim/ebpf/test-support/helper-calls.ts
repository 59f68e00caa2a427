/** Programs that call one helper with arguments from the frame, and frames with arguments at boundaries. For tests only. */
import * as build from '../../packet/build.ts';
import { programByName } from '../../programs/index.ts';
import type { Hook } from '../../runtime/actions.ts';
import type { MapType } from '../../runtime/maps.ts';
import type { World } from '../../runtime/world.ts';
import type { BpfObject } from '../bpf-object.ts';
import type { ArgumentType } from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import { testMap, testObject } from './assemble.ts';

/** Where in the frame the arguments lie, and its length. */
const ARGUMENTS = 120;
const LENGTH = 160;
/** Bytes of the stack that memory arguments point to; they begin as the frame's second header. */
const MEMORY = 128;

const NUMBERS: readonly bigint[] = [
  ...[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 16, 20, 32, 33, 64, 65, 100, 128, 255, 256, 512, 1024, 1500, 4096,
  ].map(BigInt),
  ...[0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 2 ** 32, 2 ** 40].map(BigInt),
  ...[1n, 2n, 14n, 20n, 22n, 64n, 4096n].map((one) => (1n << 64n) - one),
];
const SIZES: readonly bigint[] = [
  ...[0, 1, 2, 3, 4, 5, 8, 12, 16, 20, 24, 28, 32, 44, 60, 64, 100, 127, 128, 129, 512].map(BigInt),
  (1n << 64n) - 1n,
];

/** How an argument is put into its register; undefined where a program has to get it from elsewhere. */
function setUp(type: ArgumentType, register: number): string | undefined {
  switch (type) {
    case 'anything':
    case 'size':
    case 'size_or_zero':
      return `r${register} = *(u64 *)(r7 + ${ARGUMENTS + 8 * (register - 1)})`;
    case 'context':
    case 'context_or_null':
      return `r${register} = r6`;
    case 'map':
      return `r${register} = map[m]`;
    case 'key':
      return `r${register} = r10\nr${register} += -64`;
    case 'value':
    case 'value_out':
    case 'value_peeked':
    case 'value_or_null':
    case 'memory':
    case 'memory_or_null':
    case 'memory_out':
    case 'memory_inout':
    case 'buffer_or_null':
    case 'u64_out':
    case 'u64_inout':
    case 'u32_inout':
    case 'u16_inout':
    case 'fib_tuple':
    case 'ipv4_header':
    case 'ipv6_header':
    case 'tcp_header':
    case 'stack_or_null':
      return `r${register} = r10\nr${register} += ${-MEMORY}`;
    default:
      return undefined;
  }
}

/**
 * `printed`: what r0 and the memory are is a line in the trace. `returned`: a sum of both is the action, and sizes are bounded, as
 * the verifier wants them.
 */
export type Form = 'printed' | 'returned';

const PRINTED = `
    r1 = ${Buffer.from('%llx %ll').readInt32LE(0)}
    *(u32 *)(r10 - 144) = r1
    r1 = ${Buffer.from('%llx %ll').readInt32LE(4)}
    *(u32 *)(r10 - 140) = r1
    r1 = ${'x'.charCodeAt(0)}
    *(u64 *)(r10 - 136) = r1
    r1 = r10
    r1 += -144
    r2 = 10
    r3 = r9
    r4 = r8
    call bpf_trace_printk
    r0 = 2`;

const RETURNED = `
    r0 = r9
    r0 *= 31
    r0 += r8
    r1 = r0
    r1 >>= 32
    r0 ^= r1`;

/** What the verifier wants to know of a size. */
function bounds(type: ArgumentType, register: number): string {
  if (type !== 'size' && type !== 'size_or_zero') return '';
  const least = type === 'size' ? `if r${register} == 0 goto out` : '';
  return `if r${register} > ${MEMORY} goto out\n${least}`;
}

/** Calls the helper once. */
function programOf(helper: Helper, hook: Hook, form: Form): string | undefined {
  const set = helper.arguments.map((type, index) => {
    const lines = setUp(type, index + 1);
    return lines === undefined || form === 'printed' ? lines : `${lines}\n${bounds(type, index + 1)}`;
  });
  if (set.includes(undefined)) return undefined;
  const [data, end] = hook === 'xdp' ? [0, 4] : [76, 80];
  const fill: string[] = [];
  for (let at = 0; at < MEMORY; at += 8)
    fill.push(`r1 = *(u64 *)(r7 + ${14 + (at % 64)})`, `*(u64 *)(r10 - ${MEMORY - at}) = r1`);
  const sum: string[] = [];
  for (let at = 0; at < MEMORY; at += 8)
    sum.push(`r1 = *(u64 *)(r10 - ${MEMORY - at})`, 'r8 *= 31', 'r8 += r1');
  return `
    r6 = r1
    r7 = *(u32 *)(r1 + ${data})
    r8 = *(u32 *)(r1 + ${end})
    r0 = 1
    r2 = r7
    r2 += ${LENGTH}
    if r2 > r8 goto out
    ${fill.join('\n')}
    ${set.join('\n')}
    call ${helper.name}
    r9 = r0
    r8 = 0
    ${sum.join('\n')}
    ${form === 'printed' ? PRINTED : RETURNED}
    out:
    exit`;
}

const INNER = new Uint8Array(LENGTH);
const FRAMES: readonly Uint8Array[] = [
  build.frame(
    build.ethernet(),
    build.ipv4({ ttl: 9 }),
    build.tcp({ sourcePort: 7, destinationPort: 80 }),
    INNER,
  ),
  build.frame(
    build.ethernet(),
    build.vlan({ id: 5 }),
    build.ipv6({ hopLimit: 1 }),
    build.udp({ destinationPort: 53 }),
    INNER,
  ),
  build.frame(build.ethernet(), build.ipv4(), build.udp({ destinationPort: 4789 }), INNER),
].map((frame) => frame.slice(0, LENGTH));

/** Each argument at each boundary, the others in the middle of theirs; then all of them at random ones. */
function argumentsOf(helper: Helper): bigint[][] {
  const choices = helper.arguments.map((type) => (type.startsWith('size') ? SIZES : NUMBERS));
  const usual = helper.arguments.map((type): bigint => (type.startsWith('size') ? 64n : 1n));
  const rows: bigint[][] = [usual, usual.map(() => 0n)];
  for (const [index, type] of helper.arguments.entries())
    if (type === 'anything' || type.startsWith('size'))
      for (const value of choices[index]!) {
        rows.push(usual.with(index, value));
        rows.push(usual.map((one, other) => (other === index ? value : other > index ? 0n : one)));
      }
  let state = 12_345;
  const next = (most: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % most;
  };
  for (let round = 0; round < 60; round++) rows.push(choices.map((list) => list[next(list.length)]!));
  return rows;
}

/** Frames of different kinds, with each row of arguments in one of them. */
export function framesFor(helper: Helper): Uint8Array[] {
  return argumentsOf(helper).map((row, index) => {
    const packet = FRAMES[index % FRAMES.length]!.slice();
    const view = new DataView(packet.buffer);
    for (const [argument, value] of row.entries()) view.setBigUint64(ARGUMENTS + 8 * argument, value, true);
    return packet;
  });
}

const { devices, routes, neighbours } = programByName('router')!.worlds[0]!.world;
const entry = (key: number): { key: Uint8Array; value: Uint8Array } => ({
  key: Uint8Array.of(key, 0, 0, 0),
  value: Uint8Array.of(2 + key, 0, 0, 0, 0, 0, 0, 0),
});

/** Devices and routes, and some entries in the map `m`. */
export function worldOfCall(type: MapType | undefined): World {
  const isFilled =
    type !== undefined && /^(PERCPU_|LRU_)*(HASH|ARRAY)$/.test(type) && !type.includes('PERCPU');
  return {
    ...(devices === undefined ? {} : { devices }),
    ...(routes === undefined ? {} : { routes }),
    ...(neighbours === undefined ? {} : { neighbours }),
    ...(isFilled ? { maps: { m: [0, 1, 3].map(entry) } } : {}),
  };
}

/** Types of map that are tried of those that a helper takes. */
const MOST_TYPES = 3;

/** The types of map that the helper is to be tried with; undefined: none. */
export function typesFor(helper: Helper): readonly (MapType | undefined)[] {
  if (!helper.arguments.includes('map')) return [undefined];
  return (helper.maps ?? (['HASH', 'ARRAY', 'LRU_HASH'] as const)).slice(0, MOST_TYPES);
}

/** May programs at the hook call it, without having to give something back? */
export function isCallable({ rules, effects }: Helper, hook: Hook): boolean {
  if (effects.obligation !== 'none') return false;
  return rules.hooks === 'both' || rules.hooks === (hook === 'xdp' ? 'xdp' : 'tc');
}

/** An object that calls the helper once, with the map `m`; undefined where it takes what a program gets elsewhere. */
export function callOf(
  helper: Helper,
  hook: Hook,
  type: MapType | undefined,
  form: Form = 'printed',
): BpfObject | undefined {
  const text = programOf(helper, hook, form);
  if (text === undefined) return undefined;
  const isQueue = type === 'QUEUE' || type === 'STACK' || type === 'BLOOM_FILTER';
  const sizes = {
    ...(isQueue ? { keySize: 0 } : {}),
    ...(type?.includes('RING') ? { keySize: 0, valueSize: 0, maxEntries: 4096 } : {}),
    ...(type === 'HASH' || type === 'LRU_HASH' || type === 'ARRAY' || isQueue ? { valueSize: 8 } : {}),
  };
  return testObject({ main: text }, type === undefined ? [] : [testMap('m', type, sizes)]);
}

/** What calls of helpers leave behind for those who follow a run: what was asked, what was found, and where the bytes come from. */
import { expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { frameOf } from '../test-support/call-sequences.ts';
import { fieldsOf } from './expression.ts';
import { FlowMemory } from './flow-memory.ts';
import { FlowTracer } from './flow-tracer.ts';
import type { InputField } from './inputs.ts';

const MAPS = [
  testMap('held', 'ARRAY', { valueSize: 16 }),
  testMap('table', 'HASH'),
  testMap('devices', 'DEVMAP'),
  testMap('jumps', 'PROG_ARRAY', { initial: [{ key: 1, name: 'other' }] }),
];

const nameOf = (field: InputField): string => {
  if (field.kind === 'packet') return `p${field.offset}`;
  if (field.kind === 'map') return `map${field.map}[${field.key.join('.')}]+${field.offset}`;
  return field.kind === 'call' ? `call${field.call}` : field.kind;
};

/** Calls and effects as lines, and what the conditions depend on. */
function traced(hook: Hook, text: string): string[] {
  const edges: string[] = [];
  const machine = new Machine(
    testObject({ main: `${text}\nout:\nr0 = 0\nexit`, other: 'r0 = 1\nexit' }, MAPS),
    {},
  );
  const interpreter = new Interpreter(machine);
  const tracer = new FlowTracer(new FlowMemory(machine), (program, slot, taken) =>
    edges.push(`edge ${program} ${slot} ${taken}`),
  );
  interpreter.tracer = tracer;
  const packet = frameOf(0x0800);
  machine.begin(hook, packet, 0, packet.length, 0, 1, 0);
  tracer.enterPacket(0);
  expect(interpreter.run(0).violation?.reason).toBeUndefined();
  const fields = tracer.branches.map(({ a, b }) => [...fieldsOf(a, fieldsOf(b))].map(nameOf).join(' '));
  return [
    ...tracer.calls.map(
      ({ helper, map, key, keyParts, found, parameters, needs }) =>
        `${helper} of ${map} key ${key.join('.')} of ${keyParts.length}: ${found}, ${parameters.length} bytes, needs ${needs}`,
    ),
    ...tracer.effects.map(({ map, kind, value }) => `${kind} of ${map}: ${value}`),
    ...edges.filter((_, at) => at === edges.length - 1 && text.includes('tail_call')),
    ...fields.map((one) => `if ${one}`),
  ];
}

const STACK = [8, 16, 24, 32, 40, 48, 56, 64].map((at) => `*(u64 *)(r10 - ${at}) = 1`).join('\n');
const FRAME = 'r6 = r1\nr7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r7\nr9 += 48\nif r9 > r8 goto out';
const keyed = (map: string): string => `r1 = map[${map}]\nr2 = r10\nr2 += -64`;

it.each<[what: string, hook: Hook, text: string, lines: readonly string[]]>([
  [
    'a value that is found is an input, byte by byte',
    'xdp',
    `${STACK}\n${keyed('held')}\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr3 = *(u16 *)(r0 + 5)\nif r3 == 7 goto out`,
    [
      'bpf_map_lookup_elem of 0 key 1.0.0.0 of 4: true, 0 bytes, needs 0',
      'if call0',
      'if map0[1.0.0.0]+5 map0[1.0.0.0]+6',
    ],
  ],
  [
    'a length that the MTU is asked about comes from somewhere',
    'xdp',
    '*(u32 *)(r10 - 4) = 70\nr2 = 0\nr3 = r10\nr3 += -4\nr4 = 0\nr5 = 0\ncall bpf_check_mtu\nif r0 == 1 goto out',
    ['bpf_check_mtu of -1 key  of 4: true, 12 bytes, needs 0', 'if call0'],
  ],
  [
    'a value that is not found is asked for in vain',
    'xdp',
    `${STACK}\n${keyed('table')}\ncall bpf_map_lookup_elem\nif r0 == 0 goto out`,
    ['bpf_map_lookup_elem of 1 key 1.0.0.0 of 4: false, 0 bytes, needs 0', 'if call0'],
  ],
  [
    'what is put into a map comes out of it again',
    'xdp',
    `${FRAME}\n${STACK}\nr3 = *(u16 *)(r7 + 20)\n*(u16 *)(r10 - 30) = r3\n${keyed('table')}\nr3 = r10\nr3 += -32\nr4 = 0\ncall bpf_map_update_elem
    ${keyed('table')}\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr3 = *(u64 *)(r0 + 0)\nif r3 == 7 goto out`,
    [
      'bpf_map_lookup_elem of 1 key 1.0.0.0 of 4: true, 0 bytes, needs 0',
      'update of 1: 0100....00000000',
      'if length',
      'if call0',
      'if p20 p21',
    ],
  ],
  ['what is taken out', 'xdp', `${STACK}\n${keyed('table')}\ncall bpf_map_delete_elem`, ['delete of 1: ']],
  [
    'a redirect through a map asks for its slot',
    'xdp',
    `${FRAME}\nr1 = map[devices]\nr2 = *(u8 *)(r7 + 20)\nr3 = 0\ncall bpf_redirect_map\nif r0 == 4 goto out`,
    ['bpf_redirect_map of 2 key 71.0.0.0 of 1: false, 0 bytes, needs 0', 'if length', 'if call0'],
  ],
  [
    'a tail call, too, which may lead nowhere',
    'xdp',
    'r2 = map[jumps]\nr3 = 2\ncall bpf_tail_call',
    ['bpf_tail_call of 3 key 2.0.0.0 of 0: false, 0 bytes, needs 0', 'edge 0 3 false'],
  ],
  [
    'or to another program',
    'xdp',
    'r2 = map[jumps]\nr3 = 1\ncall bpf_tail_call',
    ['bpf_tail_call of 3 key 1.0.0.0 of 0: true, 0 bytes, needs 0', 'edge 0 3 true'],
  ],
  [
    'routes are asked for with all of the parameters',
    'xdp',
    `${STACK}\nr2 = r10\nr2 += -64\nr3 = 64\nr4 = 0\ncall bpf_fib_lookup\nif r0 == 0 goto out`,
    ['bpf_fib_lookup of -1 key  of 64: false, 64 bytes, needs 0', 'if call0'],
  ],
  [
    'bytes of the frame come to where a helper copies them',
    'tc-ingress',
    `r6 = r1\n${STACK}\nr2 = 21\nr3 = r10\nr3 += -8\nr4 = 3\ncall bpf_skb_load_bytes\nif r0 != 0 goto out\nr3 = *(u32 *)(r10 - 8)\nif r3 == 7 goto out`,
    ['bpf_skb_load_bytes of -1 key  of 0: true, 0 bytes, needs 24', 'if call0', 'if p21 p22 p23'],
  ],
  [
    'behind the network header, where it is counted from there',
    'tc-ingress',
    `r6 = r1\n${STACK}\nr2 = 8\nr3 = r10\nr3 += -8\nr4 = 2\nr5 = 1\ncall bpf_skb_load_bytes_relative\nif r0 != 0 goto out\nr3 = *(u16 *)(r10 - 8)\nif r3 == 7 goto out`,
    ['bpf_skb_load_bytes_relative of -1 key  of 0: true, 0 bytes, needs 24', 'if call0', 'if p22 p23'],
  ],
  [
    'and none where the frame is too short',
    'tc-ingress',
    `r6 = r1\n${STACK}\nr2 = 59\nr3 = r10\nr3 += -8\nr4 = 2\ncall bpf_skb_load_bytes\nif r0 == 0 goto out\nr3 = *(u16 *)(r10 - 8)\nif r3 == 7 goto out`,
    ['bpf_skb_load_bytes of -1 key  of 0: false, 0 bytes, needs 61', 'if call0'],
  ],
  [
    'what a helper stores in the frame comes from where it lay',
    'tc-ingress',
    `r6 = r1\n${STACK}\nr2 = 21\nr3 = r10\nr3 += -8\nr4 = 3\ncall bpf_skb_load_bytes\nr1 = r6\nr2 = 40\nr3 = r10\nr3 += -8\nr4 = 2\nr5 = 0
    call bpf_skb_store_bytes\nr0 = *skb(u32)(39)\nif r0 == 7 goto out`,
    [
      'bpf_skb_load_bytes of -1 key  of 0: true, 0 bytes, needs 24',
      'bpf_skb_store_bytes of -1 key  of 0: true, 0 bytes, needs 42',
      'if p42 p22 p21 p39',
    ],
  ],
  [
    'what a helper changes in the frame comes from nowhere, and the other bytes stay',
    'tc-ingress',
    `r6 = r1\n${STACK}\nr2 = 24\nr3 = 1\nr4 = 2\nr5 = 2\ncall bpf_l3_csum_replace
    r1 = r6\nr2 = 0\ncall bpf_skb_pull_data\nr7 = *(u32 *)(r6 + 76)\nr8 = *(u32 *)(r6 + 80)\nr9 = r7\nr9 += 30\nif r9 > r8 goto out
    r3 = *(u16 *)(r7 + 22)\nif r3 == 7 goto out\nr3 = *(u8 *)(r7 + 24)\nif r3 == 7 goto out`,
    ['if length', 'if p22 p23'],
  ],
  [
    'sums of bytes depend on all of them',
    'xdp',
    `${FRAME}\nr3 = *(u32 *)(r7 + 20)\n*(u32 *)(r10 - 8) = r3\nr1 = 0\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = 0\ncall bpf_csum_diff\nif r0 == 7 goto out`,
    ['if length', 'if p20 p21 p22 p23'],
  ],
  [
    'bytes move along when the frame does',
    'xdp',
    `${FRAME}\nr1 = r6\nr2 = 4\ncall bpf_xdp_adjust_head\nr7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr9 = r7\nr9 += 48\nif r9 > r8 goto out
    r3 = *(u16 *)(r7 + 20)\nif r3 == 7 goto out`,
    ['if length', 'if length', 'if p24 p25'],
  ],
  [
    'bytes that a frame gains come from nowhere, and the others stay',
    'xdp',
    `${FRAME}\nr1 = r6\nr2 = 4\ncall bpf_xdp_adjust_tail\nr7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr9 = r7\nr9 += 64\nif r9 > r8 goto out
    r3 = *(u8 *)(r7 + 58)\nif r3 == 7 goto out\nr3 = *(u16 *)(r7 + 61)\nif r3 == 7 goto out`,
    ['if length', 'if length', 'if p58'],
  ],
  [
    'clock, CPU and chance are inputs of their own',
    'xdp',
    `call bpf_ktime_get_ns\nif r0 == 7 goto out\ncall bpf_get_smp_processor_id\nif r0 == 7 goto out\ncall bpf_get_prandom_u32\nif r0 == 7 goto out`,
    ['if time', 'if cpu', 'if chance'],
  ],
])('%s', (_what, hook, text, lines) => {
  expect(traced(hook, text)).toEqual(lines);
});

it('of the tunnel that a frame came out of, every byte of a field is an input, and nothing of a key that the program has stated', () => {
  const key = `r6 = r1
    r2 = r10
    r2 += -48
    r3 = 44
    r4 = 0
    call bpf_skb_get_tunnel_key
    r1 = *(u32 *)(r10 - 48)
    if r1 == 5 goto end
    r1 = *(u16 *)(r10 - 26)
    if r1 == 5 goto end
    r1 = r6
    r2 = r10
    r2 += -8
    r3 = 8
    call bpf_skb_get_tunnel_opt
    r1 = *(u8 *)(r10 - 5)
    if r1 == 5 goto end
    r1 = *(u8 *)(r10 - 4)
    if r1 == 5 goto end`;
  const own = `r6 = r1
    *(u64 *)(r10 - 8) = 7
    r2 = r10
    r2 += -8
    r3 = 8
    r4 = 0
    call bpf_skb_set_tunnel_key
    r1 = r6`;
  const tracedWith = (text: string): readonly [calls: string[], fields: string[]] => {
    const machine = new Machine(testObject({ main: `${text}\nend:\nr0 = 0\nexit` }), {});
    const interpreter = new Interpreter(machine);
    const tracer = new FlowTracer(new FlowMemory(machine), () => {});
    interpreter.tracer = tracer;
    const packet = frameOf(0x0800);
    const tunnel = { id: 9, remote: '10.0.0.1', options: '01020304' };
    machine.begin('tc-ingress', packet, 0, packet.length, 0, 1, 0, { tunnel });
    tracer.enterPacket(0);
    interpreter.run(0);
    const calls = tracer.calls.map(({ helper, flags, size, found }) => `${helper} ${flags} ${size} ${found}`);
    const named = (field: InputField): string =>
      field.kind === 'tunnel' ? `${field.part}${field.offset}` : nameOf(field);
    return [calls, tracer.branches.map(({ a, b }) => [...fieldsOf(a, fieldsOf(b))].map(named).join(' '))];
  };
  expect(tracedWith(key)).toEqual([
    ['bpf_skb_get_tunnel_key 0 44 true', 'bpf_skb_get_tunnel_opt 0 8 true'],
    ['key0 key1 key2 key3', 'options3'],
  ]);
  expect(tracedWith(`${own}\n${key}`)).toEqual([[], []]);
});

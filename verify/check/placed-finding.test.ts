/** How much a finding weighs where the test made up what a map holds. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data, ethernet, ipv4 } from '../test-support/packets.ts';
import type { CheckFinding } from './finding.ts';
import { placedFinding } from './placed-finding.ts';

/** r1 = a number of the map, which is 4: XDP_REDIRECT. */
const LOOKUP = `*(u64 *)(r10 - 8) = 0
  r1 = map[rules]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto pass
  r1 = *(u32 *)(r0 + 0)`;
const PASS = `pass:
  r0 = 2
  exit`;
const WORLD = { maps: { rules: [{ key: new Uint8Array(4), value: Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0) }] } };

async function severityOf(invariant: string, body: string, before = '', hook: Hook = 'xdp'): Promise<string> {
  const program: Program = {
    ...{ name: 'p', entries: [{ function: 'main', hook }] },
    object: writeElf({ main: [before, LOOKUP, body, PASS].join('\n') }, [
      testMap('rules', 'ARRAY'),
      testMap('prefixes', 'LPM_TRIE', { keySize: 8 }),
    ]),
  };
  const finding = {
    ...{ invariant, severity: 'error', summary: 'it', confirmedBy: [] },
    divergence: {
      case: { program: 'p', world: WORLD, stimuli: [{ packet: data(64) }] },
      finding: { breach: { invariant, at: 0, size: 0 } },
    },
  } as unknown as CheckFinding;
  return (await placedFinding({ program }, finding)).severity;
}

it('an action that a map holds is the map’s, whatever it asks for', async () => {
  expect(await severityOf('redirect/no-target', 'r0 = r1\nexit')).toBe('info');
  expect(await severityOf('redirect/no-target', 'if r1 == 0 goto pass\nr0 = r1\nexit')).toBe('info');
  expect(await severityOf('action/unknown', 'r0 = r1\nexit')).toBe('info');
});

it('one of the program’s own is its fault, though a map says when', async () => {
  expect(await severityOf('redirect/no-target', 'if r1 == 0 goto pass\nr0 = 4\nexit')).toBe('error');
});

it('an action that no kernel knows is the program’s, too, though a map says when', async () => {
  expect(await severityOf('action/unknown', 'if r1 == 0 goto pass\nr0 = 9\nexit')).toBe('error');
  // Which packets it looks for may be a map's to say.
  expect(await severityOf('action/malformed-only', 'if r1 == 0 goto pass\nr0 = 3\nexit')).toBe('info');
  expect(await severityOf('action/malformed-only', 'r0 = 3\nexit')).toBe('error');
});

describe('a TTL that stays as it came', () => {
  /** Routes what a number of a map says; the address that it asks for, and what it does with all others. */
  const severity = async (destination: string, other: string, asks = 'if r9 != 4 goto other') => {
    const main = `r6 = r1
      r7 = *(u32 *)(r1 + 0)
      r8 = *(u32 *)(r1 + 4)
      r0 = r7
      r0 += 60
      if r0 > r8 goto pass
      ${LOOKUP}
      r9 = r1
      ${[72, 64, 56, 48, 40, 32, 24, 16].map((at) => `*(u64 *)(r10 - ${at}) = 0`).join('\n')}
      r1 = ${destination}
      *(u32 *)(r10 - 40) = r1
      ${asks}
      r1 = r6
      r2 = r10
      r2 += -72
      r3 = 64
      r4 = 0
      call bpf_fib_lookup
      r0 = 4
      exit
      other:
      ${other}
      ${PASS}`;
    const program: Program = {
      ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
      object: writeElf({ main }, [testMap('rules', 'ARRAY')]),
    };
    const breach = { invariant: 'ttl/not-lowered', at: 22, size: 1 };
    const shown = { program: 'p', world: WORLD, stimuli: [{ packet: data(64) }] };
    const finding = {
      ...{ invariant: breach.invariant, severity: 'error', summary: 'it', confirmedBy: [] },
      divergence: { case: shown, finding: { breach } },
    } as unknown as CheckFinding;
    return (await placedFinding({ program }, finding)).severity;
  };
  const PACKETS = '*(u32 *)(r7 + 30)';
  const lower = (at: number): string =>
    `r1 = *(u8 *)(r7 + ${at})\nr1 += -1\nr2 = r7\nr2 += 14\n*(u8 *)(r2 + ${at - 14}) = r1\nr0 = 3\nexit`;

  it('is the program’s fault, though a number of a map says which packets are routed', async () => {
    expect(await severity(PACKETS, 'r0 = 1\nexit')).toBe('error');
    // Another byte, one that was copied, and the hop limit.
    for (const other of [
      lower(22).replace('r1 += -1', 'r1 >>= 1'),
      '*(u8 *)(r7 + 22) = 64',
      lower(21),
      lower(22).replace('*(u8 *)(r2', '*(u16 *)(r2'),
    ])
      expect(await severity(PACKETS, other)).toBe('error');
  });

  it('may be the map’s where the program lowers it on another way', async () => {
    expect(await severity(PACKETS, lower(22))).toBe('info');
    expect(await severity(PACKETS, lower(22).replace('(r2 + 8)', '(r10 - 1)'))).toBe('info');
    expect(await severity(PACKETS, lower(22), 'if r6 == 0 goto other')).toBe('error');
  });

  it('is the map’s where the next hop is', async () => {
    expect(await severity('r9', 'r0 = 1\nexit')).toBe('info');
  });
});

it.each(['fragments/ports-read', 'lengths/misplaced'])(
  'where a header lies is the program’s to know, whatever a map holds, but for one that says where to look: %s',
  async (invariant) => {
    expect(await severityOf(invariant, 'r0 = 1\nexit')).toBe('error');
    expect(await severityOf(invariant, 'if r1 == 0 goto pass\nr0 = 1\nexit')).toBe('error');
    expect(await severityOf(invariant, 'r0 = r1\nexit')).toBe('error');
    const reads = (offset: string): string => `r7 = *(u32 *)(r6 + 0)
    r8 = *(u32 *)(r6 + 4)
    r9 = ${offset}
    r9 &= 15
    r7 += r9
    r0 = r7
    r0 += 2
    if r0 > r8 goto pass
    r0 = *(u16 *)(r7 + 0)
    if r0 == 53 goto pass
    r0 = 1
    exit`;
    expect(await severityOf(invariant, reads('r1'), 'r6 = r1')).toBe('info');
    expect(await severityOf(invariant, reads('4'), 'r6 = r1')).toBe('error');
  },
);

it('the length of a prefix is the map’s where a number of it was asked with', async () => {
  const asks = (length: string): string => `if r1 == 0 goto pass
    r3 = ${length}
    *(u32 *)(r10 - 16) = r3
    *(u32 *)(r10 - 12) = r1
    r1 = map[prefixes]
    r2 = r10
    r2 += -16
    call bpf_map_lookup_elem
    r0 = 1
    exit`;
  expect(await severityOf('lookup/prefix-length', asks('64'))).toBe('error');
  expect(await severityOf('lookup/prefix-length', asks('r1'))).toBe('info');
});

it('the type of a tag that is pushed is the map’s where it holds it', async () => {
  const push = (type: string): string => `if r1 == 0 goto pass
    r2 = ${type}
    r1 = r6
    r3 = 5
    call bpf_skb_vlan_push
    r0 = 0
    exit`;
  const severity = (type: string): Promise<string> =>
    severityOf('ethertype/byte-order', push(type), 'r6 = r1', 'tc-ingress');
  expect(await severity('0x88a8')).toBe('error');
  expect(await severity('r1')).toBe('info');
});

it('flags of a redirect are the program’s own, though a map says where to', async () => {
  const to = (flags: string): string => `r2 = ${flags}\ncall bpf_redirect\nexit`;
  expect(await severityOf('redirect/refused', to('8'))).toBe('error');
  expect(await severityOf('redirect/refused', to('r1'))).toBe('info');
});

it('an address out of the packet is the map’s where the packet’s own is a key that the test made up', async () => {
  const answer = (key: string, put: string): string => `r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = r7
    r0 += 60
    if r0 > r8 goto pass
    r9 = *(u32 *)(r7 + ${key})
    *(u32 *)(r10 - 8) = r9
    r1 = map[hosts]
    r2 = r10
    r2 += -8
    call bpf_map_lookup_elem
    if r0 == 0 goto pass
    ${put}
    *(u32 *)(r7 + 26) = r9
    r0 = 3
    exit
    ${PASS}`;
  const packet = data(64).fill(0, 40, 48);
  const world = { maps: { hosts: [{ key: new Uint8Array(4), value: new Uint8Array(8) }] } };
  const severity = async (key: string, put = ''): Promise<string> => {
    const program: Program = {
      ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
      object: writeElf({ main: answer(key, put) }, [testMap('hosts', 'HASH')]),
    };
    const breach = { invariant: 'reply/zero-source', at: 26, size: 4 };
    const shown = { program: 'p', world, stimuli: [{ packet }] };
    const finding = {
      ...{ invariant: breach.invariant, severity: 'error', summary: 'it', confirmedBy: [] },
      divergence: { case: shown, finding: { breach } },
    } as unknown as CheckFinding;
    return (await placedFinding({ program }, finding)).severity;
  };
  expect(await severity('40')).toBe('info');
  // The same zero from elsewhere is the program's doing.
  expect(await severity('40', 'r9 = 0')).toBe('error');
  expect(await severity('40', 'r9 = *(u32 *)(r7 + 44)')).toBe('error');
});

it('a zero that nobody filled in is no error, also where another variable was filled in', async () => {
  const severity = async (value: string, world: object, at = 26): Promise<string> => {
    const main = `r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = r7
    r0 += 60
    if r0 > r8 goto pass
    r9 = ${value}
    *(u32 *)(r7 + ${at}) = r9
    r0 = 3
    exit
    ${PASS}`;
    const program: Program = {
      ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
      object: writeElf({ main }, [], { '.rodata': { mac: [0, 0, 0, 0] }, '.data': { other: [0, 0, 0, 0] } }),
    };
    const breach = { invariant: 'arp/sender-mac', at: 26, size: 4, got: '0' };
    const shown = { program: 'p', world, stimuli: [{ packet: data(64).fill(0, 40, 48) }] };
    const finding = {
      ...{ invariant: breach.invariant, severity: 'error', summary: 'it', confirmedBy: [] },
      divergence: { case: shown, finding: { breach } },
    } as unknown as CheckFinding;
    return (await placedFinding({ program }, finding)).severity;
  };
  const variable = 'map[.rodata]+0\nr9 = *(u32 *)(r9 + 0)';
  const other = { globals: { other: Uint8Array.of(1, 0, 0, 0) } };
  expect(await severity(variable, {})).toBe('warning');
  expect(await severity(variable, other)).toBe('info');
  for (const world of [{}, other]) {
    expect(await severity('0', world)).toBe('error');
    // Nobody is to fill in a field of the packet.
    expect(await severity('*(u32 *)(r7 + 44)', world)).toBe('error');
  }
  // Nor is what nothing was written to; of a part that was, it may be.
  expect(await severity(variable, {}, 30)).toBe('error');
  expect(await severity(variable, {}, 28)).toBe('warning');
});

it('a checksum is a note where a ready-made sum goes into it, and an error where the program had all it takes', async () => {
  const begin = `r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = r7
    r0 += 34
    if r0 > r8 goto pass
    ${LOOKUP}`;
  const packet = ethernet(0x800, ipv4(6, data(20)));
  const severity = async (
    body: string,
    more: { isStated?: true; isEmpty?: true; before?: Uint8Array } = {},
  ): Promise<string> => {
    const program: Program = {
      ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
      object: writeElf({ main: [begin, body, PASS].join('\n') }, [testMap('rules', 'ARRAY')]),
    };
    const stimuli = [...(more.before === undefined ? [] : [{ packet: more.before }]), { packet }];
    const finding = {
      ...{ invariant: 'checksum/unknown', severity: 'error', summary: 'it', confirmedBy: [] },
      divergence: {
        case: { program: 'p', world: more.isEmpty === true ? {} : WORLD, stimuli },
        finding: { fault: { layer: 'ipv4', depth: 0 }, got: { packet } },
      },
    } as unknown as CheckFinding;
    return (await placedFinding({ program, ...(more.isStated === true ? { worlds: [] } : {}) }, finding))
      .severity;
  };
  const address = 'r2 = *(u32 *)(r0 + 0)\n*(u32 *)(r7 + 26) = r2';
  const add = (offset: number): string => `r3 = *(u16 *)(r7 + 24)
    r4 = *(u16 *)(r0 + ${offset})
    r3 += r4
    *(u16 *)(r7 + 24) = r3`;
  const header = 'r2 = *(u32 *)(r0 + 0)\n*(u32 *)(r7 + 22) = r2';
  expect(await severity(`${address}\n${add(4)}`)).toBe('info');
  expect(await severity(header)).toBe('info');
  // The zeros of an array that nobody filled are none that the program states either.
  expect(await severity(`${address}\n${add(4)}`, { isEmpty: true })).toBe('info');
  expect(await severity(`${address}\n${add(0)}`, { isEmpty: true })).toBe('error');
  // The address alone, a field beside it that no sum has, and a sum that another packet may have put there.
  expect(await severity(`${address}\n${add(0)}`)).toBe('error');
  expect(await severity(`${address}\nr4 = *(u16 *)(r0 + 4)\nif r4 == 9 goto pass`)).toBe('error');
  expect(await severity(`${address}\n${add(4)}`, { before: packet })).toBe('error');
  expect(await severity(`${address}\n${add(4)}`, { isStated: true })).toBe('error');
});

it('a new header between two words of a map that are alike is the map’s, one from one word to itself is not', async () => {
  const severity = async (from: string): Promise<string> => {
    const body = `r7 = *(u32 *)(r1 + 0)
      r8 = *(u32 *)(r1 + 4)
      r0 = r7
      r0 += 60
      if r0 > r8 goto pass
      ${LOOKUP}
      r2 = *(u16 *)(r0 + 0)
      *(u16 *)(r7 + 28) = r2
      r2 = *(u16 *)(r0 + ${from})
      *(u16 *)(r7 + 30) = r2
      r0 = 3
      exit
      ${PASS}`;
    const program: Program = {
      ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
      object: writeElf({ main: body }, [testMap('rules', 'ARRAY')]),
    };
    const world = { maps: { rules: [{ key: new Uint8Array(4), value: new Uint8Array(8).fill(9) }] } };
    const breach = { invariant: 'reply/new-header-to-itself', at: 30, size: 2 };
    const finding = {
      ...{ invariant: breach.invariant, severity: 'error', summary: 'it', confirmedBy: [] },
      divergence: { case: { program: 'p', world, stimuli: [{ packet: data(64) }] }, finding: { breach } },
    } as unknown as CheckFinding;
    return (await placedFinding({ program }, finding)).severity;
  };
  expect(await severity('0')).toBe('error');
  expect(await severity('4')).toBe('info');
});

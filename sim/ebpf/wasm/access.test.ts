import { describe, expect, it } from 'vitest';
import { VERDICT } from '../analysis/access.ts';
import { analyse } from '../analysis/analysis.ts';
import type { BpfMap } from '../bpf-object.ts';
import { XDP_LAYOUT } from '../context/xdp-md.ts';
import { HELPERS } from '../helpers/index.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { action, both, violation } from '../test-support/both.ts';

const PACKET = 'r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)';
const ARRAY = testMap('a', 'ARRAY', { maxEntries: 4, valueSize: 16 });
const HASH = testMap('h', 'HASH', { maxEntries: 4, valueSize: 16 });
const lookup = (map: string): string => `
  *(u32 *)(r10 - 4) = 1
  r1 = map[${map}]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem`;

/** How many loads and stores are proven, open, and violations. */
function verdicts(text: string, maps: readonly BpfMap[] = []): readonly number[] {
  const object = testObject({ main: text }, maps);
  const program = object.programs[0]!;
  const facts = analyse({
    program,
    maps,
    layout: XDP_LAYOUT,
    helperAt: (slot) => HELPERS.get(program.instructions.imm[slot]!),
    enteredWith: 'context',
  });
  const count = [0, 0, 0];
  for (const { verdict } of facts.accesses.values()) count[verdict]!++;
  return [count[VERDICT.proven]!, count[VERDICT.open]!, count[VERDICT.violation]!];
}

describe('what is proven before a program runs', () => {
  it('a packet access that a comparison with data_end covers', () => {
    const text = `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 14\nif r2 > r8 goto out\nr0 = *(u16 *)(r7 + 12)\nout:\nexit`;
    expect(verdicts(text)).toEqual([3, 0, 0]);
    expect(action(text)).toBe(0x0d0c);
  });

  for (const [comparison, bytes] of [
    ['if r2 > r8 goto out', 14],
    ['if r2 >= r8 goto out', 15],
    ['if r8 < r2 goto out', 14],
    ['if r8 <= r2 goto out', 15],
  ] as const) {
    it(`${comparison} with r2 = data + 14 covers ${bytes} bytes`, () => {
      const text = (at: number): string =>
        `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 14\n${comparison}\nr0 = *(u8 *)(r7 + ${at})\nout:\nexit`;
      expect(verdicts(text(bytes - 1))).toEqual([3, 0, 0]);
      expect(action(text(bytes - 1))).toBe(bytes - 1);
      expect(violation(text(bytes))).toContain('invalid access to packet');
    });
  }

  it('a comparison that leads on when it holds', () => {
    const text = (at: number): string =>
      `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 14\nif r2 <= r8 goto in\nexit\nin:\nr0 = *(u8 *)(r7 + ${at})\nexit`;
    expect(verdicts(text(13))).toEqual([3, 0, 0]);
    expect(violation(text(14))).toContain('covers 14 bytes');
  });

  it('a header behind one of unknown length, compared once more', () => {
    const text = `
      ${PACKET}
      r0 = 0
      r2 = r7
      r2 += 1
      if r2 > r8 goto out
      r3 = *(u8 *)(r7 + 0)
      r3 &= 60
      r2 = r7
      r2 += r3
      r4 = r2
      r4 += 8
      if r4 > r8 goto out
      r0 = *(u32 *)(r2 + 4)
      out:
      exit`;
    expect(verdicts(text)).toEqual([4, 0, 0]);
    expect(violation(text.replace('r2 + 4', 'r2 + 5'))).toContain('invalid access to packet');
  });

  it('a pointer that two ways leave at different places, as after a VLAN tag', () => {
    const text = `
      ${PACKET}
      r0 = 0
      r6 = r7
      r6 += 14
      if r6 > r8 goto out
      r3 = *(u8 *)(r7 + 0)
      if r3 != 0 goto behind
      r6 += 4
      if r6 > r8 goto out
      behind:
      r4 = r6
      r4 += 20
      if r4 > r8 goto out
      r0 = *(u8 *)(r6 + 19)
      out:
      exit`;
    expect(verdicts(text)).toEqual([4, 0, 0]);
    expect(action(text)).toBe(37);
  });

  it('metadata compared with data', () => {
    const text = `
      r2 = *(u32 *)(r1 + 8)
      r3 = *(u32 *)(r1 + 0)
      r0 = 1
      r4 = r2
      r4 += 4
      if r4 > r3 goto out
      r0 = *(u32 *)(r2 + 0)
      out:
      exit`;
    expect(verdicts(text)).toEqual([3, 0, 0]);
    expect(action(text)).toBe(1);
  });

  it('a value after the lookup was compared with null, at an offset that was compared too', () => {
    const text = `${lookup('h')}\nif r0 == 0 goto out\nr1 = *(u32 *)(r0 + 0)\nr1 &= 15\nr0 += r1\nr0 = *(u8 *)(r0 + 0)\nexit\nout:\nr0 = 3\nexit`;
    expect(verdicts(text, [HASH])).toEqual([3, 0, 0]);
    expect(action(text, { maps: [HASH] })).toBe(3);
  });

  it('what a loop does to a pointer is not proven, but checked', () => {
    const text = `
      ${PACKET}
      r0 = 0
      r2 = r7
      again:
      r3 = r2
      r3 += 1
      if r3 > r8 goto out
      r4 = *(u8 *)(r2 + 0)
      r0 += r4
      r2 += 1
      goto again
      out:
      exit`;
    expect(action(text)).toBe((63 * 64) / 2);
  });

  it('a pointer that was spilled to the stack, and its copy', () => {
    const text = `${PACKET}\nr0 = 0\n*(u64 *)(r10 - 8) = r7\nr7 += 20\nif r7 > r8 goto out\nr2 = *(u64 *)(r10 - 8)\nr0 = *(u8 *)(r2 + 19)\nout:\nexit`;
    expect(verdicts(text)).toEqual([5, 0, 0]);
    expect(action(text)).toBe(19);
  });
});

describe('what stops a program, at the instruction at which the interpreter stops it', () => {
  const cases: Readonly<Record<string, string>> = {
    'a packet access without a comparison': `${PACKET}\nr0 = *(u8 *)(r7 + 0)\nexit`,
    'a comparison with another pointer': `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 4\nif r2 > r7 goto out\nout:\nr0 = *(u8 *)(r7 + 0)\nexit`,
    'a store through data_end': `${PACKET}\n*(u8 *)(r8 + 0) = 1\nr0 = 0\nexit`,
    'an access below the packet': `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 14\nif r2 > r8 goto out\nr0 = *(u8 *)(r7 - 1)\nout:\nexit`,
    'a lookup that was not compared with null': `${lookup('h')}\nr0 = *(u64 *)(r0 + 0)\nexit`,
    'a value’s end': `${lookup('a')}\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 9)\nout:\nexit`,
    'a null pointer': 'r2 = 0\nr0 = *(u64 *)(r2 + 0)\nexit',
    'a number for a pointer': 'r2 = 0x20100 ll\nr0 = *(u64 *)(r2 + 0)\nexit',
    'a number from the packet for a pointer': `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 14\nif r2 > r8 goto out\nr3 = *(u32 *)(r7 + 0)\nr0 = *(u8 *)(r3 + 0)\nout:\nexit`,
    'the stack above the frame': 'r0 = *(u64 *)(r10 + 0)\nexit',
    'the stack below the frame': '*(u64 *)(r10 - 520) = 1\nr0 = 0\nexit',
    'a misaligned place on the stack': '*(u64 *)(r10 - 12) = 1\nr0 = 0\nexit',
    'a write to the context': '*(u32 *)(r1 + 12) = 1\nr0 = 0\nexit',
    'a field of the context by half': 'r0 = *(u16 *)(r1 + 0)\nexit',
    'a moved context pointer': 'r1 += 4\nr0 = *(u32 *)(r1 + 0)\nexit',
    'a register that was never written': 'r0 = r3\nexit',
    'no result': 'r1 = 5\nexit',
    'a register that a call has spent': 'r3 = 1\ncall bpf_ktime_get_ns\nr0 = r3\nexit',
    'a packet pointer after the packet moved': `
      r6 = r1\n${PACKET}\nr2 = r7\nr2 += 14\nr0 = 0\nif r2 > r8 goto out\nr2 = 0\ncall bpf_xdp_adjust_head\nr0 = *(u8 *)(r7 + 0)\nout:\nexit`,
    'a key on the packet’s side of nothing': 'r1 = map[a]\nr2 = 5\ncall bpf_map_lookup_elem\nr0 = 0\nexit',
    'a map of the wrong kind': 'r1 = map[a]\nr2 = 0\nr3 = 0\ncall bpf_redirect_map\nexit',
    'a size below zero':
      'r1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0\nr2 = -1\ncall bpf_trace_printk\nr0 = 0\nexit',
    'more memory than there is':
      'r1 = 0\nr2 = 0\nr3 = r10\nr3 += -8\n*(u64 *)(r10 - 8) = 0\nr4 = 12\nr5 = 0\ncall bpf_csum_diff\nr0 = 0\nexit',
    'an atomic operation on the packet': `${PACKET}\nr0 = 0\nr2 = r7\nr2 += 8\nif r2 > r8 goto out\nr3 = 1\nlock *(u64 *)(r7 + 0) += r3\nout:\nexit`,
    'an atomic operation off its alignment': `${lookup('h')}\nif r0 == 0 goto out\nr3 = 1\nlock *(u64 *)(r0 + 4) += r3\nout:\nr0 = 0\nexit`,
  };
  for (const [name, text] of Object.entries(cases)) {
    it(name, () => {
      // The lookup of key 1 succeeds in both maps.
      const entry = { key: Uint8Array.of(1, 0, 0, 0), value: new Uint8Array(16) };
      violation(text, { maps: [ARRAY, HASH], world: { maps: { h: [entry] } } });
    });
  }

  it('at one packet, and the others run as if nothing had been', () => {
    const text = `
      ${PACKET}
      r0 = 0
      r2 = r7
      r2 += 2
      if r2 > r8 goto out
      r3 = *(u8 *)(r7 + 0)
      r0 = 1
      if r3 == 0 goto out
      r0 = *(u8 *)(r7 + 5)
      out:
      exit`;
    const packets = [0, 1, 0, 0, 1, 0].map((first) => new Uint8Array(20).fill(first, 0, 1).fill(9, 1));
    const outcomes = both(text, { packets });
    expect(outcomes.map((outcome) => outcome.stoppedAt !== undefined)).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
    ]);
    expect(outcomes.map((outcome) => outcome.action)).toEqual([1, 0, 1, 1, 0, 1]);
  });

  it('in a function three calls deep: the callers are counted as far as they came', () => {
    const text = `
      r6 = r1
      call one
      r0 = 0
      exit
      one:
      r1 = 5
      call two
      r0 = 1
      exit
      two:
      call three
      exit
      three:
      r0 = *(u8 *)(r1 + 0)
      exit`;
    expect(violation(text)).toContain('scalar');
  });
});

describe('what only run time can tell', () => {
  const COPY = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    r3 = *(u8 *)(r7 + 0)
    r4 = r10
    r4 += -64
    *(u64 *)(r10 - 64) = 11
    if r3 != 0 goto use
    r4 = r7
    use:
    r0 = *(u8 *)(r4 + 0)
    out:
    exit`;

  it('a pointer that is one thing or another by the packet', () => {
    expect(verdicts(COPY)[1]).toBe(1);
    const packets = [new Uint8Array(20), new Uint8Array(20).fill(3)];
    expect(both(COPY, { packets }).map((outcome) => outcome.action)).toEqual([0, 11]);
  });

  it('an offset into a value that may be too large is checked when it happens', () => {
    const text = `
      r6 = r1
      ${lookup('a')}
      if r0 == 0 goto out
      r7 = *(u32 *)(r6 + 12)
      r0 += r7
      r0 = *(u32 *)(r0 + 0)
      out:
      exit`;
    expect(verdicts(text, [ARRAY])[1]).toBe(1);
    expect(action(text, { maps: [ARRAY] })).toBe(0);
    expect(violation(text.replace('r0 += r7', 'r7 *= 13\nr0 += r7'), { maps: [ARRAY] })).toContain(
      'map value',
    );
  });
});

describe('a context that lay on the stack where the analysis lost sight of it', () => {
  /** A function of the program that is passed the stack may write to any of it. */
  const hidden = (use: string): string => `
    *(u64 *)(r10 - 8) = r1
    r1 = r10
    r1 += -16
    call fill
    r1 = *(u64 *)(r10 - 8)
    ${use}
    exit
    fill:
    *(u64 *)(r1 + 0) = 7
    r0 = 0
    exit`;
  const stored = (field: number, value: string, width = 32): string => `
    r2 = ${value}
    *(u${width} *)(r1 + ${field}) = r2
    r0 = *(u32 *)(r1 + ${field})`;
  const tc = { hook: 'tc-ingress' } as const;

  for (const [name, field, value, kept] of [
    ['tc_index', 44, '0x12345', 0x2345],
    ['tc_classid', 72, '0x54321', 0x4321],
    ['queue_mapping', 12, '0xfffe', 0xfffe],
    ['queue_mapping above the last', 12, '0x10007', 0],
    ['mark', 8, '0x12345', 0x12345],
    ['the last of cb', 64, '0x12345', 0x12345],
  ] as const) {
    it(`keeps of ${name} what the kernel keeps`, () => {
      expect(action(hidden(stored(field, value)), tc)).toBe(kept);
    });
  }

  it('is written by an immediate, too', () => {
    const text = hidden('*(u32 *)(r1 + 44) = 0x12345\nr0 = *(u32 *)(r1 + 44)');
    expect(action(text, tc)).toBe(0x2345);
  });

  it('is refused where it is not written whole, or by an atomic operation', () => {
    expect(violation(hidden(stored(44, '5', 16)), tc)).toContain('not writable');
    for (const field of [8, 44]) {
      const add = `r2 = 1\nlock *(u32 *)(r1 + ${field}) += r2\nr0 = 0`;
      expect(violation(hidden(add), tc)).toContain('BPF_ATOMIC');
    }
  });

  it('is not mistaken for the stack or a packet', () => {
    const text = `
      r6 = r1
      *(u64 *)(r10 - 64) = 0
      r4 = r10
      r4 += -64
      r3 = *(u32 *)(r6 + 0)
      if r3 != 0 goto use
      r4 = r6
      use:
      *(u32 *)(r4 + 44) = 0x12345
      r0 = *(u32 *)(r4 + 44)
      exit`;
    expect(action(text, tc)).toBe(0x12345);
  });
});

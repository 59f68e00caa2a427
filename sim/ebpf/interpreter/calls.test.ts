import { describe, expect, it } from 'vitest';
import { testMap } from '../test-support/assemble.ts';
import { runText } from '../test-support/run-text.ts';

describe('local calls', () => {
  it('pass r1 to r5, keep r6 to r9 and bring r0 back', () => {
    const text = `r6 = 100
      r1 = 1
      r2 = 2
      call add
      r0 += r6
      exit
      add:
      r6 = 5000
      r0 = r1
      r0 += r2
      exit`;
    expect(runText(text).r0).toBe(103n);
  });

  it('give each function a stack frame of its own', () => {
    const text = `*(u64 *)(r10 - 8) = 1
      call f
      r0 = *(u64 *)(r10 - 8)
      exit
      f:
      *(u64 *)(r10 - 8) = 2
      r0 = 0
      exit`;
    expect(runText(text).r0).toBe(1n);
  });

  it('nest eight deep, and no deeper', () => {
    const chain = (depth: number): string => {
      const functions = Array.from({ length: depth }, (_, level) =>
        level + 1 < depth ? `f${level}:\ncall f${level + 1}\nexit` : `f${level}:\nr0 = 7\nexit`,
      );
      return `call f0\nexit\n${functions.join('\n')}`;
    };
    expect(runText(chain(7)).r0).toBe(7n);
    expect(runText(chain(8)).violation?.reason).toBe('the call stack of 9 frames is too deep !');
  });
});

describe('bpf_loop', () => {
  const loop = (rounds: number, body: string): string => `*(u64 *)(r10 - 8) = 0
    r1 = ${rounds}
    r2 = body
    r3 = r10
    r3 += -8
    r4 = 0
    call bpf_loop
    r6 = *(u64 *)(r10 - 8)
    r0 <<= 32
    r0 |= r6
    exit
    body:
    ${body}`;

  it('calls back with the round and the context, and counts rounds', () => {
    const body = 'r0 = *(u64 *)(r2 + 0)\nr0 += r1\n*(u64 *)(r2 + 0) = r0\nr0 = 0\nexit';
    expect(runText(loop(10, body)).r0).toBe((10n << 32n) | 45n);
  });

  it('ends when the callback says so', () => {
    const body = 'r0 = 0\nif r1 < 3 goto on\nr0 = 1\non:\nexit';
    expect(runText(loop(10, body)).r0).toBe(4n << 32n);
  });

  it('makes more pointers than the machine can tell apart at a time', () => {
    const map = testMap('array', 'ARRAY');
    const body = `*(u32 *)(r10 - 4) = 1
      r6 = r2
      r2 = r10
      r2 += -4
      r1 = map[array]
      call bpf_map_lookup_elem
      if r0 == 0 goto none
      r1 = *(u64 *)(r0 + 0)
      r1 += 1
      *(u64 *)(r0 + 0) = r1
      none:
      r1 = *(u64 *)(r6 + 0)
      r1 += 1
      *(u64 *)(r6 + 0) = r1
      r0 = 0
      exit`;
    const { r0, violation, machine } = runText(loop(10_000, body), { maps: [map] });
    expect(violation).toBeUndefined();
    expect(r0).toBe((10_000n << 32n) | 10_000n);
    expect(machine.maps[0]!.snapshot()!.list()[1]!.value[0]).toBe(10_000 & 0xff);
  });

  it('is bound by the budget of the run', () => {
    const { violation } = runText(loop(100_000, 'r0 = 0\nexit'), { budget: 10_000 });
    expect(violation?.reason).toMatch('more than 10000 instructions');
  });

  it('refuses flags and too many rounds', () => {
    const call = (rounds: number, flags: number): bigint =>
      runText(`r1 = ${rounds}\nr2 = f\nr3 = 0\nr4 = ${flags}\ncall bpf_loop\nexit\nf:\nr0 = 0\nexit`).r0;
    expect(BigInt.asIntN(64, call(1, 1))).toBe(-22n);
    // Without flags the verifier puts instructions in its place, which write the lower half of r0.
    expect(call(8 * 1024 * 1024 + 1, 0)).toBe(0xffff_fff9n);
  });

  it('refuses too many rounds with all of r0 where the verifier does not know that there are no flags', () => {
    const { r0 } = runText(
      `r6 = *(u32 *)(r1 + 16)\nr1 = 8388609\nr2 = f\nr3 = 0\nr4 = r6\ncall bpf_loop\nexit\nf:\nr0 = 0\nexit`,
    );
    expect(BigInt.asIntN(64, r0)).toBe(-7n);
  });
});

describe('bpf_for_each_map_elem', () => {
  it('hands over key and value of every entry, to read and to write', () => {
    const map = testMap('hash', 'HASH');
    const entry = (key: number, value: number): { key: Uint8Array; value: Uint8Array } => ({
      key: Uint8Array.of(key, 0, 0, 0),
      value: Uint8Array.of(value, 0, 0, 0, 0, 0, 0, 0),
    });
    const text = `*(u64 *)(r10 - 8) = 0
      r1 = map[hash]
      r2 = each
      r3 = r10
      r3 += -8
      r4 = 0
      call bpf_for_each_map_elem
      r0 = *(u64 *)(r10 - 8)
      exit
      each:
      r1 = *(u32 *)(r2 + 0)
      r2 = *(u64 *)(r3 + 0)
      r1 *= r2
      r0 = *(u64 *)(r4 + 0)
      r0 += r1
      *(u64 *)(r4 + 0) = r0
      r2 += 1
      *(u64 *)(r3 + 0) = r2
      r0 = 0
      exit`;
    const world = { maps: { hash: [entry(2, 10), entry(3, 100)] } };
    const { r0, machine } = runText(text, { maps: [map], world });
    expect(r0).toBe(320n);
    expect(
      machine.maps[0]!.snapshot()!
        .list()
        .map(({ value }) => value[0]),
    ).toEqual([11, 101]);
  });
});

describe('bpf_for_each_map_elem whose function puts an entry into the map', () => {
  const run = (returned: number, key: number) =>
    runText(
      `r1 = map[hash]\nr2 = each\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\nexit
      each:\n*(u32 *)(r10 - 4) = ${key}\n*(u64 *)(r10 - 16) = 7\nr1 = map[hash]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr4 = 0
      call bpf_map_update_elem\nr0 = ${returned}\nexit`,
      {
        maps: [testMap('hash', 'HASH')],
        world: { maps: { hash: [{ key: Uint8Array.of(1, 0, 0, 0), value: new Uint8Array(8) }] } },
      },
    );

  it('stops, unless that is the end of it: whether the entry is met is chance', () => {
    expect(run(0, 2).violation).toMatchObject({
      reason: expect.stringContaining('hangs on the seed of the map'),
    });
    expect(run(1, 2).r0).toBe(1n);
    expect(run(0, 1).r0).toBe(1n);
  });
});

describe('bpf_tail_call', () => {
  const programs = testMap('programs', 'PROG_ARRAY', {
    initial: [
      { key: 1, name: 'second' },
      { key: 2, name: 'again' },
    ],
  });
  const jump = (index: number): string => `r2 = map[programs]\nr3 = ${index}\ncall bpf_tail_call`;

  it('goes on in the other program, with the context alone', () => {
    const { r0 } = runText(
      {
        first: `${jump(1)}\nr0 = 1\nexit`,
        second: 'r0 = *(u32 *)(r1 + 12)\nr0 += 40\nexit',
        again: 'r0 = 0\nexit',
      },
      { maps: [programs] },
    );
    expect(r0).toBe(41n);
  });

  it('comes back where the slot is empty', () => {
    const { r0 } = runText(
      { first: `${jump(0)}\nr0 = 1\nexit`, second: 'r0 = 2\nexit', again: 'r0 = 0\nexit' },
      { maps: [programs] },
    );
    expect(r0).toBe(1n);
  });

  it('comes back after 33 of them', () => {
    const counter = testMap('counter', 'ARRAY');
    const count = 'r6 = r1\nr4 = map[counter]+0\nr5 = 1\nlock *(u64 *)(r4 + 0) += r5\nr1 = r6\n';
    const { r0, machine } = runText(
      {
        first: `${jump(2)}\nr0 = 1\nexit`,
        second: 'r0 = 2\nexit',
        again: `${count}${jump(2)}\nr0 = 3\nexit`,
      },
      { maps: [programs, counter] },
    );
    expect(r0).toBe(3n);
    expect(machine.maps[1]!.snapshot()!.list()[0]!.value[0]).toBe(33);
  });

  it('from a function returns to that function’s caller', () => {
    const { r0 } = runText(
      {
        first: `call f\nr0 += 100\nexit\nf:\n${jump(1)}\nr0 = 1\nexit`,
        second: 'r0 = 2\nexit',
        again: 'r0 = 0\nexit',
      },
      { maps: [programs] },
    );
    expect(r0).toBe(102n);
  });
});

describe('locks', () => {
  const map = testMap('locks', 'ARRAY');
  /** Has the value of entry 0 in r6 and of entry 1 in r7. */
  const values = [0, 1]
    .map(
      (key) => `*(u32 *)(r10 - 4) = ${key}
        r1 = map[locks]
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        r${6 + key} = r0`,
    )
    .join('\n');
  const lock = (register: number): string => `r1 = r${register}\ncall bpf_spin_lock`;
  const unlock = (register: number): string => `r1 = r${register}\ncall bpf_spin_unlock`;
  const reason = (...steps: string[]): string | undefined =>
    runText([values, ...steps, 'out:', 'r0 = 0', 'exit'].join('\n'), { maps: [map] }).violation?.reason;

  it('are taken and given back, one after the other', () => {
    expect(reason(lock(6), unlock(6), lock(7), unlock(7), lock(6), unlock(6))).toBeUndefined();
  });

  it('are given back by the program that holds them', () => {
    expect(reason(lock(6))).toBe('bpf_spin_unlock is missing');
    expect(reason(unlock(6))).toBe('bpf_spin_unlock without taking a lock');
    expect(reason(lock(6), unlock(6), unlock(6))).toBe('bpf_spin_unlock without taking a lock');
  });

  it('are not given back in the place of others', () => {
    expect(reason(lock(6), unlock(7))).toBe('bpf_spin_unlock of different lock');
    expect(reason(lock(7), unlock(6))).toBe('bpf_spin_unlock of different lock');
  });

  it('are held one at a time', () => {
    expect(reason(lock(6), lock(7))).toBe('Locking two bpf_spin_locks are not allowed');
    expect(reason(lock(6), lock(6))).toBe('Locking two bpf_spin_locks are not allowed');
  });

  it('are held across no other call', () => {
    expect(reason(lock(6), 'call bpf_get_prandom_u32')).toBe(
      'function calls are not allowed while holding a lock',
    );
    expect(reason(lock(6), unlock(6), 'call bpf_get_prandom_u32')).toBeUndefined();
  });
});

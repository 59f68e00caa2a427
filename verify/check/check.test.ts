/** What a check is asked, and what it leaves out then: phases, other kernels, cases, invariants, proofs. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { ProofAid } from '../prove/aid.ts';
import { fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { type CheckOptions, check } from './check.ts';
import type { CheckedProgram } from './finding.ts';

const machine = createWasmEngine();
const witness = createVmEngine();

function specimen(source: string, name: string): Program {
  const object = new Uint8Array(readFileSync(new URL(`recorded/${source}.o`, import.meta.url)));
  return { name, entries: [{ function: name, hook: 'xdp' }], object };
}

function checked(program: Program, more: Partial<CheckOptions> = {}): Promise<CheckedProgram> {
  return check({
    ...{ program, machine, witness, seed: 'options', runs: 300, effort: 20_000 },
    ...{ shrinkSeconds: 600, sweeps: false },
    ...more,
  });
}

const ids = ({ findings }: CheckedProgram): string[] => findings.map(({ invariant }) => invariant);

/** A byte squared is never 3 in its two lowest bits. */
const UNREACHED = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 14
  if r0 > r8 goto out
  r2 = *(u8 *)(r7 + 0)
  r2 *= r2
  r2 &= 3
  if r2 == 3 goto out
  r0 = 2
  exit
out:
  r0 = 1
  exit`;

const PROOF: ProofAid = {
  cases: [],
  shown: 0,
  impossible: [],
  paths: 0,
  beyond: 0,
  doubt: undefined,
  seconds: 0,
};

describe('a check', () => {
  const garbage = specimen('garbage', 'stack_decides');

  it('saves every finding that a packet shows, and names the file', async () => {
    const saved: string[] = [];
    const { findings } = await checked(garbage, {
      save: async ({ field }) => {
        saved.push(field);
        return { file: `${saved.length}.pcapng` };
      },
    });
    const [first] = findings;
    expect(first?.invariant).toBe('uninitialized/decision');
    expect(first?.file).toMatch(/^\d+\.pcapng$/);
    expect(first?.divergence?.file).toBe(first?.file);
    expect(saved).toContain('uninitialized/decision');
  });

  it('leaves out invariants that are switched off', async () => {
    const isOn = (id: string): boolean => !id.startsWith('uninitialized/');
    expect(ids(await checked(garbage, { isOn }))).toEqual([]);
    expect(ids(await checked(specimen('counters', 'counter_plain'), { isOn: () => false }))).toEqual([]);
  });

  it('ends after the first packets where it is stopped', async () => {
    const stop = new AbortController();
    let proofs = 0;
    const lowers = specimen('answers', 'ttl_expired');
    const { sweeps, report } = await checked(lowers, {
      ...{ sweeps: true, signal: stop.signal, proveFrom: 101 },
      // Asked of the first breach that is seen.
      isOn: () => {
        stop.abort();
        return true;
      },
      prove: async () => {
        proofs++;
        return PROOF;
      },
    });
    expect(sweeps.words).toBe(0);
    expect(sweeps.packets).toBe(0);
    expect(sweeps.left).toBeGreaterThan(0);
    expect(proofs).toBe(0);
    expect(report.interrupted).toBe(true);
  });

  it('is not done where it is stopped behind all of its packets', async () => {
    const stop = new AbortController();
    const object = writeElf({ main: UNREACHED });
    const branchy: Program = { name: 'branchy', entries: [{ function: 'main', hook: 'xdp' }], object };
    const asked = { minCoverage: 1, proveFrom: 101 };
    const prove = async (): Promise<ProofAid> => PROOF;
    expect(await checked(branchy, { ...asked, prove })).toMatchObject({ verdict: 'pass' });
    const { verdict, reason } = await checked(branchy, {
      ...{ ...asked, signal: stop.signal },
      prove: () => {
        stop.abort();
        return prove();
      },
    });
    expect([verdict, reason]).toEqual(['incomplete', 'the run was interrupted']);
  });
});

describe('an object without lines', () => {
  it('has each place named that its text shows, and of what packets show one of a kind', async () => {
    const lost = (offset: number): string =>
      `r1 = *(u64 *)(r6 + ${offset})\nr1 += 1\n*(u64 *)(r6 + ${offset}) = r1`;
    const decides = 'r1 = *(u8 *)(r7 + 12)\nif r1 == 8 goto other\nr0 = 77\nexit\nother:\nr0 = 78\nexit';
    const text = `r7 = *(u32 *)(r1 + 0)\nr2 = *(u32 *)(r1 + 4)\nr3 = r7\nr3 += 14\nr0 = 2\nif r3 > r2 goto out
      r6 = map[.bss]\n${lost(0)}\n${lost(8)}\n${decides}\nout:\nexit`;
    const zeros = [0, 0, 0, 0, 0, 0, 0, 0];
    const object = writeElf({ main: text }, [], { '.bss': { seen: zeros, sent: zeros } });
    const found = await checked({ name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object });
    const places = found.findings.map(
      ({ invariant, summary }) => `${invariant} ${/instruction \d+/.exec(summary)?.[0] ?? ''}`,
    );
    expect(places.sort()).toEqual([
      'action/unknown ',
      'counter/lost-update instruction 10',
      'counter/lost-update instruction 13',
    ]);
  });
});

describe('a world that an engine cannot make', () => {
  const program = specimen('counters', 'counter_plain');
  const engine = fakeEngine('testrun', () => ({ action: 2 }), {
    openError: () => new EngineError('input', 'bind: EINVAL', { ofWorld: true }),
  });

  it('is an error of the world where it is stated', async () => {
    const worlds = [
      { name: 'stated', world: { sockets: [{ protocol: 'tcp', local: '[2001:db8::1]:80' }] } },
    ] as const;
    const asked = checked(program, { kernel: engine, worlds });
    await expect(asked).rejects.toMatchObject({
      ...{ kind: 'input', message: 'testrun cannot make the world: bind: EINVAL' },
    });
    await expect(checked(program, { kernel: engine })).rejects.toThrow(EngineError);
  });
});

describe('other kernels', () => {
  const old = { version: '6.1', machine: createWasmEngine({ asKernel: '6.1' }) };

  it('do something else where a sum is not folded there', async () => {
    const { findings, verdict } = await checked(specimen('versions', 'sum_unfolded'), { versions: [old] });
    const found = findings.find(({ invariant }) => invariant === 'kernel-version/differs');
    expect(found?.summary).toContain('as Linux 6.1 the ');
    expect(found?.summary.endsWith('(as Linux 6.1)')).toBe(true);
    expect(found?.confirmedBy).toEqual(['wasm']);
    expect(found?.divergence?.case.stimuli.length).toBeGreaterThan(0);
    expect(verdict).toBe('fail');
  });

  it('are named with all that is wrong as one of them alone, and with nothing else', async () => {
    const breaks = fakeEngine('wasm', ({ packet }) => {
      const left = packet.slice();
      if (left.length > 25) left[24]! ^= 0x55;
      return { action: 2, packet: left };
    });
    const versions = [{ version: '6.1', machine: breaks }];
    const differs = await checked(specimen('answers', 'unknown_action'), { versions });
    const sums = differs.findings.filter(({ invariant }) => invariant.startsWith('checksum/'));
    expect(sums.length).toBeGreaterThan(0);
    for (const { summary, divergence, confirmedBy } of sums) {
      expect(summary.endsWith(' (as Linux 6.1)')).toBe(true);
      expect(divergence).toMatchObject({ asKernel: '6.1', summary });
      expect(confirmedBy).toEqual(['wasm']);
    }
    const same = await checked(specimen('redirects', 'redirect_zero'), { versions: [old] });
    expect(same.findings.length).toBeGreaterThan(0);
    for (const { summary, divergence } of same.findings) {
      expect(summary).not.toContain('as Linux');
      expect(divergence?.asKernel).toBeUndefined();
    }
  });

  it('are not asked where none is named, and are the same where nothing depends on them', async () => {
    expect(ids(await checked(specimen('versions', 'sum_unfolded')))).not.toContain('kernel-version/differs');
    expect(ids(await checked(specimen('answers', 'unknown_action'), { versions: [old] }))).toEqual(
      ids(await checked(specimen('answers', 'unknown_action'))),
    );
  });
});

/** Rewrites the identification of IPv4 without a checksum that follows; one of its values leads where nothing else does. */
function sweptOnly(): Program {
  const rest = 'r0 += 1\n'.repeat(20);
  const source = `r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr0 = r6\nr0 += 34\nif r0 > r7 goto out
    r1 = *(u16 *)(r6 + 12)\nif r1 != 8 goto out\nr1 = *(u16 *)(r6 + 18)\nr1 *= 3\nr1 &= 65535
    *(u16 *)(r6 + 18) = r1\nif r1 != 4660 goto out\n${rest}out:\nr0 = 2\nexit`;
  const object = writeElf({ main: source }, []);
  return { name: 'swept_only', entries: [{ function: 'main', hook: 'xdp' }], object };
}

describe('paths', () => {
  const program = specimen('redirects', 'redirect_zero');

  it('are followed where packets reached less than is asked for', async () => {
    const asked: string[] = [];
    const prove = async ({ name }: Program): Promise<ProofAid> => {
      asked.push(name);
      return PROOF;
    };
    expect((await checked(program, { prove, proveFrom: 0 })).proof).toBeUndefined();
    expect(asked).toEqual([]);
    expect((await checked(program, { prove, proveFrom: 101 })).proof).toBe(PROOF);
    expect((await checked(program, { prove, minCoverage: 101 })).proof).toBe(PROOF);
    expect(asked).toEqual(['redirect_zero', 'redirect_zero']);
  });

  it('are followed whatever sweeps reach: these must not cost what paths find', async () => {
    const prove = async (): Promise<ProofAid> => PROOF;
    const options = { prove, proveFrom: 95, effort: 0, runs: 32 };
    expect((await checked(sweptOnly(), options)).proof).toBe(PROOF);
    const { proof, coverage, sweeps } = await checked(sweptOnly(), { ...options, sweeps: true });
    expect(sweeps.words).toBeGreaterThan(0);
    expect(coverage?.instructions.reduce((hit, total) => hit / total)).toBeGreaterThan(0.95);
    expect(proof).toBe(PROOF);
  });

  it('are followed for a moment where packets reached enough, but not everything', async () => {
    const given: (number | undefined)[] = [];
    const prove = async (_: Program, seconds?: number): Promise<ProofAid> => {
      given.push(seconds);
      return PROOF;
    };
    // The packets that follow never have what is asked for: of four ways, one is left.
    const object = writeElf({ main: UNREACHED });
    const most: Program = { name: 'most', entries: [{ function: 'main', hook: 'xdp' }], object };
    expect((await checked(most, { prove, minCoverage: 50 })).proof).toBe(PROOF);
    expect((await checked(most, { prove, minCoverage: 100 })).proof).toBe(PROOF);
    expect((await checked(most, { prove, seconds: 5 })).proof).toBe(PROOF);
    expect(given[0]).toBe(3);
    expect(given[1]).toBeUndefined();
    expect(given[2]).toBeGreaterThan(0);
    expect((await checked(program, { prove, minCoverage: 100 })).proof).toBeUndefined();
    expect(given).toHaveLength(3);
  });

  it('are run as cases, in the world that was given, but for those that need values in maps', async () => {
    const packet = ethernet(0x0800, ipv4(17, udp(data(8))));
    const mac = macFromText('02:00:00:00:00:02');
    const world = { devices: [{ ifindex: 2, name: 'given', mac }] };
    const cases = [
      { program: 'x', world: {}, stimuli: [{ packet }] },
      { program: 'x', world: { maps: { m: [{ key: data(4), value: data(4) }] } }, stimuli: [{ packet }] },
    ];
    const prove = async (): Promise<ProofAid> => ({ ...PROOF, cases });
    const plain = await checked(program, { proveFrom: 101, prove: async () => PROOF });
    const given = await checked(program, {
      ...{ proveFrom: 101, prove, worlds: [{ name: 'given', world }] },
    });
    const count = ({ report }: CheckedProgram): number =>
      Object.values(report.actions).reduce((sum, one) => sum + one, 0);
    const more = await checked(program, { proveFrom: 101, prove });
    expect(count(more)).toBe(count(plain) + 1);
    expect(ids(given)).toContain('redirect/no-target');
  });

  it('are run where they need no more of a map than an entry of zeros', async () => {
    const own = specimen('counters', 'counter_plain');
    const map = linkedObject(own.object!).maps.find(
      ({ global, type }) => global === undefined && type !== 'PROG_ARRAY',
    )!;
    const stimuli = [{ packet: ethernet(0x0800, ipv4(17, udp(data(8)))) }];
    const prove = (byte: number) => async (): Promise<ProofAid> => {
      const entry = { key: new Uint8Array(map.keySize), value: new Uint8Array(map.valueSize).fill(byte) };
      const world = { maps: { [map.name]: [entry] } };
      return { ...PROOF, cases: [{ program: 'x', world, stimuli }] };
    };
    const count = async (aid: () => Promise<ProofAid>): Promise<number> => {
      const { report } = await checked(own, { proveFrom: 101, prove: aid });
      return Object.values(report.actions).reduce((sum, one) => sum + one, 0);
    };
    const plain = await count(async () => PROOF);
    expect(await count(prove(1))).toBe(plain);
    expect(await count(prove(0))).toBe(plain + 1);
  });
});

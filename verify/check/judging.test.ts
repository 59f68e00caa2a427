/** What is judged of a program by its object alone: whether it can redirect, and what an object that nobody can read leaves open. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { judgeFrames } from '../judge-frames.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { builtIn } from '../test-support/changed-object.ts';
import { fakeEngine } from '../test-support/engines.ts';
import { bytes, data, ethernet, ipv4, u16, udp } from '../test-support/packets.ts';
import { guidedRun } from './guided-run.ts';
import { callsAny, callsRedirect, checkJudging } from './judging.ts';
import { lostUpdates } from './lost-updates.ts';

const bare: Program = { name: 'bare', entries: [{ function: 'bare', hook: 'xdp' }] };
const broken: Program = { ...bare, object: new Uint8Array(64) };
const counters: Program = {
  name: 'counter_plain',
  entries: [{ function: 'counter_plain', hook: 'xdp' }],
  object: new Uint8Array(readFileSync(new URL('recorded/counters.o', import.meta.url))),
};

describe('a redirect', () => {
  it('may come from an object that calls a helper for it, and from one that nobody can read', () => {
    expect(callsRedirect(builtIn('redirect').program)).toBe(true);
    expect(callsRedirect(builtIn('redirect_map').program)).toBe(true);
    expect(callsRedirect(builtIn('icmp_echo').program)).toBe(false);
    expect(callsRedirect(bare)).toBe(true);
    expect(callsRedirect(broken)).toBe(true);
  });
});

describe('a helper', () => {
  it('is called by the program itself, or by one that it may jump to, and not by another', () => {
    const of = (entry: string): boolean => {
      const object = writeElf(
        {
          plain: 'r0 = 2\nexit',
          sends: 'r1 = 2\nr2 = 0\ncall bpf_redirect\nexit',
          jumps: 'r2 = map[next]\nr3 = 0\ncall bpf_tail_call\nr0 = 2\nexit',
        },
        [testMap('next', 'PROG_ARRAY')],
      );
      const program: Program = { name: entry, entries: [{ function: entry, hook: 'xdp' }], object };
      expect(callsRedirect(program)).toBe(true);
      return callsAny(program, ({ name }) => name === 'bpf_redirect');
    };
    expect(['plain', 'sends', 'jumps'].map(of)).toEqual([false, true, true]);
  });
});

describe('a frame that begins within a tunnel’s header', () => {
  it('may be what a socket of AF_XDP wants, and no other target of a redirect', () => {
    const inner = ethernet(0x0800, ipv4(17, udp(data(8))));
    const datagram = udp(bytes([8, 0, 0, 0, 0, 0, 1, 0], inner));
    datagram.set(u16(4789), 2);
    datagram.set([0, 0], 6);
    const came = ethernet(0x0800, ipv4(17, datagram));
    const pair = new FramePair();
    pair.set(came, 0, came.length, came.slice(46), 0, came.length - 46);
    const passage = { hook: 'xdp', action: 4, delivery: DELIVERY.redirected, redirect: undefined } as const;
    const isFound = (program: Program): boolean =>
      checkJudging(program, () => true).frames.some(
        (one) => one.judge(pair, passage)?.invariant === 'lengths/decapsulated',
      );
    const withMap = (type: 'XSKMAP' | 'DEVMAP'): Program => ({
      ...bare,
      object: writeElf({ bare: 'r1 = map[to]\nr2 = 0\nr3 = 0\ncall bpf_redirect_map\nexit' }, [
        testMap('to', type),
      ]),
    });
    expect([withMap('XSKMAP'), withMap('DEVMAP'), bare, broken].map(isFound)).toEqual([
      false,
      true,
      false,
      false,
    ]);
  });
});

describe('what is judged', () => {
  it('is each frame and each outcome, warnings with a case of their own', () => {
    const { checksums, frames, outcomes, keepsWarnings } = checkJudging(bare, () => true);
    expect({ checksums, keepsWarnings }).toEqual({ checksums: true, keepsWarnings: true });
    expect(outcomes.length).toBe(2);
    expect(new Set(frames.map(({ name }) => name)).size).toBe(frames.length);
  });

  it('leaves out what is switched off', () => {
    // No action of XDP.
    const passage = { hook: 'xdp', action: 77, delivery: 0, redirect: undefined } as const;
    const breaches = (isOn: (id: string) => boolean): string[] =>
      checkJudging(bare, isOn).outcomes.flatMap((one) => one.judge(passage)?.invariant ?? []);
    expect(breaches(() => true)).toEqual(['action/unknown']);
    expect(breaches((id) => id !== 'action/unknown')).toEqual([]);
  });
});

describe('counters that are lost', () => {
  it('are looked for in the entries of a program whose object can be read', () => {
    expect(lostUpdates(counters).map(({ source }) => source?.line)).toEqual([46]);
    expect(lostUpdates({ ...counters, entries: [{ function: 'nothing', hook: 'xdp' }] })).toEqual([]);
    expect(lostUpdates(bare)).toEqual([]);
    expect(lostUpdates(broken)).toEqual([]);
  });
});

describe('guidance', () => {
  const machine = createWasmEngine();
  const options = { machine, witness: machine, seed: 'guided', effort: 1000 };

  it('is none without an object that can be read, or where packets are given', async () => {
    expect(await guidedRun({ ...options, program: bare })).toEqual({});
    expect(await guidedRun({ ...options, program: broken })).toEqual({});
    expect(await guidedRun({ ...options, program: counters, source: { fill: () => {} } })).toEqual({});
  });

  it('adds packets, worlds and numbered cases', async () => {
    const { source, worlds, cases = [] } = await guidedRun({ ...options, program: counters, effort: 50_000 });
    expect(source).toBeDefined();
    expect(worlds?.length).toBeGreaterThan(0);
    const numbered = [...new Set(cases.map(({ path }) => path))];
    expect(numbered).toEqual(numbered.map((_, at) => `guided case ${at + 1}`));
    // Beside unsound packets, which nobody judges, there are sound ones.
    expect(cases.length).toBeGreaterThan(numbered.length);
    expect(cases.every(({ case: one }) => one.program === 'counter_plain')).toBe(true);
  });
});

describe('frames that no kernel gives a program', () => {
  it.each([
    [13, []],
    [14, ['action/unknown']],
  ])('are not judged: %i bytes', (length, found) => {
    const input = new PacketBatch(1);
    input.push({ packet: new Uint8Array(length) });
    const output = new OutcomeBatch(1);
    output.reserve(length);
    output.commit(77, length);
    const report = { engine: fakeEngine('vm', () => ({ action: 77 })), output, maps: undefined };
    const findings = [
      ...judgeFrames(
        ['xdp'],
        input,
        report,
        undefined,
        checkJudging(bare, () => true),
      ),
    ];
    expect(findings.map(({ field }) => field)).toEqual(found);
  });
});

/** Whom an engine is compared with, in what, and which differences are told. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import type { Observables } from '../sim/engines/engine.ts';
import { STATUS } from '../sim/engines/outcome-batch.ts';
import type { EngineName } from '../sim/engines/register.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../sim/runtime/actions.ts';
import { DELIVERY } from '../sim/runtime/delivery.ts';
import { snapshotOf } from '../sim/runtime/map-snapshot.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { BatchReport } from './batch-report.ts';
import { examine, examineOutcomes } from './examine.ts';
import type { OutcomeInvariant } from './invariants/invariant.ts';
import { JudgingAccount } from './judge-frames.ts';
import { COUNTS, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { type MadeOutcome, outcomes } from './test-support/outcomes.ts';
import { data, ethernet, ipv4, udp } from './test-support/packets.ts';

const FRAME = [...ethernet(0x0800, ipv4(17, udp(data(20))))];

interface Made {
  readonly observes?: Partial<Observables>;
  /** The value of the one entry of its map. */
  readonly map?: number;
}

function reportOf(name: EngineName, made: readonly MadeOutcome[], { observes, map }: Made = {}): BatchReport {
  const engine = fakeEngine(name, () => ({ action: XDP_PASS }), observes === undefined ? {} : { observes });
  const entries = [{ key: new Uint8Array(4), value: Uint8Array.of(map ?? 0, 0, 0, 0) }];
  const maps = map === undefined ? undefined : [snapshotOf(COUNTS, entries)];
  return { engine, output: outcomes(...made.map((one) => ({ packet: FRAME, ...one }))), maps } as BatchReport;
}

function inputOf(count: number): PacketBatch {
  const batch = new PacketBatch(count);
  for (let index = 0; index < count; index++) batch.push({ packet: Uint8Array.from(FRAME) });
  return batch;
}

/** Findings, each in a line: engines, part, field and packet. */
function told(...reports: readonly BatchReport[]): string[] {
  const found = examine(FAKE_PROGRAM, inputOf(reports[0]!.output.count), reports);
  return [...found].map(
    ({ engines, part, field, packet }) => `${engines.join('/')} ${part} ${field} at ${packet}`,
  );
}

const PLAIN: MadeOutcome = {};

describe('frames of a program that takes their first byte for that of an IP header', () => {
  const object = writeElf({
    main: `r2 = *(u32 *)(r1 + 80)
    r1 = *(u32 *)(r1 + 76)
    r0 = 0
    r3 = r1
    r3 += 20
    if r3 > r2 goto out
    r4 = *(u8 *)(r1 + 0)
    if r4 != 0x45 goto out
    r0 = 2
    out:
    exit`,
  });
  const broken = FRAME.map((byte, at) => (at === 22 ? 9 : byte));

  it('are not judged, and counted; runs are', () => {
    const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'tc-ingress' }], object };
    const account = new JudgingAccount();
    const reports = [reportOf('vm', [{ packet: broken }])];
    const judged = (one: Program): string[] =>
      [...examineOutcomes(one, inputOf(1), reports, account)].map(({ part }) => part);
    expect(judged(FAKE_PROGRAM)).toEqual(['checksum']);
    expect(judged(program)).toEqual([]);
    expect(account.notCompared('vm')).toEqual([
      { what: expect.stringMatching(/^frames: .*without a link header/), engine: 'vm', packets: 1 },
    ]);
  });
});

describe('two engines', () => {
  it('differ in nothing where all is the same', () => {
    expect(
      told(reportOf('vm', [PLAIN, PLAIN], { map: 3 }), reportOf('wasm', [PLAIN, PLAIN], { map: 3 })),
    ).toEqual([]);
  });

  it('are told of each kind of difference once, at the first packet that shows it', () => {
    const changed = FRAME.map((byte, at) => (at === 22 ? 9 : byte));
    const other = [
      PLAIN,
      { redirect: 4 },
      { redirect: 5 },
      { action: XDP_DROP },
      { action: XDP_DROP },
      { trace: ['a'] },
      { mark: 7 },
      { packet: changed },
    ];
    const plain = Array.from({ length: 8 }, () => PLAIN);
    const lines = told(reportOf('vm', plain), reportOf('wasm', other)).filter((line) =>
      line.startsWith('vm/wasm'),
    );
    expect(lines.sort()).toEqual([
      'vm/wasm action action at 3',
      'vm/wasm packet ipv4.ttl at 7',
      'vm/wasm redirect redirect at 1',
      'vm/wasm trace trace at 5',
    ]);
  });

  it('show it on a packet next to one that differs in the same', () => {
    const other = [PLAIN, { redirect: 4 }, { trace: ['a'] }];
    expect(told(reportOf('vm', [PLAIN, PLAIN, PLAIN]), reportOf('wasm', other)).sort()).toEqual([
      'vm/wasm redirect redirect at 1',
      'vm/wasm trace trace at 2',
    ]);
  });

  it('are told of maps where nothing else differs, and at the last packet', () => {
    const map = (value: number): Made => ({ map: value });
    expect(told(reportOf('vm', [PLAIN, PLAIN], map(3)), reportOf('wasm', [PLAIN, PLAIN], map(4)))).toEqual([
      'vm/wasm map map counts at 1',
    ]);
    expect(
      told(reportOf('vm', [PLAIN, PLAIN], map(3)), reportOf('wasm', [PLAIN, { redirect: 3 }], map(4))),
    ).toEqual(['vm/wasm redirect redirect at 1']);
    expect(told(reportOf('vm', [PLAIN], map(3)), reportOf('wasm', [PLAIN]))).toEqual([]);
    expect(
      told(reportOf('vm', [PLAIN], map(3)), reportOf('wasm', [PLAIN], { map: 4, observes: { maps: false } })),
    ).toEqual([]);
  });

  it('are compared in what both show', () => {
    const blind = (observes: Partial<Observables>): Made => ({ observes });
    expect(
      told(reportOf('vm', [PLAIN]), reportOf('wasm', [{ redirect: 4 }], blind({ redirect: false }))),
    ).toEqual([]);
    expect(
      told(reportOf('vm', [PLAIN]), reportOf('wasm', [{ trace: ['a'] }], blind({ trace: false }))),
    ).toEqual([]);
    const dropped = [{ action: XDP_ABORTED }];
    expect(told(reportOf('vm', [{ action: XDP_DROP }]), reportOf('wasm', dropped))).toEqual([
      'vm/wasm action action at 0',
    ]);
    expect(
      told(reportOf('vm', [{ action: XDP_DROP }]), reportOf('wasm', dropped, blind({ action: 'delivery' }))),
    ).toEqual([]);
  });

  it('are looked at on 256 packets that differ', () => {
    const many = (count: number): readonly MadeOutcome[] => [
      ...Array.from({ length: count }, () => ({ redirect: 4 })),
      { trace: ['a'] },
    ];
    const lines = (count: number): string[] =>
      told(
        reportOf(
          'vm',
          many(count).map(() => PLAIN),
        ),
        reportOf('wasm', many(count)),
      );
    expect(lines(255)).toEqual(['vm/wasm redirect redirect at 0', 'vm/wasm trace trace at 255']);
    expect(lines(256)).toEqual(['vm/wasm redirect redirect at 0']);
  });
});

describe('three engines', () => {
  it('are compared with the first, and with others in what that does not show', () => {
    const model = reportOf('model', [PLAIN], { observes: { redirect: false } });
    const lines = told(model, reportOf('vm', [{ redirect: 3 }]), reportOf('wasm', [{ redirect: 4 }]));
    expect(lines).toEqual(['vm/wasm redirect redirect at 0']);
    const both = told(model, reportOf('vm', [{ trace: ['a'] }]), reportOf('wasm', [{ trace: ['a'] }]));
    expect(both).toEqual(['model/vm trace trace at 0', 'model/wasm trace trace at 0']);
  });

  it('say what differs once, by the first that shows it', () => {
    const lines = told(
      reportOf('model', [PLAIN]),
      reportOf('vm', [PLAIN]),
      reportOf('wasm', [{ action: XDP_DROP }]),
    );
    expect(lines).toEqual(['model/wasm action action at 0']);
  });

  it('leave out one that stopped: its state is not the others’', () => {
    const stopped = reportOf('vm', [{ status: STATUS.violation }, PLAIN]);
    const lines = told(
      reportOf('model', [PLAIN, PLAIN]),
      stopped,
      reportOf('wasm', [PLAIN, { redirect: 3 }]),
    );
    expect(lines).toEqual(['model/vm status status at 0', 'model/wasm redirect redirect at 1']);
    const left = [...examineOutcomes(FAKE_PROGRAM, inputOf(2), [reportOf('model', [PLAIN, PLAIN]), stopped])];
    expect(left).toEqual([]);
  });
});

describe('frames', () => {
  const wrong = { packet: FRAME.map((byte, at) => (at === 30 ? byte ^ 1 : byte)) };

  it('are judged once for engines that agree, and of each that does not', () => {
    const judged = (...reports: readonly BatchReport[]): string[] =>
      told(...reports).filter((line) => line.includes('checksum') && line.startsWith('oracle'));
    expect(judged(reportOf('vm', [wrong]), reportOf('wasm', [wrong]))).toEqual([
      'oracle/vm checksum ipv4.checksum at 0',
    ]);
    expect(judged(reportOf('vm', [PLAIN]), reportOf('wasm', [wrong]))).toEqual([
      'oracle/wasm checksum ipv4.checksum at 0',
    ]);
    expect(judged(reportOf('vm', [{ ...wrong, action: XDP_DROP }]))).toEqual([]);
  });

  it('are counted for the first engine alone', () => {
    const account = new JudgingAccount();
    const reports = [
      reportOf('vm', [PLAIN, wrong, { action: XDP_DROP }]),
      reportOf('wasm', [PLAIN, PLAIN, PLAIN]),
    ];
    expect([...examineOutcomes(FAKE_PROGRAM, inputOf(3), reports, account)].length).toBeGreaterThan(0);
    expect(account.judged).toBe(2);
    const off = [...examineOutcomes(FAKE_PROGRAM, inputOf(3), reports, account, 'off')];
    expect(off.filter(({ part }) => part === 'checksum')).toEqual([]);
    expect(account.judged).toBe(2);
  });

  it('are judged by what became of each packet that ran, with the target that the engine shows', () => {
    const passages: unknown[] = [];
    const outcome: OutcomeInvariant = {
      name: 'seen',
      judge: (passage) => {
        passages.push({ ...passage });
        return undefined;
      },
    };
    const judging = { checksums: true, frames: [], outcomes: [outcome], keepsWarnings: true };
    const made = [{ action: XDP_REDIRECT, redirect: 3 }, { action: XDP_DROP }, { status: STATUS.unseen }];
    const judge = (observes: Partial<Observables>): unknown[] => {
      passages.length = 0;
      expect([
        ...examineOutcomes(
          FAKE_PROGRAM,
          inputOf(3),
          [reportOf('vm', made, { observes })],
          undefined,
          judging,
        ),
      ]).toEqual([]);
      return [...passages];
    };
    expect(judge({})).toEqual([
      { hook: 'xdp', action: XDP_REDIRECT, delivery: DELIVERY.redirected, redirect: 3 },
      { hook: 'xdp', action: XDP_DROP, delivery: DELIVERY.dropped, redirect: 0 },
    ]);
    expect(judge({ redirect: false })).toMatchObject([{ redirect: undefined }, { redirect: undefined }]);
  });
});

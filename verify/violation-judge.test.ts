/** What the machine stops: a finding, or a defect where the kernel runs it; and what is done about findings. */
import { describe, expect, it } from 'vitest';
import type { Case } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS } from '../sim/runtime/actions.ts';
import type { BatchReport } from './batch-report.ts';
import type { EngineFailure } from './engine-side.ts';
import { EngineSide } from './engine-side.ts';
import type { Finding } from './finding.ts';
import { type InvestigateOptions, type Investigation, investigate } from './investigate.ts';
import type { Found } from './segment.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { plainOutcome } from './test-support/plain-outcome.ts';
import { type Judgement, ViolationJudge } from './violation-judge.ts';

const stimuli = [0, 1, 2].map((number) => ({ packet: new Uint8Array(60).fill(number) }));
const passes: Behaviour = () => ({ action: XDP_PASS });
/** Stops the packets from this number on. */
const stops =
  (from: number, violation = 'out of bounds'): Behaviour =>
  ({ packet }) => ({ action: XDP_PASS, ...(packet[0]! >= from ? { violation } : {}) });

function input(): PacketBatch {
  const batch = new PacketBatch(3);
  for (const stimulus of stimuli) batch.push(stimulus);
  return batch;
}

async function reportsOf(...engines: readonly Engine[]): Promise<BatchReport[]> {
  const sides = engines.map((engine) => new EngineSide(engine, FAKE_PROGRAM, 3));
  for (const side of sides) expect(await side.run({}, input())).toBe(true);
  return sides as unknown as BatchReport[];
}

const told = ({ findings, defects }: Judgement): unknown => ({
  findings: findings.map(({ engines, place, packet, kernel }) => [...engines, place, packet, kernel?.did]),
  defects: defects.map(({ engine, packets, seen }) => [engine, packets, seen]),
});

describe('what the machine stops', () => {
  const judge = async (
    judgeOf: ViolationJudge,
    engines: readonly Engine[],
    failure?: EngineFailure,
    first = 0,
  ): Promise<Judgement> =>
    judgeOf.judge({}, input(), await reportsOf(...engines), failure, (packet) => ({
      seed: 's',
      packet: first + packet,
    }));

  it('is a finding where no kernel can be asked, once for each place', async () => {
    const one = new ViolationJudge({ program: FAKE_PROGRAM });
    const wasm = fakeEngine('wasm', stops(1));
    expect(told(await judge(one, [wasm]))).toEqual({
      findings: [['oracle', 'wasm', 'out of bounds', 1, 'not asked']],
      defects: [],
    });
    expect(told(await judge(one, [wasm]))).toEqual({ findings: [], defects: [] });
    expect(told(await judge(one, [fakeEngine('wasm', stops(0, 'elsewhere'))]))).toMatchObject({
      findings: [['oracle', 'wasm', 'elsewhere', 0, 'not asked']],
    });
    one.clear();
    expect(told(await judge(one, [wasm]))).toMatchObject({
      findings: [['oracle', 'wasm', 'out of bounds', 1, 'not asked']],
    });
  });

  it('is a defect where the kernel runs it: with the packets of each batch', async () => {
    const one = new ViolationJudge({ program: FAKE_PROGRAM });
    const engines = [fakeEngine('testrun', passes), fakeEngine('wasm', stops(1))];
    const first = await judge(one, engines);
    expect(told(first)).toEqual({ findings: [], defects: [['wasm', 2, { seed: 's', packet: 1 }]] });
    expect(first.defects[0]!.summary).toBe(
      'the machine (wasm) refused what this kernel ran: out of bounds, a defect of xdpsim',
    );
    const next = await judge(one, [engines[0]!, fakeEngine('wasm', stops(2))], undefined, 100);
    expect(told(next)).toEqual({ findings: [], defects: [['wasm', 1, { seed: 's', packet: 102 }]] });
    one.clear();
    expect(told(await judge(one, [fakeEngine('wasm', stops(1))]))).toMatchObject({ defects: [] });
  });

  it('is a defect where the kernel accepts the program: it is asked once', async () => {
    const kernel = fakeEngine('testrun', () => ({ action: 0, fault: 'EINVAL' }));
    const one = new ViolationJudge({ program: FAKE_PROGRAM, kernel });
    const { defects } = await judge(one, [fakeEngine('wasm', stops(1))]);
    expect(defects[0]?.summary).toBe(
      'the machine (wasm) refused what this kernel accepts: out of bounds, a defect of xdpsim',
    );
    expect(kernel.log.packets).toBe(2);
    expect((await judge(one, [fakeEngine('wasm', stops(1))])).defects.length).toBe(1);
    expect(kernel.log.packets).toBe(2);
  });

  it('is a finding where the kernel refused the program', async () => {
    const failure: EngineFailure = { kind: 'input', message: 'refused' };
    expect(
      told(
        await judge(new ViolationJudge({ program: FAKE_PROGRAM }), [fakeEngine('wasm', stops(1))], failure),
      ),
    ).toMatchObject({
      findings: [['oracle', 'wasm', 'out of bounds', 1, 'refused']],
    });
  });

  it('is explained by the interpreter, which knows why', async () => {
    const because = async (engine: 'wasm' | 'vm', behave: Behaviour): Promise<string> => {
      const witness = fakeEngine('vm', behave);
      const one = new ViolationJudge({ program: FAKE_PROGRAM, witness });
      const { defects } = await judge(one, [fakeEngine('testrun', passes), fakeEngine(engine, stops(1))]);
      return `${/: (.*), a defect/.exec(defects[0]!.summary)?.[1]} after ${witness.log.packets}`;
    };
    expect(await because('wasm', stops(1, 'r1 is no pointer'))).toBe('r1 is no pointer after 2');
    expect(await because('wasm', passes)).toBe('out of bounds after 2');
    expect(await because('vm', stops(1, 'r1 is no pointer'))).toBe('out of bounds after 0');
  });
});

describe('a finding', () => {
  const shown: Case = { program: 'fake', world: {}, stimuli };
  const finding = (more: Partial<Finding> = {}): Finding => ({
    ...{
      engines: ['oracle', 'wasm'],
      part: 'action',
      field: 'action',
      packet: 2,
      expected: undefined,
      got: plainOutcome(stimuli[2]!.packet),
    },
    ...more,
  });
  const found = (more: Partial<Finding> = {}, savedIn?: string): Found => ({
    ...{ finding: finding(more), case: shown, seen: { seed: 's', packet: 2 } },
    ...(savedIn === undefined ? {} : { savedIn }),
  });
  const looked = (one: Found, options: Partial<InvestigateOptions> = {}): Promise<Investigation> =>
    investigate(one, { program: FAKE_PROGRAM, engines: [], shrink: false, ...options });

  it('that lies in a file already stays as it is', async () => {
    expect(await looked(found({}, 'old.pcapng'))).toEqual({
      finding: finding(),
      case: shown,
      state: 'saved',
    });
    expect(await looked(found())).toEqual({ finding: finding(), case: shown, state: 'found' });
  });

  it('is told to a witness that has no part in it', async () => {
    const witness = fakeEngine('vm', ({ packet }) => ({ action: packet[0] === 2 ? XDP_DROP : XDP_PASS }));
    expect((await looked(found(), { witness })).witness?.action).toBe(XDP_DROP);
    expect(await looked(found({ engines: ['vm', 'wasm'] }), { witness })).not.toHaveProperty('witness');
    const absent = fakeEngine('vm', passes, {
      availability: { available: false, reason: 'no', remedy: 'r' },
    });
    expect(await looked(found(), { witness: absent })).not.toHaveProperty('witness');
  });

  it('is explained by a witness that is stopped where the machine was', async () => {
    const witness = fakeEngine('vm', stops(2, 'r1 is no pointer'));
    const stopped = {
      part: 'status',
      field: 'status',
      got: plainOutcome(stimuli[2]!.packet, { note: { message: 'out of bounds' } }),
    } as const;
    const told = await looked(found(stopped), { witness });
    expect(told.finding.got?.note?.message).toBe('r1 is no pointer');
    expect(told.witness?.status).toBe('violation');
    expect((await looked(found(), { witness })).finding).toEqual(finding());
    const ran = await looked(found(stopped), { witness: fakeEngine('vm', passes) });
    expect(ran.finding.got?.note?.message).toBe('out of bounds');
  });

  it('is made small on the engines that have a part in it', async () => {
    const wasm = fakeEngine('wasm', stops(0));
    const vm = fakeEngine('vm', passes);
    const smaller: number[] = [];
    const small = await looked(found({ part: 'status', field: 'status', place: 'out of bounds' }), {
      ...{ engines: [wasm, vm], shrink: {} },
      onSmaller: ({ stimuli: left }) => void smaller.push(left.length),
    });
    expect(small.state).toBe('shrunk');
    expect(small.case.stimuli.length).toBe(1);
    expect(smaller.length).toBeGreaterThan(0);
    expect(vm.log.packets).toBe(0);
  });

  it('of what the kernel refused is asked of it again, and stays as it was found where that runs the small case', async () => {
    const kernel = { did: 'refused', message: 'no' } as const;
    const stopped = { part: 'status', field: 'status', place: 'out of bounds', kernel } as const;
    const options = { engines: [fakeEngine('wasm', stops(0))], shrink: {} };
    const ran = await looked(found(stopped), { ...options, kernel: fakeEngine('testrun', passes) });
    expect([ran.state, ran.case]).toEqual(['cut short', shown]);
    const none = await looked(found(stopped), options);
    expect([none.state, none.finding.kernel?.did]).toEqual(['shrunk', 'not asked']);
  });
});

/** What the kernel is asked about a packet that the machine stopped, and what its answers mean. */
import { describe, expect, it } from 'vitest';
import { PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS } from '../sim/runtime/actions.ts';
import type { BatchReport } from './batch-report.ts';
import { EngineSide } from './engine-side.ts';
import { isAccepted } from './kernel-verdict.ts';
import { KernelWitness } from './kernel-witness.ts';
import { type Behaviour, FAKE_PROGRAM, type FakeOptions, fakeEngine } from './test-support/engines.ts';

/** Packets whose first byte is their number. */
const stimuli: readonly Stimulus[] = [0, 1, 2, 3].map((number) => ({
  packet: new Uint8Array(60).fill(number),
}));
const shown = { world: {}, stimuli };

/** Returns how many packets ran up to this one. */
const counts: Behaviour = (_, state) => ({ action: state.packets });

/** Takes no packet of these numbers. */
const refusing = (...numbers: readonly number[]): FakeOptions => ({
  refuses: (batch) => {
    for (let packet = 0; packet < batch.count; packet++)
      if (numbers.includes(batch.stimulus(packet).packet[0]!)) return { rule: 'not these', packet };
    return undefined;
  },
});

function witness(behave: Behaviour, options: FakeOptions = {}): KernelWitness {
  return new KernelWitness(FAKE_PROGRAM, fakeEngine('testrun', behave, options));
}

describe('the kernel', () => {
  it('runs the packets up to the one that it is asked about', async () => {
    const engine = fakeEngine('testrun', counts);
    const verdict = await new KernelWitness(FAKE_PROGRAM, engine).ask(shown, 2);
    expect(verdict).toMatchObject({ did: 'ran', outcome: { action: 3 } });
    expect(isAccepted(verdict)).toBe(true);
    expect(engine.log).toMatchObject({ packets: 3, opened: 1, closed: 1 });
  });

  it('is not given packets before it that it does not take', async () => {
    expect(await witness(counts, refusing(0, 1)).ask(shown, 3)).toMatchObject({
      did: 'ran',
      outcome: { action: 2 },
    });
  });

  it('accepts a program of which it cannot run this packet', async () => {
    const refused = await witness(counts, refusing(2)).ask(shown, 2);
    expect(refused).toEqual({ did: 'accepted', why: 'not these' });
    expect(isAccepted(refused)).toBe(true);
    expect(await witness(() => ({ action: 0, fault: 'EINVAL' })).ask(shown, 0)).toEqual({
      did: 'accepted',
      why: 'EINVAL',
    });
  });

  it('is not asked where there is none, or it cannot run here', async () => {
    const none = await new KernelWitness(FAKE_PROGRAM, undefined).ask(shown, 0);
    expect(none).toEqual({ did: 'not asked', why: 'no engine here runs in the kernel' });
    expect(isAccepted(none)).toBe(false);
    const availability = { available: false, reason: 'no root' } as FakeOptions['availability'] & object;
    expect(await witness(counts, { availability }).ask(shown, 0)).toEqual({
      did: 'not asked',
      why: 'no root',
    });
    const broken = await witness(counts, { openError: () => new Error('broken') }).ask(shown, 0);
    expect(broken.did).toBe('not asked');
  });

  it('has refused the program where that is why it does not run any more', async () => {
    const input = new PacketBatch(1);
    input.push(stimuli[0]!);
    const of = (failure: Parameters<KernelWitness['of']>[4]): ReturnType<KernelWitness['of']> =>
      witness(counts).of({}, input, 0, [], failure);
    expect(await of({ kind: 'input', message: 'refused', log: 'R1 invalid' })).toEqual({
      ...{ did: 'refused', message: 'refused', log: 'R1 invalid' },
    });
    expect(await of({ kind: 'input', message: 'refused' })).toEqual({ did: 'refused', message: 'refused' });
    expect(await of({ kind: 'environment', message: 'no BTF' })).toEqual({ did: 'not asked', why: 'no BTF' });
    expect(await of({ kind: 'input', message: 'bind: EINVAL', ofWorld: true })).toEqual({
      ...{ did: 'not asked', why: 'bind: EINVAL' },
    });
    expect(await of(undefined)).toMatchObject({ did: 'ran', outcome: { action: 1 } });
  });

  it('has said already what it did where it ran the batch', async () => {
    const input = new PacketBatch(4);
    for (const one of stimuli) input.push(one);
    const reportOf = async (name: 'vm' | 'testrun', action: number): Promise<BatchReport> => {
      const side = new EngineSide(
        fakeEngine(name, () => ({ action })),
        FAKE_PROGRAM,
        4,
      );
      expect(await side.run({}, input)).toBe(true);
      return side as unknown as BatchReport;
    };
    const engine = fakeEngine('testrun', counts);
    const reports = [await reportOf('vm', XDP_PASS), await reportOf('testrun', XDP_DROP)];
    const verdict = await new KernelWitness(FAKE_PROGRAM, engine).of({}, input, 1, reports, undefined);
    expect(verdict).toMatchObject({ did: 'ran', outcome: { action: XDP_DROP } });
    expect(engine.log.packets).toBe(0);
  });
});

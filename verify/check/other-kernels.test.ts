/** What another kernel does otherwise, and who confirms a finding: with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX } from '../../sim/runtime/actions.ts';
import type { Finding } from '../finding.ts';
import type { Divergence, ProgramReport } from '../report.ts';
import { type Behaviour, FAKE_PROGRAM, type FakeOptions, fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { confirmed } from './confirm.ts';
import { checkJudging } from './judging.ts';
import { kernelDifference, refusedBy } from './other-kernels.ts';
import type { Seen } from './probe.ts';
import type { Rewritten } from './rewritten.ts';

const PORT = 34;
const packet = ethernet(0x0800, ipv4(17, udp(data(8))));
const port = (one: Uint8Array): number => (one[PORT]! << 8) | one[PORT + 1]!;
const passes: Behaviour = () => ({ action: XDP_PASS });

describe('a program on another kernel', () => {
  const report = (engine: object | undefined, more: object = {}): ProgramReport =>
    ({ engines: engine === undefined ? [] : [engine], divergences: [], ...more }) as unknown as ProgramReport;
  const summaryOf = (one: ProgramReport): string | undefined => refusedBy(FAKE_PROGRAM, '6.1', one)?.summary;

  it('is refused where it did not run, with the reason', () => {
    expect(
      refusedBy(FAKE_PROGRAM, '6.1', report({ name: 'wasm', status: 'skipped', reason: 'no helper' })),
    ).toEqual({
      invariant: 'kernel-version/refused',
      severity: 'error',
      summary: 'fake: Linux 6.1 cannot run it: no helper',
      confirmedBy: ['wasm'],
    });
    const failed = { name: 'wasm', status: 'failed' };
    expect(summaryOf(report(failed, { failure: { message: 'no map' } }))).toBe(
      'fake: Linux 6.1 cannot run it: no map',
    );
    expect(summaryOf(report({ ...failed, reason: 'first' }, { failure: { message: 'second' } }))).toMatch(
      /: first$/,
    );
    expect(summaryOf(report(failed))).toMatch(/: it does not say why$/);
  });

  it('is refused where the machine stopped it', () => {
    const ran = { name: 'wasm', status: 'ran' };
    const stops = [
      { part: 'action', summary: 'another' },
      { part: 'status', summary: 'stopped at 5' },
    ];
    expect(summaryOf(report(ran, { divergences: stops }))).toBe(
      'fake: Linux 6.1 cannot run it: stopped at 5',
    );
    expect(summaryOf(report(ran, { divergences: stops.slice(0, 1) }))).toBeUndefined();
    expect(summaryOf(report(ran))).toBeUndefined();
    expect(summaryOf(report(undefined))).toBeUndefined();
  });
});

describe('two kernels', () => {
  const word = (balance = -1, more: Partial<Rewritten> = {}): Rewritten => ({
    ...{ world: {}, stimulus: { packet }, name: 'udp+0 over ipv4', at: PORT, balance },
    ...more,
  });
  async function difference(
    own: Behaviour,
    theirs: Behaviour,
    words: readonly Rewritten[] = [word()],
    { signal, options }: { signal?: AbortSignal; options?: FakeOptions } = {},
  ): Promise<Seen | undefined> {
    const engines = [fakeEngine('wasm', own), fakeEngine('wasm', theirs, options)] as const;
    const seen = await kernelDifference(FAKE_PROGRAM, '5.10', ...engines, words, signal);
    for (const { log } of engines) expect(log.closed).toBe(log.opened);
    return seen;
  }

  it('are tried on every 509th value of a word, and the first difference is shown with what came before', async () => {
    const ports: number[] = [];
    const seen = await difference(passes, (one) => {
      ports.push(port(one.packet));
      return { action: port(one.packet) >= 1018 ? XDP_DROP : XDP_PASS };
    });
    expect(ports.length).toBe(129);
    expect(ports.slice(0, 4)).toEqual([0, 509, 1018, 1527]);
    expect(ports.at(-1)).toBe(128 * 509);
    expect(seen?.stimuli.map((one) => port(one.packet))).toEqual([0, 509, 1018]);
    expect(seen?.got.action).toBe(XDP_DROP);
    expect(seen?.breach).toEqual({
      invariant: 'kernel-version/differs',
      at: 0,
      size: 0,
      expected: 'the same action as on the newest kernel',
      got: 'another action as Linux 5.10',
      sentence: 'as Linux 5.10 the action is another',
    });
  });

  it('are the same where they do the same', async () => {
    expect(await difference(passes, passes)).toBeUndefined();
    expect(await difference(passes, passes, [])).toBeUndefined();
  });

  it('differ in what they write, and in the last word that is tried', async () => {
    const writes: Behaviour = (one) => ({
      action: XDP_TX,
      packet: one.packet.map((byte, at) => (at === 45 ? 0 : byte)),
    });
    const seen = await difference(() => ({ action: XDP_TX }), writes, [word(-1, { at: 36 }), word()]);
    expect(seen?.breach.expected).toBe('the same packet as on the newest kernel');
    expect(seen?.stimuli.length).toBe(1);
  });

  it('do not differ in what one of them stops, or cannot run', async () => {
    expect(await difference(passes, () => ({ action: XDP_ABORTED, violation: 'stopped' }))).toBeUndefined();
    const options = {
      openError: ({ randomSeed }: { randomSeed?: number }) =>
        randomSeed === 7 ? new Error('no') : undefined,
    };
    const drops: Behaviour = () => ({ action: XDP_DROP });
    expect(
      await difference(passes, drops, [word(-1, { world: { randomSeed: 7 } })], { options }),
    ).toBeUndefined();
    const both = [word(-1, { world: { randomSeed: 7 } }), word()];
    expect((await difference(passes, drops, both, { options }))?.world).toEqual({});
  });

  it('are not asked any more where it is over', async () => {
    const drops: Behaviour = () => ({ action: XDP_DROP });
    expect(await difference(passes, drops, [word()], { signal: AbortSignal.abort() })).toBeUndefined();
    expect(await difference(passes, drops, [word()], { signal: new AbortController().signal })).toBeDefined();
  });
});

describe('a finding is confirmed', () => {
  const judging = checkJudging(FAKE_PROGRAM, () => true);
  const unknown: Behaviour = () => ({ action: 77 });
  const of = (engines: Finding['engines'], kernel?: object): Divergence =>
    ({
      finding: {
        engines,
        part: 'invariant',
        field: 'action/unknown',
        packet: 0,
        ...(kernel === undefined ? {} : { kernel }),
      },
      case: { program: 'fake', world: {}, stimuli: [{ packet }] },
    }) as unknown as Divergence;

  it('by both engines that disagree', async () => {
    expect(
      await confirmed(FAKE_PROGRAM, of(['wasm', 'testrun']), [fakeEngine('vm', unknown)], judging),
    ).toEqual(['wasm', 'testrun']);
  });

  it('by the engine that showed it, and by each that shows the same, in their order', async () => {
    const machine = fakeEngine('wasm', unknown);
    const others = [fakeEngine('testrun', unknown), machine, fakeEngine('vm', unknown)];
    expect(await confirmed(FAKE_PROGRAM, of(['oracle', 'wasm']), others, judging)).toEqual([
      'testrun',
      'vm',
      'wasm',
    ]);
    // It is not asked again.
    expect(machine.log.opened).toBe(0);
    for (const { log } of others) expect(log.closed).toBe(log.opened);
  });

  it('by none that shows nothing, shows something else, or cannot run', async () => {
    const others = [
      fakeEngine('testrun', passes),
      fakeEngine('vm', unknown, { availability: { available: false, reason: 'not here' } as never }),
    ];
    expect(await confirmed(FAKE_PROGRAM, of(['oracle', 'wasm']), others, judging)).toEqual(['wasm']);
    expect(
      await confirmed(
        FAKE_PROGRAM,
        of(['oracle', 'wasm']),
        [fakeEngine('vm', () => ({ action: XDP_ABORTED }))],
        judging,
      ),
    ).toEqual(['wasm']);
  });

  it('by the kernel where that refused the program', async () => {
    const kernel = fakeEngine('testrun', passes);
    expect(
      await confirmed(FAKE_PROGRAM, of(['oracle', 'wasm'], { did: 'refused' }), [kernel], judging),
    ).toEqual(['testrun', 'wasm']);
    expect(kernel.log.opened).toBe(0);
    expect(await confirmed(FAKE_PROGRAM, of(['oracle', 'wasm'], { did: 'ran' }), [kernel], judging)).toEqual([
      'wasm',
    ]);
  });
});

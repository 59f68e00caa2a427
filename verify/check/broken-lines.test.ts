/** Which line broke what: what is known already, what a line breaks that breaks everything, and what became another fault. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Investigation } from '../investigate.ts';
import type { Found } from '../segment.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { BrokenLines } from './broken-lines.ts';
import { CaseRunner } from './probe.ts';

/** Lowers TTLs, and updates the checksum. */
const program: Program = {
  name: 'ttl_expired',
  entries: [{ function: 'ttl_expired', hook: 'xdp' }],
  object: new Uint8Array(readFileSync(new URL('recorded/answers.o', import.meta.url))),
};
const packet = ethernet(0x0800, ipv4(17, udp(data(8))));
const TTL = { at: 22, size: 1 };
const SUM = { at: 24, size: 2 };
const NOTHING = { at: 0, size: 0 };

const runner = new CaseRunner(program, createVmEngine());
const got = (await runner.outcome({}, { packet }))!;
await runner.close();

/** Something that is wrong with bytes which the program wrote, or did not. */
function found(invariant: string, { at, size }: typeof TTL, before: readonly Uint8Array[] = []): Found {
  const breach = {
    invariant,
    at,
    size,
    severity: 'error',
    summary: '',
    expected: '',
    got: '',
    sentence: '',
  } as const;
  const stimuli = [...before, packet].map((one) => ({ packet: one }));
  return {
    finding: {
      ...{ engines: ['oracle', 'vm'], part: 'invariant', field: invariant, packet: before.length },
      ...{ expected: undefined, got, breach },
    },
    case: { program: program.name, world: {}, stimuli },
    seen: { seed: 's', packet: 0 },
  };
}

describe('the place of a finding', () => {
  it('is the line that wrote the bytes, with others before it, too', async () => {
    const lines = new BrokenLines(program);
    const ttl = await lines.placeOf(found('ttl/expired', TTL));
    const sum = await lines.placeOf(found('checksum/folded-once', SUM));
    expect(ttl).toMatch(/\.(h|c):\d+$/);
    expect(sum).toMatch(/\.(h|c):\d+$/);
    expect(sum).not.toBe(ttl);
    expect(await lines.placeOf(found('ttl/expired', TTL, [data(60), data(20)]))).toBe(ttl);
  });

  it('is looked for once, and there is none where nobody wrote', async () => {
    const lines = new BrokenLines(program);
    const one = found('ttl/expired', NOTHING);
    expect(await lines.placeOf(one)).toBeUndefined();
    const changing = { ...found('ttl/expired', TTL) };
    const place = await lines.placeOf(changing);
    Object.assign(changing, { finding: one.finding });
    expect(await lines.placeOf(changing)).toBe(place);
  });
});

describe('a finding', () => {
  it('is known where its line broke the same before', async () => {
    const lines = new BrokenLines(program);
    const known: boolean[] = [];
    for (const one of [
      found('ttl/expired', TTL),
      found('ttl/expired', TTL),
      found('ttl/wrapped', TTL),
      found('ttl/expired', SUM),
      found('ttl/expired', SUM),
    ])
      known.push(await lines.isKnown(one));
    expect(known).toEqual([false, true, false, false, true]);
    expect(lines.isAnyCrowded).toBe(false);
  });

  it('is known, whatever it is, from the fifth on that a line breaks', async () => {
    const lines = new BrokenLines(program);
    const seen: [known: boolean, isCrowded: boolean][] = [];
    for (const name of ['a/a', 'a/b', 'a/c', 'a/d', 'a/e', 'a/f']) {
      const isKnown = await lines.isKnown(found(name, TTL));
      seen.push([isKnown, lines.isAnyCrowded]);
    }
    expect(seen).toEqual([
      [false, false],
      [false, false],
      [false, false],
      [false, true],
      [true, true],
      [true, true],
    ]);
    expect(await lines.isKnown(found('a/g', SUM))).toBe(false);
  });

  it('of a guess says nothing of its line to others', async () => {
    const lines = new BrokenLines(program);
    const byGuess = (name: string): Found => ({ ...found(name, TTL), isByGuess: true });
    const known: boolean[] = [];
    for (const name of ['a/a', 'a/a', 'a/b', 'a/c', 'a/d', 'a/e'])
      known.push(await lines.isKnown(byGuess(name)));
    expect(known).toEqual([false, true, false, false, false, true]);
    expect(lines.isAnyCrowded).toBe(false);
    expect(await lines.isKnown(found('a/a', TTL))).toBe(false);
  });

  it('without a line is never known', async () => {
    const lines = new BrokenLines(program);
    for (let times = 0; times < 2; times++) expect(await lines.isKnown(found('a/a', NOTHING))).toBe(false);
  });
});

describe('the cause of a finding', () => {
  const sum = (name: string, more: object): Found => {
    const one = found(name, SUM);
    return { ...one, finding: { ...one.finding, ...more } };
  };

  it('is asked for where packets are told apart, and is a known one of its line where nothing explains it', async () => {
    const lines = new BrokenLines(program);
    const tail = sum('checksum/tail-left-out', { shape: 'odd' });
    const unknown = sum('checksum/unknown', { shape: 'padded' });
    for (const one of [tail, unknown]) await lines.placeOf(one);
    expect(lines.causeOf(found('checksum/tail-left-out', SUM))).toBeUndefined();
    expect(lines.causeOf(tail)).toBe('checksum/tail-left-out');
    expect(lines.causeOf(unknown)).toBe('checksum/unknown');
    await lines.isKnown(tail);
    expect(lines.causeOf(unknown)).toBe('checksum/tail-left-out');
    expect(lines.causeOf(sum('checksum/padding-counted', { shape: 'padded' }))).toBe(
      'checksum/padding-counted',
    );
    const elsewhere = { ...found('checksum/unknown', TTL) };
    const other = { ...elsewhere, finding: { ...elsewhere.finding, shape: 'padded' } };
    await lines.placeOf(other);
    expect(lines.causeOf(other)).toBe('checksum/unknown');
  });
});

describe('a case that was made small', () => {
  const small = (
    name: string,
    source: { file: string; line: number } | undefined,
    state: Investigation['state'] = 'shrunk',
  ): Investigation => {
    const { finding, case: shown } = found(name, TTL);
    const place = source === undefined ? {} : { source: { ...source, text: '' } };
    return { finding: { ...finding, ...place }, case: shown, state };
  };

  it('has strayed where it shows what another line is known to break', async () => {
    const lines = new BrokenLines(program);
    const first = found('ttl/expired', SUM);
    await lines.isKnown(first);
    const [, file, line] = /^(.*):(\d+)$/.exec((await lines.placeOf(first))!)!;
    const known = { file: file!, line: Number(line) };
    const own = found('ttl/expired', TTL);
    await lines.isKnown(own);
    expect(lines.hasStrayed(own, small('ttl/expired', known))).toBe(true);
    expect(lines.hasStrayed(own, small('ttl/expired', known, 'cut short'))).toBe(true);
    // Not made small, without a line, at its own line, at a line that is not known, or of another kind.
    expect(lines.hasStrayed(own, small('ttl/expired', known, 'found'))).toBe(false);
    expect(lines.hasStrayed(own, small('ttl/expired', undefined))).toBe(false);
    expect(lines.hasStrayed(first, small('ttl/expired', known))).toBe(false);
    expect(lines.hasStrayed(own, small('ttl/expired', { ...known, line: 9999 }))).toBe(false);
    expect(lines.hasStrayed(own, small('ttl/wrapped', known))).toBe(false);
  });
});

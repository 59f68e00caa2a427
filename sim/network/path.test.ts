import { describe, expect, it } from 'vitest';
import * as build from '../packet/build.ts';
import { comparePaths, type Hop, unexpected } from './path.ts';

function hop(place: string, bytes: Uint8Array, more: Partial<Hop> = {}): Hop {
  const [namespace = '', device = '', direction = ''] = place.split(/[: ]/);
  return { namespace, device, direction: direction as Hop['direction'], bytes, mark: 0, ...more };
}

const one = Uint8Array.of(1);
const two = Uint8Array.of(2);
const path = [hop('a:x out', one), hop('b:y in', one), hop('b:y out', two), hop('a:x in', two)];

describe('two paths', () => {
  it('agree where every place has the same frames', () => {
    expect(comparePaths(path, path)).toBeUndefined();
  });

  it('agree though frames at different places took turns in another order', () => {
    const other = [path[0]!, path[2]!, path[1]!, path[3]!];
    expect(comparePaths(path, other)).toBeUndefined();
  });

  it('differ where frames at one place changed their order', () => {
    const ab = [hop('a:x in', one), hop('a:x in', two)];
    const ba = [hop('a:x in', two), hop('a:x in', one)];
    expect(comparePaths(ab, ba)).toMatchObject({ reason: 'bytes', index: 0 });
  });

  it('differ first where the simulated path does', () => {
    const real = [path[0]!, path[1]!, hop('b:y out', one)];
    expect(comparePaths(path, real)).toMatchObject({
      reason: 'bytes',
      place: { namespace: 'b', device: 'y' },
      direction: 'out',
      simulated: { bytes: two },
      real: { bytes: one },
    });
  });

  it('differ where a frame is missing, or is one too many', () => {
    expect(comparePaths(path, path.slice(0, 3))).toMatchObject({ reason: 'missing', direction: 'in' });
    expect(comparePaths(path.slice(0, 3), path)).toMatchObject({
      reason: 'additional',
      direction: 'in',
      index: 0,
    });
    expect(comparePaths([], path)).toMatchObject({ reason: 'additional', place: { namespace: 'a' } });
  });

  it('differ in the mark alone', () => {
    const marked = path.map((one) => ({ ...one, mark: 42 }));
    expect(comparePaths(path, marked)).toMatchObject({ reason: 'mark' });
  });
});

describe('an identification that a stack chose', () => {
  const reply = (identification: number, more: object = {}): Uint8Array =>
    build.frame(build.ethernet(), build.ipv4({ identification, ...more }), build.echoReply());
  const free = hop('a:x in', reply(0), { freeIdentifications: 1 });

  it.each([1, 0x1234, 0xffff])('may be any: %i', (identification) => {
    expect(comparePaths([free], [hop('a:x in', reply(identification))])).toBeUndefined();
  });

  it('counts where nobody chose it freely', () => {
    expect(comparePaths([hop('a:x in', reply(0))], [hop('a:x in', reply(1))])).toMatchObject({
      reason: 'bytes',
    });
  });

  it('does not hide a wrong header checksum', () => {
    const wrong = hop('a:x in', reply(7, { checksum: 0x1234 }));
    expect(comparePaths([free], [wrong])).toMatchObject({ reason: 'bytes' });
  });

  it('may be any in the packet that an error quotes, too', () => {
    const quoting = (outer: number, inner: number): Uint8Array =>
      build.frame(
        build.ethernet(),
        build.ipv4({ identification: outer }),
        build.icmp({ type: 3 }),
        reply(inner).subarray(14),
      );
    const error = hop('a:x in', quoting(0, 0), { freeIdentifications: 2 });
    expect(comparePaths([error], [hop('a:x in', quoting(5, 6))])).toBeUndefined();
    const onlyOuter = { ...error, freeIdentifications: 1 };
    expect(comparePaths([onlyOuter], [hop('a:x in', quoting(5, 6))])).toMatchObject({ reason: 'bytes' });
  });

  it('is not looked for in what is no IPv4, or too short for it', () => {
    const arp = hop('a:x in', build.frame(build.ethernet(), build.arp()), { freeIdentifications: 1 });
    expect(comparePaths([arp], [arp])).toBeUndefined();
    const short = hop('a:x in', reply(1).subarray(0, 20), { freeIdentifications: 1 });
    expect(comparePaths([short], [short])).toBeUndefined();
  });
});

describe('an expected path', () => {
  it('is what is written', () => {
    expect(unexpected(['a:x out', 'b:y in', 'b:y out', 'a:x in'], path)).toBeUndefined();
  });

  it.each<[string[], string]>([
    [['a:x out', 'b:y up', 'b:y out', 'a:x in'], 'hop 2 is expected to be b:y up, but it is b:y in'],
    [['a:x out'], 'the path is expected to end after 1 hops, but it is b:y in'],
    [
      ['a:x out', 'b:y in', 'b:y out', 'a:x in', 'a:x up'],
      'hop 5 is expected to be a:x up, but the path ends',
    ],
  ])('is not %j', (expected, message) => {
    expect(unexpected(expected, path)).toBe(message);
  });
});

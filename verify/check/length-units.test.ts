/** Programs that count the length of a header in a wrong unit. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { hasLengths, LengthUnits } from './length-units.ts';
import type { Seen, Sighting } from './probe.ts';

const IP = 14;
const TRANSPORT = 34;

/** A frame of IPv4 without options. */
function frame(protocol: number, length = 60): Uint8Array {
  const packet = new Uint8Array(length);
  packet.set([8, 0], 12);
  packet[IP] = 0x45;
  packet[IP + 3] = length - IP;
  packet[IP + 9] = protocol;
  packet[TRANSPORT + 12] = 0x50;
  return packet;
}

/** r6 = the context, r7 = the frame, of which 60 bytes are known to be there, r9 = its end, r8 = the length in the header, as it stands there. */
function found(body: string, at: number, shift: number, packet: Uint8Array): Promise<Seen[]> {
  const main = `r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r9 = *(u32 *)(r1 + 4)
    r0 = r7
    r0 += 60
    if r0 > r9 goto out
    r8 = *(u8 *)(r7 + ${at})
    r8 >>= ${shift}
    r8 &= 15
    ${body}
    out:
    r0 = 2
    exit`;
  const program = {
    name: 'p',
    entries: [{ function: 'main', hook: 'xdp' as const }],
    object: writeElf({ main }, []),
  };
  return new LengthUnits(program, false).find([{ world: {}, stimulus: { packet } }]);
}

const udp = (body: string): Promise<Seen[]> => found(body, IP, 0, frame(17));
const tcp = (body: string): Promise<Seen[]> => found(body, TRANSPORT + 12, 4, frame(6));
const behind = (start: number, access = 'r0 = *(u16 *)(r7 + 2)'): string =>
  `r7 += r8\nr7 += ${start}\nr0 = r7\nr0 += 20\nif r0 > r9 goto out\n${access}`;

describe('the length of an IPv4 header', () => {
  it.each([
    ['', 1, 'is taken for a number of bytes'],
    ['r8 <<= 1', 2, 'is multiplied by 2'],
    ['r8 <<= 3', 8, 'is multiplied by 8'],
    ['r8 *= 20', 20, 'is multiplied by 20'],
  ])('is counted in words of four bytes: %j', async (unit, factor, says) => {
    const [seen, ...others] = await udp(`${unit}\n${behind(IP)}`);
    expect(others).toEqual([]);
    const at = IP + 5 * factor + 2;
    expect(seen?.severity).toBe('error');
    expect(seen?.breach).toMatchObject({
      invariant: 'lengths/misplaced',
      at,
      sentence: `IHL (5) ${says}, and counts words of 4: behind the IPv4 header, which ends before byte 34, the program reads at byte ${at}`,
    });
  });

  it('is looked at where there are no options', () => {
    const packet = frame(17);
    expect(hasLengths(packet)).toBe(true);
    packet[IP] = 0x46;
    expect(hasLengths(packet)).toBe(false);
    expect(hasLengths(new Uint8Array(60))).toBe(false);
  });

  it('is right so', async () => {
    expect(await udp(`r8 <<= 2\n${behind(IP)}`)).toEqual([]);
    expect(await udp(`r8 *= 4\n${behind(IP, '*(u8 *)(r7 + 7) = 0')}`)).toEqual([]);
  });

  it('does not move what lies in the header, nor what comes elsewhere', async () => {
    expect(await udp('r0 = *(u32 *)(r7 + 26)')).toEqual([]);
    // Who reads an option by its number of words.
    expect(await udp(`if r8 == 5 goto out\n${behind(IP)}`)).toEqual([]);
    // Too far behind what is taken for the end.
    expect(await udp(behind(IP + 60))).toEqual([]);
  });

  it('is written behind, and a place for a helper', async () => {
    const [written] = await udp(behind(IP, '*(u16 *)(r7 + 6) = 0'));
    expect(written?.breach.sentence).toMatch(/the program writes at byte 25$/);
    const load = 'r1 = r6\nr2 = r8\nr2 += 14\nr3 = r10\nr3 += -8\nr4 = 4\ncall bpf_xdp_load_bytes';
    expect((await udp(load)).map(({ breach }) => breach.at)).toEqual([19]);
    expect(await udp(`r8 <<= 2\n${load}`)).toEqual([]);
  });
});

it('is looked at where few packets come, with those that were looked for', async () => {
  const main = `r7 = *(u32 *)(r1 + 0)
    r9 = *(u32 *)(r1 + 4)
    r0 = r7
    r0 += 60
    if r0 > r9 goto out
    r8 = *(u8 *)(r7 + 30)
    if r8 != 9 goto out
    r8 = *(u8 *)(r7 + 14)
    r8 &= 15
    ${behind(IP)}
    out:
    r0 = 2
    exit`;
  const program = {
    name: 'p',
    entries: [{ function: 'main', hook: 'xdp' as const }],
    object: writeElf({ main }, []),
  };
  const to = (host: number, first = 0x45): Sighting => {
    const packet = frame(17);
    packet[IP] = first;
    packet[30] = host;
    return { world: {}, stimulus: { packet } };
  };
  const units = new LengthUnits(program, false);
  expect(await units.find([to(1)])).toEqual([]);
  // Whatever its own options.
  for (const known of [to(9), to(9, 0x46)]) {
    const [seen, ...others] = await units.find([to(1)], [to(2), known]);
    expect(others).toEqual([]);
    expect(seen?.breach.at).toBe(IP + 5 + 2);
  }
});

describe('the length of a TCP header', () => {
  it('is counted in words of four bytes', async () => {
    const [seen, ...others] = await tcp(behind(TRANSPORT));
    expect(others).toEqual([]);
    expect(seen?.breach.sentence).toMatch(/^the data offset \(5\) is taken for a number of bytes/);
    expect(await tcp(`r8 <<= 2\n${behind(TRANSPORT)}`)).toEqual([]);
    // Of other packets there is none.
    expect(await found(behind(TRANSPORT), TRANSPORT + 12, 4, frame(17))).toEqual([]);
  });
});

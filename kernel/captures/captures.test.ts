import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../corpus/formats/capture-file.ts';
import { verifyChecksums } from '../../verify/oracle/checksums.ts';
import { ChecksumTally } from '../../verify/oracle/tally.ts';
import { RECIPES } from './recipes.ts';

const FOLDER = fileURLToPath(new URL('../../corpus/captures/', import.meta.url));

/** What can be told of a capture by counting. */
type Traits = { frames: number; tags: number; options: number; fragments: number; tally: ChecksumTally };

async function look(name: string): Promise<Traits> {
  const traits: Traits = { frames: 0, tags: 0, options: 0, fragments: 0, tally: new ChecksumTally() };
  for await (const batch of readCapture(`${FOLDER}${name}.pcapng`)) {
    for (let index = 0; index < batch.count; index++) {
      const offset = batch.offset[index]!;
      const length = batch.length[index]!;
      const frame = new DataView(batch.bytes.buffer, batch.bytes.byteOffset + offset, length);
      traits.frames += 1;
      verifyChecksums(batch.bytes, offset, length, traits.tally);
      const etherType = frame.getUint16(12);
      if (etherType === 0x8100 || etherType === 0x88a8) traits.tags += 1;
      if (etherType !== 0x0800) continue;
      if (frame.getUint8(14) > 0x45) traits.options += 1;
      if ((frame.getUint16(20) & 0x3fff) !== 0) traits.fragments += 1;
    }
  }
  return traits;
}

describe('the captures of real traffic', () => {
  it('are those that the recipes make, each with a line on the page beside them', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.pcapng'));
    expect(files.sort()).toEqual(RECIPES.map(({ name }) => `${name}.pcapng`).sort());
    const page = readFileSync(`${FOLDER}README.md`, 'utf8');
    for (const { name, how } of RECIPES) expect(page).toContain(`| \`${name}.pcapng\` | ${how} |`);
  });

  it.each(RECIPES.map(({ name }) => name))(
    '%s has a few dozen frames, and no checksum in it is wrong or unfinished',
    async (name) => {
      const { frames, tally } = await look(name);
      expect(frames).toBeGreaterThan(5);
      expect(frames).toBeLessThan(64);
      for (const [layer, counts] of Object.entries(tally.toJSON())) {
        expect({ layer, bad: counts.bad, illegal: counts.illegal }).toEqual({ layer, bad: 0, illegal: 0 });
      }
    },
  );

  it('hold what their names say', async () => {
    const named = Object.fromEntries(
      await Promise.all(RECIPES.map(async ({ name }) => [name, await look(name)] as const)),
    );
    const of = (name: string): Traits => named[name]!;
    expect(of('ping').tally.count('icmp', 'good')).toBe(of('ping').frames);
    expect(of('ping6').tally.count('icmpv6', 'good')).toBe(of('ping6').frames);
    expect(of('ping-vlan').tags).toBe(of('ping-vlan').frames);
    expect(of('ping-vlan-in-vlan').tags).toBe(of('ping-vlan-in-vlan').frames);
    expect(of('ping-options').options).toBe(of('ping-options').frames);
    expect(of('fragments').fragments).toBe(20);
    expect(of('tcp').tally.count('tcp', 'good')).toBe(of('tcp').frames);
    expect(of('udp').tally.count('udp', 'good')).toBe(of('udp').frames);
    expect(of('neighbour-discovery').tally.count('icmpv6', 'good')).toBe(of('neighbour-discovery').frames);
    // An error carries the packet that it is about: a layer more than there are frames.
    const errors = of('icmp-errors');
    expect(errors.tally.count('ipv4', 'good') + errors.tally.count('icmpv6', 'good')).toBeGreaterThan(
      errors.frames,
    );
  });
});

/**
 * The oracle's walk and the decoder's table of what follows what share no code; here they are compared: the same headers
 * at the same places, and the same verdict on each checksum. Neither follows a tunnel that the other does not.
 */
import { describe, expect, it } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { type LayerStack, packet } from '../../sim/packet/build.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { announcements, followersOf, protocols } from '../../sim/packet/protocols.ts';
import { decodeTree, treeToText } from '../../sim/packet/tree.ts';
import { CHECKSUM_STATUSES, verifyChecksums } from './checksums.ts';
import { HEADER_NAMES } from './found.ts';

const SEED = seedFromText(process.env.XDPSIM_WALK_SEED ?? 'walk');
/** XDPSIM_WALK_SCALE=50 compares fifty times as many. */
const SCALE = Number(process.env.XDPSIM_WALK_SCALE ?? 1);

/** Headers that both name, as `name at offset: verdict`. */
function byOracle(bytes: Uint8Array): string[] {
  const found: string[] = [];
  verifyChecksums(bytes, 0, bytes.length, {
    header: ({ headerKind, headerStart, headerEnd }) => {
      // Of a header that is announced, but of which no byte is there, a tree has no layer.
      if (headerEnd > headerStart) found.push(`${HEADER_NAMES[headerKind]} at ${headerStart}`);
    },
    checksum: ({ layer, start, status }) => {
      const name = `${HEADER_NAMES[layer]} at ${start}`;
      // The header of a later fragment lies in another packet.
      if (found.at(-1) !== name) return;
      found[found.length - 1] += `: ${CHECKSUM_STATUSES[status]}`;
    },
  });
  return found;
}

function byDecoder(bytes: Uint8Array): string[] {
  return decodeTree(bytes).flatMap(({ name, offset, children, note }) => {
    const [kind] = name.split('#') as [string];
    if (!(HEADER_NAMES as readonly string[]).includes(kind)) return [];
    const checksum = children.find((child) => child.name === 'checksum');
    if (kind === 'gre' && checksum === undefined && note === undefined) return [];
    return [`${kind} at ${offset}${verdict(checksum?.note)}${note === undefined ? '' : ', broken'}`];
  });
}

function verdict(note: string | undefined): string {
  if (note === undefined) return '';
  if (note === 'correct') return ': good';
  if (note.startsWith('none')) return ': absent';
  return note.startsWith('should be') ? ': bad' : ': unverifiable';
}

function compare(bytes: Uint8Array): void {
  const theirs = byDecoder(bytes);
  const ours = byOracle(bytes);
  const what = (): string => `${toHex(bytes)}\n${treeToText(decodeTree(bytes))}\n${ours.join('\n')}`;
  // A header that is none, or not all there: it ends both walks, and the oracle need not name it.
  if (theirs.length === ours.length + 1 && theirs.at(-1)!.endsWith(', broken')) theirs.pop();
  if (ours.length !== theirs.length) expect.fail(`${ours.join(', ')} ≠ ${theirs.join(', ')}\n${what()}`);
  for (const [index, one] of ours.entries())
    if (!agrees(one, theirs[index]!)) expect.fail(`${one} ≠ ${theirs[index]}\n${what()}`);
}

/** Where the decoder has no opinion (a header that it cannot read whole), the place alone counts. */
function agrees(ours: string, theirs: string): boolean {
  if (!theirs.includes(':')) return ours.split(':')[0] === theirs.split(', ')[0];
  // UDP over IPv6 without a checksum is illegal to the one, and none to the other.
  return ours.replace(': illegal', theirs.endsWith('bad') ? ': bad' : ': absent') === theirs;
}

/** What a header has to say so that it carries something. */
const GIVEN: Readonly<Record<string, unknown>> = {
  pim: { type: 1 },
};

/** Layers one inside the other, each of which the table lets follow the one before. */
function randomStack(random: Random): LayerStack {
  let stack = packet.ethernet();
  let name = 'ethernet';
  for (let depth = 0; depth < 12; depth++) {
    const next = followersOf(name);
    if (next.length === 0 || random.chance(20)) break;
    name = next[random.below(next.length)]!;
    const add = (stack as unknown as Record<string, (given?: unknown) => LayerStack>)[name]!;
    stack = add.call(stack, GIVEN[name]);
    if (name === 'pim') stack = stack.payload(new Uint8Array(4));
  }
  return stack.payload(Uint8Array.from({ length: random.below(9) }, () => random.byte()));
}

/** An ICMP error with something like extensions, behind as much as it says or some other number of bytes. */
function extendedError(random: Random): Uint8Array {
  const [isOf4, isShort, isNested] = [random.chance(128), random.chance(64), random.chance(32)];
  const words = random.below(isShort ? 20 : 60);
  const size = random.chance(200) ? words * (isOf4 ? 4 : 8) : random.below(300);
  const quoted = isOf4 ? packet.ipv4() : packet.ipv6();
  const inside = isNested ? (isOf4 ? quoted.icmp({ type: 11 }) : quoted.icmpv6({ type: 3 })) : quoted.udp();
  const bytes = new Uint8Array((words === 0 ? 128 : size) + random.below(24));
  const whole = inside.payload(new Uint8Array(random.below(200))).bytes();
  bytes.set(whole.subarray(0, Math.min(whole.length, bytes.length)));
  const extension = packet
    .icmpext({
      ...(random.chance(32) ? { checksum: 0 } : {}),
      objects: [{ class: 1, subtype: 1, data: Uint8Array.of(0, 6, 65, 1) }],
    })
    .bytes();
  bytes.set(extension.subarray(0, Math.max(0, bytes.length - size)), Math.min(size, bytes.length));
  const body = { kind: 'unreachable', quotedLength: words } as const;
  const around = packet.ethernet();
  const message = isOf4
    ? around.ipv4().icmp({ type: random.chance(128) ? 3 : 11, body })
    : around.ipv6().icmpv6({ type: random.chance(128) ? 1 : 3, body });
  return message.payload(bytes).bytes();
}

describe('the oracle’s walk and the decoder', () => {
  const random = new Random();

  it('follow whatever the table lets follow', () => {
    const met = new Set<string>();
    for (let index = 0; index < 4000 * SCALE; index++) {
      random.start(SEED, index);
      const bytes = randomStack(random).bytes();
      compare(bytes);
      for (const { name } of decodeTree(bytes)) met.add(name.split('#')[0]!);
    }
    expect(protocols.map(({ name }) => name).filter((name) => !met.has(name))).toEqual([]);
  });

  it('agree on stacks of which bytes were changed', () => {
    for (let index = 0; index < 8000 * SCALE; index++) {
      random.start(SEED, index);
      const bytes = randomStack(random).bytes();
      for (let changes = 1 + random.below(3); changes > 0; changes--)
        bytes[random.below(bytes.length)] = random.chance(128) ? random.byte() : random.below(9);
      compare(random.chance(64) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes);
    }
  });

  it('agree on ICMP errors with extensions, and with what only looks like them', () => {
    const met = new Set<string>();
    for (let index = 0; index < 6000 * SCALE; index++) {
      random.start(SEED, index);
      const bytes = extendedError(random);
      for (let changes = random.below(3); changes > 0; changes--)
        bytes[34 + random.below(bytes.length - 34)] = random.byte();
      const held = random.chance(64) ? bytes.subarray(0, bytes.length - random.below(12)) : bytes;
      compare(held);
      for (const one of byOracle(held)) if (one.startsWith('icmpext')) met.add(one.split(': ')[1]!);
    }
    expect([...met].sort()).toEqual(['absent', 'bad', 'good', 'unverifiable']);
  });

  it('agree on generated packets, faulty ones among them', () => {
    const batch = new PacketBatch(20_000);
    const generator = new PacketGenerator();
    for (let round = 0; round < SCALE; round++) {
      batch.clear();
      generator.fill(batch, SEED, round * 20_000, 20_000, NO_LIMITS);
      for (let index = 0; index < batch.count; index++) compare(batch.stimulus(index).packet);
    }
  });

  it('know the same numbers of each space', () => {
    // A frame of each number, with a packet behind it that only a right step reaches.
    for (const [number] of announcements('etherType')) expect(number).toBeGreaterThanOrEqual(0x600);
    expect(announcements('udpPort').size).toBe(15);
  });
});

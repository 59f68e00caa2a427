/** Puts hinted bytes into finished packets: where they are looked for, or somewhere behind the headers. */
import type { GeneratorHints } from '../../sim/runtime/program.ts';
import { repair } from '../simplify/packet-layout.ts';
import type { PacketBuilder } from './packet-builder.ts';

type Contents = NonNullable<GeneratorHints['contents']>;

/** One packet in so many of 256 gets some, at times several. */
const SHARE = 72;
/** Behind Ethernet, IPv4 and UDP or TCP: where most programs begin to look at data. */
const STARTS: Uint16Array = Uint16Array.from([14, 34, 42, 46, 54, 62, 66, 74]);

export function placeContents(builder: PacketBuilder, contents: Contents): void {
  const { bytes, start, random } = builder;
  if (!random.chance(SHARE)) return;
  const bits = random.bits();
  let isChanged = false;
  for (let left = 1 + (bits & 3); left > 0; left--) {
    const one = contents[random.below(contents.length)]!;
    const at = start + (one.offset ?? somewhere(builder));
    const room = builder.maxLength - (at - start);
    if (room < one.bytes.length) continue;
    const missing = at + one.bytes.length - builder.at;
    // What is looked for behind the end comes at times: the frame grows to hold it.
    if (missing > 0 && (bits & 0x10) !== 0) continue;
    if (missing > 0) builder.noise(missing);
    bytes.set(one.bytes, at);
    isChanged = true;
  }
  if (isChanged && (bits & 0xe0) !== 0) repair(bytes.subarray(start, builder.at), 'checksum');
}

function somewhere(builder: PacketBuilder): number {
  const { random } = builder;
  const from = random.pick(STARTS);
  return random.bits() < 0 ? from : from + random.below(Math.max(1, builder.length - from));
}

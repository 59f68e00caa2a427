/** Packets as text: every format of `corpus convert`, and digits on the command line. */
import { parseHex } from '../../../cli/input/options.ts';
import { readList } from '../../../cli/input/packets.ts';
import { PACKET_LISTS, type PacketListName } from '../../../corpus/formats/packet-list/index.ts';
import type { ListedPacket } from '../../../corpus/formats/packet-list/listed-packet.ts';
import { programs } from '../../../sim/programs/index.ts';
import { damageText } from '../damage/bytes.ts';
import { oneOf } from '../damage/damage.ts';
import { damageJson } from '../damage/json.ts';
import { damageWords } from '../damage/words.ts';
import { asFile, bytesOf, type InputKind, textOf } from './input-kind.ts';

const PACKETS: readonly ListedPacket[] = programs.flatMap(({ examples }) =>
  examples.slice(0, 1).map(({ name, stimulus: { packet } }) => ({
    packet,
    description: name,
    expected: { action: 'XDP_TX', packet },
  })),
);
const LISTS = [PACKETS.slice(0, 1), PACKETS.slice(0, 4), PACKETS.map(({ packet }) => ({ packet }))];

/** What is taken must be the same packets when it is written and read once more. */
function readAndRewrite(bytes: Uint8Array, name: PacketListName, scratch: string): void {
  const { read, write, endings } = PACKET_LISTS[name];
  const packets = readList(asFile(bytes, scratch, endings[0]!), name);
  const again = read(write(packets, { program: 'my.o' }));
  const isSame =
    again.length === packets.length &&
    packets.every(({ packet }, index) => Buffer.compare(packet, again[index]!.packet) === 0);
  if (!isSame) throw new Error(`${packets.length} packets were written, and others were read`);
}

function kindOf(name: PacketListName): InputKind {
  const seeds = LISTS.map((packets) => bytesOf(PACKET_LISTS[name].write(packets, { program: 'my.o' })));
  return {
    name: `packets as ${name}`,
    share: 25,
    seeds,
    damage: name === 'json' ? oneOf(damageText, damageJson) : oneOf(damageText, damageWords),
    read: (bytes, scratch) => readAndRewrite(bytes, name, scratch),
  };
}

export const PACKET_TEXT_KINDS: readonly InputKind[] = [
  ...(Object.keys(PACKET_LISTS) as PacketListName[]).map(kindOf),
  {
    name: 'hex',
    share: 60,
    seeds: [bytesOf('02 00 00 00 00 01 06 11 22 33 44 55 08 00 45:00:00:1c')],
    damage: damageText,
    read: (bytes) => parseHex(textOf(bytes), 'packet'),
  },
];

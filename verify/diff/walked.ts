/** Which of the packets that were made for branches are made again with long options, tags and extension headers. */

import { longWalks } from '../../corpus/generate/long-walks.ts';
import { layout } from '../../corpus/simplify/packet-layout.ts';
import { ethernet } from '../../sim/packet/build.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';

/** Of each kind of packet, one is enough: so many kinds. */
const MAX_KINDS = 6;
const TCP_FLAGS_AT = 13;
const RST_SYN_FIN = 7;

interface Made {
  readonly world: World;
  readonly stimuli: readonly Stimulus[];
}

/** Cases, each of one packet's walks, in the worlds of packets that were made for a branch: the first of each kind. */
export function* walkedCases(
  cases: readonly Made[],
): Generator<{ world: World; input: PacketBatch }, void, void> {
  const kinds = new Set<string>();
  for (const { world, stimuli } of cases) {
    const [only, ...others] = stimuli;
    if (only === undefined || others.length > 0 || kinds.size >= MAX_KINDS) continue;
    const kind = kindOf(only.packet);
    if (kind === undefined || kinds.has(kind)) continue;
    const walks = longWalks(only);
    if (walks.length === 0) continue;
    kinds.add(kind);
    const input = new PacketBatch(walks.length);
    for (const walk of walks) input.push(walk);
    yield { world, input };
  }
}

const SYN = 2;
const PSH_ACK = 0x18;
const DATA = new Uint8Array(16);
const IP = [ethernet().ipv4(), ethernet().ipv6()];

/** What any program may walk through, whatever was made for its branches. */
export const ORDINARY: readonly Stimulus[] = IP.flatMap((ip) => [
  ...[SYN, PSH_ACK].map((flags) => ({ packet: ip.tcp({ flags }).payload(DATA).bytes() })),
  { packet: ip.udp().payload(DATA).bytes() },
]);

/** What programs tell packets apart by before they walk through one; undefined: there is nothing to walk through. */
function kindOf(packet: Uint8Array): string | undefined {
  const { version, protocol, upperAt } = layout(packet);
  if (version === 0 || upperAt < 0) return undefined;
  const flags = packet[upperAt + TCP_FLAGS_AT] ?? 0;
  return `${version} ${protocol}${protocol === 6 ? ` ${flags & RST_SYN_FIN}` : ''}`;
}

/**
 * Does a program change or send on nothing but packets whose IP version is not the one that their EtherType says? Then it looks for
 * the wrong number, and does nothing with those that it was written for. No single packet shows it.
 */

import { repair } from '../../corpus/simplify/packet-layout.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { type Hook, TC_ACT_REDIRECT, XDP_REDIRECT, XDP_TX } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { lastTypeAt, read16 } from '../oracle/announcement.ts';
import { cameAs, leftAs } from '../rows.ts';
import { CaseRunner, decidingLine, type Seen, type Sighting } from './probe.ts';

/** An IP header where the EtherType says that one is. */
interface Version {
  readonly at: number;
  readonly stated: 4 | 6;
  readonly own: number;
}

/** What an entry changed or sent on. */
interface Entry {
  /** Was there one that is what its EtherType says, or that says nothing of IP? */
  hasSound: boolean;
  first: Sighting | undefined;
}

export class MalformedOnly {
  readonly #program: Program;
  readonly #entries: readonly Entry[];

  constructor(program: Program) {
    this.#program = program;
    this.#entries = program.entries.map(() => ({ hasSound: false, first: undefined }));
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    for (let packet = 0; packet < output.count; packet++) {
      const seen = this.#entries[input.entry[packet]!]!;
      if (seen.hasSound || output.status[packet] !== STATUS.ran) continue;
      const { hook } = this.#program.entries[input.entry[packet]!]!;
      const action = output.action[packet]!;
      const frame = cameAs(input, packet);
      if (!isHandled(hook, action, frame, leftAs(output, packet))) continue;
      const version = versionOf(frame);
      if (version === undefined || version.own === version.stated) seen.hasSound = true;
      else seen.first ??= { world, stimulus: input.stimulus(packet) };
    }
  }

  /** One for each entry of which it holds. */
  async find(machine: Engine): Promise<Seen[]> {
    const runner = new CaseRunner(this.#program, machine);
    const found: Seen[] = [];
    try {
      for (const [entry, { hasSound, first }] of this.#entries.entries()) {
        if (hasSound || first === undefined) continue;
        if (await this.#handlesSound(runner, entry, first)) continue;
        const seen = await this.#show(runner, machine, first);
        if (seen !== undefined) found.push(seen);
      }
    } finally {
      await runner.close();
    }
    return found;
  }

  /**
   * Does the same packet meet the same with the right version? Then the few that got so far were malformed by chance: of what is
   * generated, only some have a route, or an entry in a map.
   */
  async #handlesSound(runner: CaseRunner, entry: number, { world, stimulus }: Sighting): Promise<boolean> {
    const version = versionOf(stimulus.packet);
    if (version === undefined) return false;
    const { hook } = this.#program.entries[entry]!;
    const packet = stimulus.packet.slice();
    packet[version.at] = (version.stated << 4) | (packet[version.at]! & 0x0f);
    const whole = packet.slice();
    repair(whole, 'checksum');
    for (const sound of [packet, whole]) {
      const got = await runner.outcome(world, { ...stimulus, packet: sound });
      if (got?.status === 'ran' && isHandled(hook, got.action, sound, got.packet)) return true;
    }
    return false;
  }

  async #show(runner: CaseRunner, machine: Engine, { world, stimulus }: Sighting): Promise<Seen | undefined> {
    const got = await runner.outcome(world, stimulus);
    const version = versionOf(stimulus.packet);
    if (got?.status !== 'ran' || version === undefined) return undefined;
    const source = await decidingLine(this.#program, { world, stimuli: [stimulus] });
    return {
      world,
      stimuli: [stimulus],
      engine: machine,
      got,
      ...(source === undefined ? {} : { source }),
      breach: {
        invariant: 'action/malformed-only',
        at: version.at,
        size: 0,
        expected: `version ${version.stated}`,
        got: `version ${version.own}`,
        sentence: `no packet that the program changed or sent on has the IP version that its EtherType says; this one says IPv${version.stated}, and has version ${version.own}`,
      },
    };
  }
}

/** Is the frame changed, or sent on? */
function isHandled(hook: Hook, action: number, came: Uint8Array, left: Uint8Array): boolean {
  const isSent = hook === 'xdp' ? action === XDP_TX || action === XDP_REDIRECT : action === TC_ACT_REDIRECT;
  return isSent || !equalWhole(came, left);
}

function versionOf(frame: Uint8Array): Version | undefined {
  const at = lastTypeAt(frame, 0, frame.length - 2);
  if (at + 3 > frame.length) return undefined;
  const type = read16(frame, at);
  const stated = type === ETHERTYPE.IPV4 ? 4 : type === ETHERTYPE.IPV6 ? 6 : undefined;
  return stated === undefined ? undefined : { at: at + 2, stated, own: frame[at + 2]! >> 4 };
}

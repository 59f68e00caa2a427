/** Programs that ask the kernel for a route, or leave that to it, redirect to the next hop, and leave the TTL as it came. */
import { packetByte } from '../../sim/ebpf/symbolic/access.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import { soundPackets } from '../check/sound-cases.ts';
import { familyOf, isForwarded, ttlOf } from '../check/ttl-steps.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import type { Confirmer } from './confirm.ts';
import type { PropertyRows } from './property-rows.ts';
import type { Witness } from './witness.ts';

const INVARIANT = 'ttl/not-lowered';

/** What is known of one family: a router that is right for IPv4 may forget IPv6. */
interface Family {
  left?: { readonly witness: Witness; readonly isAsked: boolean };
  lowered: number;
}

export class RoutedTtl {
  readonly #inputs: Inputs;
  readonly #feasibility: Feasibility;
  readonly #confirmer: Confirmer;
  readonly #pair = new FramePair();
  readonly #families = new Map<number, Family>();
  #open: string | undefined;
  #paths = 0;

  constructor(inputs: Inputs, feasibility: Feasibility, confirmer: Confirmer) {
    this.#inputs = inputs;
    this.#feasibility = feasibility;
    this.#confirmer = confirmer;
  }

  /** @param witness that takes the path */
  async judge(state: PathState, witness: Witness | undefined): Promise<void> {
    const { hook, data } = this.#inputs;
    if (!isForwarded(hook)) return;
    // What the kernel is to find the next hop for is on its way to one.
    const isForKernel = state.via?.what === 'neighbour';
    const asks = state.answers.some(({ helper }) => helper === 'bpf_fib_lookup');
    if (state.end?.kind !== 'exit' || !(asks || isForKernel)) return;
    const action = state.knowledge.only(state.end.action);
    if (action === undefined || deliveryOf(hook, Number(BigInt.asIntN(32, action))) !== DELIVERY.redirected)
      return;
    if (witness === undefined) {
      this.#open ??= 'a path that redirects has no packet';
      return;
    }
    const found = this.#routed(witness, isForKernel);
    if (found === undefined) return;
    this.#paths++;
    const kind = this.#pair.is.kind[0]!;
    const family = this.#families.get(kind) ?? { lowered: 0 };
    this.#families.set(kind, family);
    const then = this.#inputs.frameByte(found.at);
    const now = packetByte(this.#inputs, state, data + found.at);
    if (now === then) family.left ??= { witness, isAsked: asks };
    else {
      const { answer } = await this.#feasibility.ask(
        state.knowledge,
        state.pool.equal(now, then),
        state.values,
      );
      if (answer === 'no') family.lowered++;
      else this.#open ??= 'a TTL may leave as it came';
    }
  }

  /** Where the TTL of the packet is, if it goes to a next hop: a path's own packet may be none that any router takes. */
  #routed(witness: Witness, isForKernel: boolean): ReturnType<typeof ttlOf> {
    const { action } = this.#confirmer.frameOf(witness) ?? {};
    for (const stimulus of [witness.stimulus, ...soundPackets(witness.stimulus)]) {
      const left = this.#confirmer.frameOf({ ...witness, stimulus });
      if (left === undefined || left.action !== action) continue;
      const { packet } = stimulus;
      if (!this.#pair.setAny(packet, 0, packet.length, left.frame, 0, left.frame.length)) continue;
      const found = ttlOf(this.#pair, isForKernel);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Some paths hand a packet to its final host: only where none lowers the TTL is it forgotten. */
  enter(rows: PropertyRows): void {
    if (this.#paths === 0 && this.#open === undefined) return;
    const row = rows.row(INVARIANT);
    row.paths = this.#paths;
    const families = [...this.#families];
    const forgotten = families.find(([, { left, lowered }]) => left !== undefined && lowered === 0);
    if (forgotten !== undefined) {
      const [kind, { left }] = forgotten;
      const isRight = families.some(([, { lowered }]) => lowered > 0);
      const packets = isRight ? `${familyOf(kind)} packets` : 'packets';
      const sentence = `all ${packets} that are redirected to a next hop leave with the TTL as it came`;
      // A program that balances, and knows that nothing comes back, may leave the rest to the kernel.
      rows.refute(INVARIANT, left!.witness, sentence, left!.isAsked ? undefined : 'warning');
    } else if (families.some(([, { left }]) => left !== undefined))
      row.undecided ??= 'some paths lower the TTL, and others do not';
    else row.undecided ??= this.#open;
  }
}

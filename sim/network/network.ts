/**
 * The simulated network: veth pairs between namespaces, XDP and TC on their devices, and a stack in each.
 *
 * Events are worked off in the order in which they come about, as softirqs do it on one CPU. There is no time and
 * no chance: the same scenario gives the same path, byte for byte.
 */
import type { Engine } from '../engines/engine.ts';
import { NO_BYTES, readU16 } from '../packet/bytes.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { isTag } from '../packet/numbers.ts';
import { VLAN } from '../packet/vlan.ts';
import { actionName, type Hook } from '../runtime/actions.ts';
import { DELIVERY, deliveryOf } from '../runtime/delivery.ts';
import { AttachedPrograms, type Objects, type ProgramMaps, type Verdict } from './attached-programs.ts';
import type { Hop } from './path.ts';
import type { Attachment, Place, Scenario, ScenarioDevice, ScenarioNamespace, Sending } from './scenario.ts';
import { type Frame, Stack } from './stack/stack.ts';

/** Something that happens to a frame. */
export type NetworkEvent =
  | ({ readonly kind: 'hop' } & Hop)
  | ProgramEvent
  /** What a stack does with it, or why it goes no further, in words. */
  | { readonly kind: 'note'; readonly namespace: string; readonly device?: string; readonly text: string };

export interface ProgramEvent extends Place {
  readonly kind: 'program';
  readonly hook: Hook;
  readonly function: string;
  /** The action's name in the kernel. */
  readonly action: string;
  /** The device that a redirect leads to. */
  readonly target?: string;
  readonly trace: readonly string[];
  /** Why the machine stopped the program; then there is no action, and the frame is dropped. */
  readonly fault?: string;
}

/** How many events one step may take: beyond, frames run in circles. */
const MOST_EVENTS = 2000;

/** One end of a wire. */
interface Port {
  readonly namespace: ScenarioNamespace;
  readonly device: ScenarioDevice;
  readonly place: Place;
}

/** `xdp`: sent by native XDP, which the receiving driver takes by another way than what a stack sends. */
type Origin = 'stack' | 'generic-xdp' | 'xdp';

type Work =
  /** To TC egress, then onto the wire. */
  | { readonly kind: 'transmit'; readonly port: Port; readonly frame: Frame }
  /** Off the wire. */
  | { readonly kind: 'arrive'; readonly port: Port; readonly frame: Frame; readonly mark: number };

export class Network {
  readonly #ports: readonly Port[];
  /** By the port at the other end. */
  readonly #peers = new Map<Port, Port>();
  readonly #stacks = new Map<string, Stack>();
  readonly #programs = new Map<string, AttachedPrograms>();
  readonly #work: Work[] = [];
  #events: NetworkEvent[] = [];

  private constructor(scenario: Scenario) {
    this.#ports = scenario.namespaces.flatMap((namespace) =>
      namespace.devices.map((device) => ({
        namespace,
        device,
        place: { namespace: namespace.name, device: device.name },
      })),
    );
    for (const { a, b } of scenario.wires) {
      this.#peers.set(this.#port(a), this.#port(b));
      this.#peers.set(this.#port(b), this.#port(a));
    }
    for (const namespace of scenario.namespaces) {
      const { name } = namespace;
      const stack = new Stack(namespace, {
        transmit: (device, frame) => {
          this.#work.push({
            kind: 'transmit',
            port: this.#port({ namespace: name, device: device.name }),
            frame,
          });
        },
        tell: (device, text) => {
          this.#events.push({
            kind: 'note',
            namespace: name,
            ...(device === undefined ? {} : { device: device.name }),
            text,
          });
        },
      });
      this.#stacks.set(name, stack);
    }
  }

  /**
   * Sets the network up.
   * @throws {EngineError} where a program cannot be loaded
   */
  static async open(scenario: Scenario, engine: Engine, objects: Objects): Promise<Network> {
    const network = new Network(scenario);
    try {
      for (const namespace of scenario.namespaces) {
        const { neighbours } = network.#stacks.get(namespace.name)!;
        const programs = await AttachedPrograms.open(namespace, neighbours.list, engine, objects);
        network.#programs.set(namespace.name, programs);
      }
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  /** Sends something, and returns what comes of it until nothing moves any more. */
  async send(sending: Sending): Promise<NetworkEvent[]> {
    this.#events = [];
    if (sending.kind === 'packet') {
      this.#stacks.get(sending.namespace)!.send(sending.bytes);
    } else {
      const frame = { bytes: sending.bytes, mark: 0, freeIdentifications: 0 };
      this.#work.push({ kind: 'transmit', port: this.#port(sending.place), frame });
    }
    for (let work = this.#work.shift(); work !== undefined; work = this.#work.shift()) {
      if (this.#events.length > MOST_EVENTS) {
        this.#note(work.port, 'frames run in circles: given up');
        this.#work.length = 0;
        break;
      }
      if (work.kind === 'transmit') await this.#transmit(work.port, work.frame);
      else await this.#arrive(work.port, work.frame, work.mark);
    }
    return this.#events;
  }

  /** The maps of all programs, in the scenario's order. */
  maps(): ProgramMaps[] {
    return [...this.#programs.values()].flatMap((programs) => programs.maps());
  }

  async close(): Promise<void> {
    for (const programs of this.#programs.values()) await programs.close();
  }

  /** `__dev_queue_xmit`: TC egress, then the driver. */
  async #transmit(port: Port, frame: Frame): Promise<undefined> {
    const { tcEgress } = port.device;
    if (tcEgress === undefined) return this.#ontoWire(port, frame, 'stack', frame.mark);
    const verdict = await this.#run(port, tcEgress, 'tc-egress', frame.bytes, NO_BYTES);
    const passed = this.#tcVerdict(port, frame, verdict);
    if (passed !== undefined) this.#ontoWire(port, passed, 'stack', frame.mark);
  }

  /**
   * What becomes of a frame behind a TC program.
   * @returns the frame that goes on, or undefined where it does not
   */
  #tcVerdict(port: Port, frame: Frame, verdict: Verdict): Frame | undefined {
    if (verdict.fault !== undefined) return undefined;
    if (frame.mark !== 0)
      this.#note(port, 'TC does not see the mark that the frame has, which is not simulated');
    // Engines begin with a mark of 0: one that is 0 afterwards has been left alone.
    const mark = verdict.mark === 0 ? frame.mark : verdict.mark;
    const changed = { ...frame, bytes: verdict.bytes, mark };
    // Redirects and drops are the same at both of TC's hooks.
    switch (deliveryOf('tc-ingress', verdict.action)) {
      case DELIVERY.redirected: {
        const target = this.#portOf(port.namespace, verdict.redirect);
        if (target === undefined) this.#note(port, `there is no device ${verdict.redirect}: dropped`);
        else this.#work.push({ kind: 'transmit', port: target, frame: changed });
        return undefined;
      }
      case DELIVERY.passed:
        return changed;
      default:
        return undefined;
    }
  }

  /** `veth_xmit` and `veth_xdp_xmit` (drivers/net/veth.c). @param mark before TC egress, for the hop */
  #ontoWire(port: Port, frame: Frame, origin: Origin, mark: number): undefined {
    const peer = this.#peers.get(port)!;
    const longest = peer.device.mtu + ETHERNET.headerLength + VLAN.headerLength;
    if (frame.bytes.length < ETHERNET.headerLength || frame.bytes.length > longest) {
      return this.#note(port, `${frame.bytes.length} bytes do not go over this wire: dropped`);
    }
    if (origin === 'xdp' && peer.device.xdp?.mode !== 'native') {
      // The receiving end has a ring for such frames only while it runs NAPI.
      return this.#note(
        port,
        'the frame is lost: a native XDP program at the other end is needed to take it',
      );
    }
    // Marks do not cross into another namespace (`skb_scrub_packet`).
    this.#work.push({ kind: 'arrive', port: peer, frame: { ...frame, mark: 0 }, mark });
  }

  async #arrive(port: Port, frame: Frame, mark: number): Promise<undefined> {
    const sender = this.#peers.get(port)!;
    const { xdp } = port.device;
    // `skb_vlan_untag` frees it before TC or anybody else sees it; only XDP comes earlier.
    if (xdp === undefined && hasCutOffTag(frame.bytes)) {
      return this.#note(port, 'gets a cut-off VLAN tag, which the kernel frees before anybody sees it');
    }
    // A wire is both ends at once.
    this.#hop(sender, 'out', frame, mark);
    this.#hop(port, 'in', frame, 0);
    if (xdp === undefined) return this.#upwards(port, frame, NO_BYTES);
    const verdict = await this.#run(port, xdp, 'xdp', frame.bytes, NO_BYTES);
    if (verdict.fault !== undefined) return;
    const changed = { ...frame, bytes: verdict.bytes };
    const origin = xdp.mode === 'native' ? 'xdp' : 'generic-xdp';
    switch (deliveryOf('xdp', verdict.action)) {
      case DELIVERY.passed:
        if (hasCutOffTag(changed.bytes)) return this.#note(port, 'passes a cut-off VLAN tag: freed');
        this.#hop(port, 'up', changed, 0);
        return this.#upwards(port, changed, verdict.metadata);
      case DELIVERY.sentBack:
        return this.#ontoWire(port, changed, origin, 0);
      case DELIVERY.redirected: {
        const target = this.#portOf(port.namespace, verdict.redirect);
        if (target === undefined) return this.#note(port, `there is no device ${verdict.redirect}: dropped`);
        return this.#ontoWire(target, changed, origin, 0);
      }
    }
  }

  /** TC ingress, then the stack. */
  async #upwards(port: Port, frame: Frame, metadata: Uint8Array): Promise<undefined> {
    const { tcIngress } = port.device;
    const passed =
      tcIngress === undefined
        ? frame
        : this.#tcVerdict(port, frame, await this.#run(port, tcIngress, 'tc-ingress', frame.bytes, metadata));
    if (passed === undefined) return;
    this.#stacks.get(port.namespace.name)!.receive(port.device, passed);
  }

  async #run(
    port: Port,
    attachment: Attachment,
    hook: Hook,
    bytes: Uint8Array,
    metadata: Uint8Array,
  ): Promise<Verdict> {
    const { namespace, device } = port;
    const programs = this.#programs.get(namespace.name)!;
    const verdict = await programs.run(attachment, hook, device.ifindex, bytes, metadata);
    const isRedirect = deliveryOf(hook, verdict.action) === DELIVERY.redirected;
    this.#events.push({
      kind: 'program',
      ...port.place,
      hook,
      function: attachment.function,
      action: verdict.fault === undefined ? actionName(hook, verdict.action) : '',
      ...(isRedirect
        ? { target: this.#portOf(namespace, verdict.redirect)?.device.name ?? String(verdict.redirect) }
        : {}),
      trace: verdict.trace,
      ...(verdict.fault === undefined ? {} : { fault: verdict.fault }),
    });
    return verdict;
  }

  #hop(port: Port, direction: Hop['direction'], frame: Frame, mark: number): undefined {
    const { bytes, freeIdentifications } = frame;
    this.#events.push({
      kind: 'hop',
      ...port.place,
      direction,
      bytes,
      mark,
      ...(freeIdentifications === 0 ? {} : { freeIdentifications }),
    });
  }

  #note(port: Port, text: string): undefined {
    this.#events.push({ kind: 'note', ...port.place, text });
  }

  #port({ namespace, device }: Place): Port {
    return this.#ports.find((one) => one.namespace.name === namespace && one.device.name === device)!;
  }

  #portOf(namespace: ScenarioNamespace, ifindex: number): Port | undefined {
    return this.#ports.find((one) => one.namespace === namespace && one.device.ifindex === ifindex);
  }
}

/** Has it a VLAN tag without the EtherType that belongs behind it (net/core/dev.c, `__netif_receive_skb_core`)? */
function hasCutOffTag(bytes: Uint8Array): boolean {
  const whole = ETHERNET.headerLength + VLAN.headerLength + 2;
  return bytes.length < whole && isTag(readU16(bytes, ETHERNET.at.etherType));
}

/** A scenario run for real: in network namespaces of its own, with real devices, programs and stacks. */
import type { Availability } from '../../sim/engines/engine.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { type Objects, type ProgramMaps, programOf } from '../../sim/network/attached-programs.ts';
import type { ScenarioRun, StepRun } from '../../sim/network/run.ts';
import {
  type Attachment,
  type Place,
  placeText,
  type Scenario,
  type Sending,
} from '../../sim/network/scenario.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { loadAvailability } from '../libbpf/load-probe.ts';
import { BpfObject } from '../libbpf/object.ts';
import { fillMaps } from '../testrun/session.ts';
import { Hosts, offloadsOff } from './hosts.ts';
import { pumpUntil, Quiescence } from './quiescence.ts';
import { pathOfRecords, type RecordedDevice } from './recorded-path.ts';
import { type OwnPrograms, RECORDS, Recorder } from './recorder.ts';

/** Can scenarios be run for real here? */
export function scenarioAvailability(): Availability {
  return loadAvailability('xdp');
}

/**
 * Runs a scenario in the kernel; some 100 ms, most of it for the namespaces. Everything is gone afterwards.
 * @param objects the compiled objects of the scenario's programs, by the names that it calls them
 * @throws {EngineError} where the machine cannot, or the kernel refuses a program or a route
 */
export function runInKernel(scenario: Scenario, objects: Objects): ScenarioRun {
  const available = scenarioAvailability();
  if (!available.available) {
    throw new EngineError('environment', `no scenario can be run in the kernel: ${available.reason}`, {
      remedy: available.remedy,
    });
  }
  const network = new RealNetwork(scenario, objects);
  try {
    const steps = scenario.steps.map((step) => network.send(step.send));
    return { steps, maps: network.maps() };
  } finally {
    network.close();
  }
}

interface Loaded {
  readonly namespace: string;
  readonly program: string;
  readonly object: BpfObject;
}

class RealNetwork {
  readonly #hosts: Hosts;
  readonly #recorder: Recorder = new Recorder();
  readonly #loaded: Loaded[] = [];
  readonly #devices: readonly RecordedDevice[];
  #quiescence: Quiescence | undefined;

  constructor(scenario: Scenario, objects: Objects) {
    // The recorder numbers the devices in the scenario's order.
    this.#devices = recordedDevices(scenario);
    try {
      this.#hosts = new Hosts(scenario, (netns, { ifindex, xdp, tcIngress, tcEgress }) => {
        this.#recorder.place(netns, ifindex, ownPrograms(xdp, tcIngress, tcEgress));
      });
    } catch (error) {
      this.#recorder.close();
      throw error;
    }
    try {
      this.#awaitWires();
      this.#load(objects);
      this.#connect();
      this.#quiescence = new Quiescence();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Sends something, and returns what came of it when nothing moves any more. */
  send(sending: Sending): StepRun {
    this.#recorder.skip();
    this.#quiescence!.around(
      () => this.#send(sending),
      () => this.#recorder.count,
      RECORDS,
    );
    return pathOfRecords(this.#recorder.take(), this.#devices);
  }

  /** In the scenario's order, as the simulation gives them. */
  maps(): ProgramMaps[] {
    return this.#loaded.map(({ namespace, program, object }) => ({
      namespace,
      program,
      maps: object.maps.filter((map) => map.readable).map((map) => map.snapshot()),
    }));
  }

  close(): void {
    this.#hosts.close();
    this.#quiescence?.close();
    this.#recorder.close();
    for (const { object } of this.#loaded.splice(0)) object.close();
  }

  #send(sending: Sending): void {
    if (sending.kind === 'packet') {
      this.#hosts.host(sending.namespace).sockets.sendPacket(sending.bytes);
    } else {
      const { ifindex } = this.#hosts.device(sending.place);
      this.#hosts.host(sending.place.namespace).sockets.sendFrame(ifindex, sending.bytes);
    }
  }

  #load(objects: Objects): void {
    for (const { namespace, netns } of this.#hosts.all) {
      for (const loaded of namespace.programs) {
        const { name, entries, object: bytes } = programOf(loaded, objects);
        const file = loaded.object;
        if (bytes === undefined) throw new EngineError('input', `there is no compiled object of ${file}`);
        const object = new BpfObject(bytes, { name, file, entries, globals: loaded.globals });
        this.#loaded.push({ namespace: namespace.name, program: name, object });
        // A device map's entries are devices of the thread's namespace (kernel/bpf/devmap.c).
        netns.enter(() => fillMaps(object, { maps: loaded.maps }, file));
      }
    }
  }

  /** A device drops what is sent before the kernel has noticed, in its own time, that its wire is connected. */
  #awaitWires(): void {
    for (const [number, { peer, ...place }] of this.#devices.entries()) {
      const { ifindex } = this.#hosts.device(place);
      const { sockets } = this.#hosts.host(place.namespace);
      this.#recorder.skip();
      pumpUntil(
        () => sockets.sendFrame(ifindex, PROBE),
        () => this.#recorder.hasArrival(peer),
        `the wire of ${placeText(this.#devices[number]!)}`,
      );
    }
  }

  #connect(): void {
    for (const [number, place] of this.#devices.entries()) {
      const { ifindex, xdp, tcIngress, tcEgress } = this.#hosts.device(place);
      const { netns } = this.#hosts.host(place.namespace);
      const fd = (attachment: Attachment | undefined, hook: Hook): number | undefined =>
        attachment === undefined ? undefined : this.#fd(place.namespace, attachment, hook);
      const programs = ownPrograms(fd(xdp, 'xdp'), fd(tcIngress, 'tc-ingress'), fd(tcEgress, 'tc-egress'));
      this.#recorder.connect(number, netns, ifindex, programs, xdp?.mode ?? 'native');
      offloadsOff(netns, place.device);
    }
  }

  #fd(namespace: string, attachment: Attachment, hook: Hook): number {
    const { object } = this.#loaded.find(
      (one) => one.namespace === namespace && one.program === attachment.program,
    )!;
    return object.programs.find((one) => one.name === attachment.function && one.hook === hook)!.fd;
  }
}

/** "Local Experimental EtherType 1" (IEEE 802): no stack takes it. */
const PROBE: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 0, 0);

function ownPrograms<Program>(
  xdp: Program | undefined,
  ingress: Program | undefined,
  egress: Program | undefined,
): OwnPrograms<Program> {
  return {
    ...(xdp === undefined ? {} : { xdp }),
    ...(ingress === undefined ? {} : { ingress }),
    ...(egress === undefined ? {} : { egress }),
  };
}

function recordedDevices(scenario: Scenario): RecordedDevice[] {
  const places = scenario.namespaces.flatMap(({ name: namespace, devices }) =>
    devices.map((device) => ({ namespace, device: device.name, on: device })),
  );
  const numberOf = (wanted: Place): number =>
    places.findIndex((place) => placeText(place) === placeText(wanted));
  const peers = new Map(
    scenario.wires.flatMap(({ a, b }) => [
      [numberOf(a), numberOf(b)],
      [numberOf(b), numberOf(a)],
    ]),
  );
  return places.map(({ namespace, device, on }, number) => ({
    namespace,
    device,
    peer: peers.get(number)!,
    functions: {
      xdp: on.xdp?.function,
      'tc-ingress': on.tcIngress?.function,
      'tc-egress': on.tcEgress?.function,
    },
  }));
}

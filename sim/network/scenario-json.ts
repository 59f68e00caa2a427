/** Reads scenarios: every name must lead somewhere, and every error names its place. */

import { isGroupMac, prefixFromText } from '../packet/addresses.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { programByName } from '../programs/index.ts';
import type { Hook } from '../runtime/actions.ts';
import { RoutingTables } from '../runtime/fib-lookup.ts';
import { InputError } from '../runtime/input-error.ts';
import { jsonProblem } from '../runtime/json-problem.ts';
import type { ProgramEntry } from '../runtime/program.ts';
import { parse } from '../runtime/schema.ts';
import { pathText } from '../runtime/shape-error.ts';
import { DEFAULT_MTU, type Route } from '../runtime/world.ts';
import { buildSending, SendingError } from './build-sending.ts';
import {
  type Attachment,
  type LoadedProgram,
  type Place,
  placeText,
  type Scenario,
  type ScenarioDevice,
  type ScenarioNamespace,
  type Step,
  type Wire,
} from './scenario.ts';
import {
  type AttachmentShape,
  type DeviceShape,
  type NamespaceShape,
  type ProgramShape,
  type StepShape,
  scenarioShape,
  type ValueShape,
} from './scenario-shape.ts';

/** A scenario that cannot be: the message names the file and the place in it. */
export class ScenarioError extends InputError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ScenarioError';
  }
}

/**
 * @param source what messages call the scenario: its file's name
 * @throws {ScenarioError} where the text is no JSON, or not a scenario that can be set up
 */
export function parseScenario(text: string, source: string): Scenario {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ScenarioError(`${source}: ${jsonProblem(text, cause)}`, { cause });
  }
  return scenarioFromJson(json, source);
}

/** The same for JSON that has been parsed. */
export function scenarioFromJson(json: unknown, source: string): Scenario {
  try {
    const shape = parse(scenarioShape, json, 'scenario');
    const namespaces = Object.entries(shape.namespaces).map(([name, one]) =>
      namespaceOf(name, one, pathText(['namespaces', name], 'scenario')),
    );
    const wires = wiresOf(shape.wires, namespaces);
    const steps = shape.steps.map((step, index) => stepOf(step, index, namespaces));
    return { name: shape.name, description: shape.description, namespaces, wires, steps };
  } catch (error) {
    if (error instanceof InputError) throw new ScenarioError(`${source}: ${error.message}`, { cause: error });
    throw error;
  }
}

function fail(place: string, problem: string): never {
  throw new InputError(`${place}: ${problem}`);
}

function namespaceOf(name: string, shape: NamespaceShape, place: string): ScenarioNamespace {
  if (!/^[\w-]{1,32}$/.test(name)) fail(place, 'a namespace’s name has 1 to 32 letters, digits, _ and -');
  const { devices } = shape;
  devices.forEach((device, index) => {
    const at = `${place}.devices[${index}]`;
    const earlier = devices.slice(0, index);
    if (device.name === 'lo') fail(`${at}.name`, 'the loopback device is there by itself');
    if (earlier.some((one) => one.name === device.name)) fail(`${at}.name`, `a second ${device.name}`);
    if (earlier.some((one) => one.ifindex === device.ifindex)) {
      fail(`${at}.ifindex`, `another device has ifindex ${device.ifindex}`);
    }
    if (isGroupMac(device.mac, 0)) fail(`${at}.mac`, 'a device’s MAC address must not be a group address');
  });
  const ifindexOf = (device: string, at: string): number =>
    devices.find((one) => one.name === device)?.ifindex ?? fail(at, `${name} has no device ${device}`);

  const programs = new ProgramsOfNamespace(shape.programs ?? {}, place, ifindexOf);
  const attached = devices.map((device, index) => deviceOf(device, programs, `${place}.devices[${index}]`));
  const namespace: ScenarioNamespace = {
    name,
    devices: attached,
    routes: (shape.routes ?? []).map(({ device, ...route }, index): Route => {
      const at = `${place}.routes[${index}]`;
      return { ...route, ...(device === undefined ? {} : { ifindex: ifindexOf(device, `${at}.device`) }) };
    }),
    neighbours: (shape.neighbours ?? []).map(({ device, ...neighbour }, index) => ({
      ...neighbour,
      ifindex: ifindexOf(device, `${place}.neighbours[${index}].device`),
    })),
    programs: programs.loaded(),
  };
  checkRoutes(namespace, place);
  return namespace;
}

function checkRoutes(namespace: ScenarioNamespace, place: string): void {
  namespace.routes.forEach(({ to, via }, index) => {
    const at = `${place}.routes[${index}]`;
    if (via !== undefined && via.includes(':') !== to.includes(':')) {
      fail(`${at}.via`, `${via} is of another family than ${to}`);
    }
    const { address, length } = prefixFromText(to);
    const beyond = address.some(
      (byte, byteAt) => (byte & (0xff >> Math.min(8, Math.max(0, length - byteAt * 8)))) !== 0,
    );
    if (beyond) fail(`${at}.to`, `${to} has bits behind its prefix`);
  });
  try {
    new RoutingTables(namespace);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    fail(`${place}.routes`, error.message);
  }
}

function deviceOf(shape: DeviceShape, programs: ProgramsOfNamespace, place: string): ScenarioDevice {
  const { xdp, tcIngress, tcEgress, ...device } = shape;
  for (const [hook, attachment] of [['tcIngress', tcIngress] as const, ['tcEgress', tcEgress] as const]) {
    if (attachment?.mode !== undefined) fail(`${place}.${hook}.mode`, 'only XDP has modes');
  }
  return {
    mtu: DEFAULT_MTU,
    addresses: [],
    forwarding: false,
    ...device,
    ...(xdp === undefined
      ? {}
      : { xdp: { ...programs.attach(xdp, 'xdp', `${place}.xdp`), mode: xdp.mode ?? 'native' } }),
    ...(tcIngress === undefined
      ? {}
      : { tcIngress: programs.attach(tcIngress, 'tc-ingress', `${place}.tcIngress`) }),
    ...(tcEgress === undefined
      ? {}
      : { tcEgress: programs.attach(tcEgress, 'tc-egress', `${place}.tcEgress`) }),
  };
}

/** The programs of one namespace: those that are stated, and built-in ones that devices name directly. */
class ProgramsOfNamespace {
  readonly #shapes: Readonly<Record<string, ProgramShape>>;
  readonly #place: string;
  readonly #ifindexOf: (device: string, place: string) => number;
  readonly #entries = new Map<string, ProgramEntry[]>();

  constructor(
    shapes: Readonly<Record<string, ProgramShape>>,
    place: string,
    ifindexOf: (device: string, place: string) => number,
  ) {
    this.#shapes = shapes;
    this.#place = place;
    this.#ifindexOf = ifindexOf;
  }

  attach({ program: wanted }: AttachmentShape, hook: Hook, place: string): Attachment {
    const colon = wanted.lastIndexOf(':');
    const program = colon < 0 ? wanted : wanted.slice(0, colon);
    const object = this.#objectOf(program);
    const definition = programByName(object);
    if (!Object.hasOwn(this.#shapes, program) && definition === undefined) {
      fail(place, `“${program}” is neither one of the namespace’s programs nor a built-in program`);
    }
    const entries = (definition?.entries ?? []).filter((entry) => entry.hook === hook);
    const name =
      colon < 0 ? (entries[0]?.function ?? definition?.name ?? stem(object)) : wanted.slice(colon + 1);
    if (definition !== undefined && !entries.some((entry) => entry.function === name)) {
      fail(place, `${object} has no function ${colon < 0 ? '' : `${name} `}for ${hook}`);
    }
    const taken = this.#entries.get(program) ?? [];
    if (!taken.some((entry) => entry.function === name && entry.hook === hook)) {
      this.#entries.set(program, [...taken, { function: name, hook }]);
    }
    return { program, function: name };
  }

  loaded(): LoadedProgram[] {
    for (const name of Object.keys(this.#shapes)) {
      if (!this.#entries.has(name)) fail(`${this.#place}.programs.${name}`, 'it is on no device');
    }
    return [...this.#entries].map(([name, entries]) => {
      const shape = Object.hasOwn(this.#shapes, name) ? this.#shapes[name]! : {};
      const place = `${this.#place}.programs.${name}`;
      const bytesOf = (value: ValueShape, at: string): Uint8Array => this.#bytesOf(value, `${place}.${at}`);
      return {
        name,
        object: this.#objectOf(name),
        entries,
        globals: Object.fromEntries(
          Object.entries(shape.globals ?? {}).map(([global, value]) => [
            global,
            bytesOf(value, `globals.${global}`),
          ]),
        ),
        maps: Object.fromEntries(
          Object.entries(shape.maps ?? {}).map(([map, rows]) => [
            map,
            rows.map(({ key, value }, row) => ({
              key: bytesOf(key, `maps.${map}[${row}].key`),
              value: bytesOf(value, `maps.${map}[${row}].value`),
            })),
          ]),
        ),
      };
    });
  }

  #objectOf(program: string): string {
    return Object.hasOwn(this.#shapes, program) ? (this.#shapes[program]!.object ?? program) : program;
  }

  #bytesOf(value: ValueShape, place: string): Uint8Array {
    if (value instanceof Uint8Array) return value;
    if ('device' in value) {
      return new Uint8Array(Uint32Array.of(this.#ifindexOf(value.device, place)).buffer);
    }
    return Uint8Array.from(value.flatMap((part, index) => [...this.#bytesOf(part, `${place}[${index}]`)]));
  }
}

/** `router` for `build/router.o`. */
function stem(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/(\.bpf)?\.o$/, '');
}

function wiresOf(
  shapes: readonly (readonly string[])[],
  namespaces: readonly ScenarioNamespace[],
): readonly Wire[] {
  const used = new Set<string>();
  const wires = shapes.map((ends, index) => {
    const place = `scenario.wires[${index}]`;
    const [a, b] = ends;
    if (a === undefined || b === undefined || ends.length !== 2) fail(place, 'a wire has two ends');
    for (const end of [a, b]) {
      if (used.has(end)) fail(place, `${end} is on two wires, or on both ends of one`);
      used.add(end);
    }
    return { a: placeOf(a, namespaces, place), b: placeOf(b, namespaces, place) };
  });
  for (const { name: namespace, devices } of namespaces) {
    for (const { name: device } of devices) {
      const end = placeText({ namespace, device });
      if (!used.has(end)) fail('scenario.wires', `${end} is on no wire`);
    }
  }
  return wires;
}

function placeOf(text: string, namespaces: readonly ScenarioNamespace[], at: string): Place {
  const [name, device] = text.split(':');
  const namespace = namespaces.find((one) => one.name === name);
  if (device === undefined || namespace === undefined) {
    fail(
      at,
      `${JSON.stringify(text)} is not NAMESPACE:DEVICE with one of ${namespaces.map((one) => one.name).join(', ')}`,
    );
  }
  if (!namespace.devices.some((one) => one.name === device)) fail(at, `${name} has no device ${device}`);
  return { namespace: namespace.name, device };
}

function stepOf(shape: StepShape, index: number, namespaces: readonly ScenarioNamespace[]): Step {
  const place = `scenario.steps[${index}]`;
  const { name = `step ${index + 1}`, expect, ...sendings } = shape;
  const kinds = Object.keys(sendings) as (keyof typeof sendings)[];
  const [kind] = kinds;
  if (kind === undefined || kinds.length !== 1) {
    fail(place, 'a step has exactly one of ping, udp, tcp, packet, frame');
  }
  const at = `${place}.${kind}`;
  const common = { name, ...(expect === undefined ? {} : { expect }) };
  if (shape.frame !== undefined) {
    const { hex } = shape.frame;
    const target = placeOf(shape.frame.device, namespaces, `${at}.device`);
    const { mtu } = namespaces
      .find((one) => one.name === target.namespace)!
      .devices.find((one) => one.name === target.device)!;
    if (hex.length < ETHERNET.headerLength || hex.length > mtu + ETHERNET.headerLength) {
      fail(
        `${at}.hex`,
        `a frame of ${hex.length} bytes; the device takes 14 to ${mtu + ETHERNET.headerLength}`,
      );
    }
    return { ...common, send: { kind: 'frame', place: target, bytes: hex } };
  }
  const { from } = (shape.ping ?? shape.udp ?? shape.tcp ?? shape.packet)!;
  const namespace = namespaces.find((one) => one.name === from) ?? fail(`${at}.from`, `no namespace ${from}`);
  try {
    return { ...common, send: { kind: 'packet', namespace: from, bytes: buildSending(shape, namespace) } };
  } catch (error) {
    if (error instanceof SendingError) fail(at, error.message);
    throw error;
  }
}

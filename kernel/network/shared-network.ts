/**
 * Network namespaces for sessions whose world states no addresses, routes or neighbours: unnamed, made in a millisecond,
 * and shared by the sessions of a thread that want the same devices. Programs cannot change anything in them that
 * another session would see; what they send ends at the devices' peers. Devices take some milliseconds more, and most
 * programs never meet one: they are made for those that do.
 */
import { closeSync } from 'node:fs';
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { Device } from '../../sim/runtime/world.ts';
import { missingCapabilities, NAMESPACES } from '../process/capabilities.ts';
import { createUnnamedNetns, enterNamespace } from './netns.ts';
import { LOOPBACK, withRtnetlink } from './rtnetlink.ts';
import { writeNetworkSetting } from './sysctl.ts';

/** Where a session loads its object, fills its maps and runs. */
export interface SessionNetwork {
  /** Calls `fn` with the calling thread in the namespace. */
  enter<T>(fn: () => T): T;
  /** Makes the devices, where they are not there yet. The loopback device is. */
  makeDevices(): void;
  /** May be called more than once. */
  close(): void;
}

/** What an object's programs call. */
export interface CallingObject {
  readonly helpers: ReadonlySet<number>;
  readonly callsKernelFunctions: boolean;
}

const DEFAULT_MTU = 1500;

/** How many namespaces nobody uses are kept for the next session: shrinking opens the same ones again and again. */
const MAX_IDLE = 4;

interface SharedNetns {
  readonly key: string;
  readonly devices: readonly Device[];
  readonly inside: number;
  /** Where the devices' peers are; undefined where there are no devices yet. */
  outside: number | undefined;
  users: number;
}

/** By the devices in them, those used last at the end. One list for each thread: a namespace is entered by a thread. */
const shared = new Map<string, SharedNetns>();

/**
 * A namespace with the loopback device and, once they are made, these devices, all up; the devices have no IPv6 and
 * nothing else that sends by itself. Of each device, only ifindex, name, MAC and MTU count.
 * @param alone shares it with nobody
 * @throws {EngineError} where the rights are missing
 */
export function shareNetwork(devices: readonly Device[], alone: boolean = false): SessionNetwork {
  if (alone) return useOf(build('', devices), end);
  const key = JSON.stringify(devices.map(({ ifindex, name, mac, mtu }) => [ifindex, name, [...mac], mtu]));
  const netns = shared.get(key) ?? build(key, devices);
  shared.delete(key);
  shared.set(key, netns);
  netns.users++;
  return useOf(netns, () => {
    netns.users--;
    endIdle();
  });
}

function useOf(netns: SharedNetns, close: (netns: SharedNetns) => void): SessionNetwork {
  let open = true;
  return {
    enter: (fn) => enterNamespace(netns.inside, fn),
    makeDevices: () => makeDevices(netns),
    close: () => {
      if (open) close(netns);
      open = false;
    },
  };
}

function end(netns: SharedNetns): void {
  if (netns.outside !== undefined) closeSync(netns.outside);
  closeSync(netns.inside);
}

/**
 * A namespace for a session, as `shareNetwork` makes it. With the rights to run programs but not to make a namespace
 * (CAP_SYS_ADMIN), the thread stays where it is: `requireHarmless` says what may run there.
 */
export function shareNetworkIfAllowed(devices: readonly Device[], alone: boolean = false): SessionNetwork {
  if (missingCapabilities(NAMESPACES).length > 0) return OWN_NETWORK;
  return shareNetwork(devices, alone);
}

/** The same, with the devices of a world that states none. */
export function shareDefaultNetwork(): SessionNetwork {
  return shareNetworkIfAllowed(withDefaultDevices({}, []).devices ?? []);
}

const OWN_NETWORK: SessionNetwork = { enter: (fn) => fn(), makeDevices: () => {}, close: () => {} };

/** Could programs see which devices there are, beside the one that a frame came in through? */
export function meetsDevices(object: CallingObject): boolean {
  if (object.callsKernelFunctions) return true;
  return [...object.helpers].some((number) => {
    const effects = HELPERS.get(number)?.effects;
    return effects === undefined || effects.redirects || effects.dependsOn.includes('network');
  });
}

/**
 * @param object what its programs call
 * @throws {EngineError} where the network is the host's, and the programs would send there or depend on it
 */
export function requireHarmless(network: SessionNetwork, object: CallingObject, file: string): void {
  if (network !== OWN_NETWORK) return;
  // Their results depend on the devices, routes and sockets of the namespace, or they send there.
  const names = [...object.helpers].flatMap((number) => {
    const helper = HELPERS.get(number);
    return helper?.effects.dependsOn.includes('network') === true ? [helper.name] : [];
  });
  if (object.callsKernelFunctions) names.push('kernel functions');
  if (names.length === 0) return;
  const calls = `${file} calls ${names.join(', ')}`;
  throw new EngineError('environment', `${calls}: that needs a network namespace of its own`, {
    remedy: 'run as root (or with CAP_SYS_ADMIN)',
  });
}

function build(key: string, devices: readonly Device[]): SharedNetns {
  const inside = createUnnamedNetns();
  try {
    enterNamespace(inside, writeSettings);
    withRtnetlink(namespace(inside), (links) => links.setUp(LOOPBACK));
    return { key, devices, inside, outside: undefined, users: 0 };
  } catch (error) {
    closeSync(inside);
    throw error;
  }
}

function makeDevices(netns: SharedNetns): void {
  if (netns.outside !== undefined) return;
  const { inside, devices } = netns;
  const outside = createUnnamedNetns();
  try {
    enterNamespace(outside, writeSettings);
    withRtnetlink(namespace(inside), (links) => {
      for (const { ifindex, name, mac, mtu = DEFAULT_MTU } of devices) {
        links.addVeth({ ifindex, name, mac, mtu, peerName: `peer${ifindex}`, peerNamespace: outside });
      }
    });
    for (const side of [outside, inside]) {
      withRtnetlink(namespace(side), (links) => {
        for (const { ifindex } of devices) links.setUp(ifindex);
      });
    }
  } catch (error) {
    // With the peers, those go that are made already.
    closeSync(outside);
    throw error;
  }
  netns.outside = outside;
}

function namespace(fd: number): { enter<T>(fn: () => T): T } {
  return { enter: (fn) => enterNamespace(fd, fn) };
}

/** Without IPv6 a device announces nothing. A new namespace inherits forwarding from the host's, which may be a router. */
const SETTINGS = [
  ['ipv6/conf/all/disable_ipv6', '1'],
  ['ipv6/conf/default/disable_ipv6', '1'],
  ['ipv4/ip_forward', '0'],
] as const;

function writeSettings(): void {
  for (const [key, value] of SETTINGS) {
    try {
      writeNetworkSetting(key, value);
    } catch (error) {
      // A kernel without IPv6 has no such setting; where /proc/sys cannot be written, nothing leaves it anyway.
      if (!(error instanceof EngineError)) throw error;
    }
  }
}

function endIdle(): void {
  const idle = [...shared.values()].filter((netns) => netns.users === 0);
  for (const netns of idle.slice(0, Math.max(0, idle.length - MAX_IDLE))) {
    shared.delete(netns.key);
    end(netns);
  }
}

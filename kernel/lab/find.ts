/**
 * Finds a lab without its file: by the marks on its namespaces, by names that only a lab gives, by the addresses of its
 * devices, and by its pins.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Netns, openNetns } from '../network/netns.ts';
import { NETNS_DIRECTORY } from '../process/leftovers.ts';
import { attachedTo } from './attachments.ts';
import { ifindexOf } from './environment.ts';
import { emptyState, openOutside } from './foundation.ts';
import { pinnedMapId, programInfo } from './kernel-objects.ts';
import type { AttachmentState, EnvironmentState, LabState } from './lab-state.ts';
import {
  checkEnvironmentName,
  DEFAULT_LAB,
  environmentNamespace,
  HOST_LAB,
  INNER_DEVICE,
  labMark,
  labNamespace,
  numberOfMac,
  pinRoots,
} from './names.ts';
import { labNames } from './state.ts';

/** @returns undefined where nothing is left of a lab of this name */
export function findLab(lab: string): LabState | undefined {
  const pinRoot = pinRoots(lab).find((path) => existsSync(path));
  const namespaces = namespacesOf(lab);
  const state: LabState = { ...emptyState(lab), ...(pinRoot === undefined ? {} : { pinRoot }) };
  const environments = new Map<string, EnvironmentState>();
  for (const { name, devices } of namespaces) {
    const environment = environmentName(lab, name);
    if (environment === undefined) continue;
    environments.set(environment, describe(lab, environment, INNER_DEVICE, 'inner', devices));
  }
  const attachments: AttachmentState[] = [];
  const outside = tryToOpen(state);
  try {
    // An environment whose namespace is gone has its outer device still, for a moment.
    const devices = outside === undefined ? [] : devicesIn(outside);
    for (const { ifname, address } of devices) {
      if (numberOfMac(address, 'outer') === undefined || environments.has(ifname) || !isName(ifname))
        continue;
      environments.set(ifname, describe(lab, ifname, ifname, 'outer', devices));
    }
    if (outside !== undefined) attachments.push(...attachedByPins(outside, state));
  } finally {
    outside?.close();
  }
  const found = numbered([...environments.values()]);
  const isThere = namespaces.length > 0 || found.length > 0 || pinRoot !== undefined;
  return isThere ? { ...state, environments: found, attachments } : undefined;
}

interface Link {
  readonly ifname: string;
  readonly address: string;
  readonly ifalias?: string;
  readonly addr_info?: readonly { readonly family: string }[];
}

/** Those that are marked as the lab's; and, of a command that was killed before it could mark one, those named so. */
function namespacesOf(lab: string): { readonly name: string; readonly devices: readonly Link[] }[] {
  return entriesOf(NETNS_DIRECTORY).flatMap((name) => {
    const devices = linksOf(name);
    const mark = devices.find((one) => one.ifname === 'lo')?.ifalias;
    const ours = mark === undefined ? isNamedAfter(lab, name) : mark === labMark(lab);
    return ours ? [{ name, devices }] : [];
  });
}

/** `xdpsim-a-b` may be the lab a-b, or the environment b of the lab a: it is the former's, if that is known. */
function isNamedAfter(lab: string, namespace: string): boolean {
  if (lab === HOST_LAB) return false;
  const belongsTo = (name: string): boolean =>
    namespace === labNamespace(name) ||
    (name !== DEFAULT_LAB && namespace.startsWith(`${labNamespace(name)}-`));
  return belongsTo(lab) && !labNames().some((other) => other.length > lab.length && belongsTo(other));
}

/** Undefined for the lab's own namespace, and for names that an environment cannot have. */
function environmentName(lab: string, namespace: string): string | undefined {
  if (namespace === labNamespace(lab)) return undefined;
  const prefix = environmentNamespace(lab, '');
  const name = namespace.slice(prefix.length);
  return namespace.startsWith(prefix) && isName(name) ? name : undefined;
}

function isName(name: string): boolean {
  try {
    checkEnvironmentName(name, false);
    return true;
  } catch {
    return false;
  }
}

/** As it was set up, as far as its devices tell: `reset` makes it again from this. */
function describe(
  lab: string,
  name: string,
  device: string,
  side: 'inner' | 'outer',
  devices: readonly Link[],
): EnvironmentState {
  const own = devices.find((one) => one.ifname === device);
  return {
    name,
    number: (own === undefined ? undefined : numberOfMac(own.address, side)) ?? 0,
    namespace: environmentNamespace(lab, name),
    ipv4: own?.addr_info?.some((one) => one.family === 'inet') ?? false,
    vlan: devices.some((one) => one.ifname.startsWith(`${device}.`)),
  };
}

/** Gives a free number to those whose device, and with it their number, is gone. */
function numbered(environments: readonly EnvironmentState[]): EnvironmentState[] {
  const taken = new Set(environments.map((one) => one.number));
  const seen = new Set<number>();
  return environments.map((one) => {
    let { number } = one;
    if (number === 0 || seen.has(number)) {
      number = 1;
      while (taken.has(number)) number += 1;
    }
    taken.add(number);
    seen.add(number);
    return { ...one, number };
  });
}

/** Programs that use maps which the lab has pinned. Of programs without maps nothing tells who attached them. */
function attachedByPins(outside: Netns, { pinRoot }: LabState): AttachmentState[] {
  return entriesOf(pinRoot).flatMap((device) => {
    const ifindex = ifindexOf(outside, device);
    if (ifindex === 0) return [];
    const pinned = new Set(
      entriesOf(join(pinRoot, device)).map((file) => pinnedMapId(join(pinRoot, device, file))),
    );
    return attachedTo({ netns: outside, name: device, ifindex })
      .filter(({ id }) => programInfo(id)?.mapIds.some((map) => pinned.has(map)))
      .map(({ hook, mode, id, name }) => ({ device, function: name, hook, mode, id, object: '' }));
  });
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function tryToOpen(state: LabState): Netns | undefined {
  try {
    return openOutside(state);
  } catch {
    return undefined;
  }
}

/** Empty for a name without a namespace: what a killed `ip netns add` leaves. */
function linksOf(namespace: string): Link[] {
  let netns: Netns;
  try {
    netns = openNetns(namespace);
  } catch {
    return [];
  }
  try {
    return devicesIn(netns);
  } finally {
    netns.close();
  }
}

function devicesIn(netns: Netns): Link[] {
  return JSON.parse(netns.run('ip', ['-json', '-details', 'address', 'show']) || '[]') as Link[];
}

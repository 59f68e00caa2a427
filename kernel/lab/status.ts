/** What a lab looks like now: as it is, not as it was made. */
import { basename } from 'node:path';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Netns } from '../network/netns.ts';
import { attachedTo } from './attachments.ts';
import { openInside } from './environment.ts';
import type { Lab } from './lab.ts';
import type { AttachMode, EnvironmentState } from './lab-state.ts';
import { deviceOf, INNER_DEVICE, subnetsOf } from './names.ts';

export interface LabStatus {
  readonly name: string;
  /** `host` for the host's own. */
  readonly namespace: string;
  readonly pinRoot: string;
  readonly environments: readonly EnvironmentStatus[];
  /** Devices of the host that the lab has programs on. */
  readonly devices: readonly { readonly device: string; readonly programs: readonly ProgramStatus[] }[];
}

export interface EnvironmentStatus {
  readonly name: string;
  readonly number: number;
  readonly namespace: string;
  readonly outer: readonly DeviceStatus[];
  readonly inner: readonly DeviceStatus[];
  readonly programs: readonly ProgramStatus[];
  /** What is missing; undefined where everything is there. */
  readonly broken: string | undefined;
}

export interface DeviceStatus {
  readonly device: string;
  readonly ifindex: number;
  readonly mac: string;
  /** `UP`, `DOWN`, … */
  readonly state: string;
  /** With their prefix lengths. */
  readonly addresses: readonly string[];
}

export interface ProgramStatus {
  readonly function: string;
  readonly hook: Hook;
  readonly mode: AttachMode;
  readonly id: number;
  /** The file it was loaded from; undefined where somebody else attached it. */
  readonly object: string | undefined;
}

export function labStatus(lab: Lab): LabStatus {
  const { name, namespace, pinRoot, environments, attachments } = lab.state;
  const others = new Set(attachments.map((one) => one.device));
  for (const one of environments) others.delete(one.name);
  return {
    name,
    namespace,
    pinRoot,
    environments: environments.map((one) => environmentStatus(lab, one)),
    devices: [...others].map((device) => ({ device, programs: programs(lab, device) })),
  };
}

function environmentStatus(lab: Lab, environment: EnvironmentState): EnvironmentStatus {
  const { name, number, namespace } = environment;
  const outer = devices(lab.outside, environment, name);
  let inner: DeviceStatus[] = [];
  let broken: string | undefined;
  try {
    const inside = openInside(environment);
    try {
      inner = devices(inside, environment, INNER_DEVICE);
    } finally {
      inside.close();
    }
  } catch {
    broken = `namespace ${namespace} is gone`;
  }
  const count = subnetsOf(environment).length;
  if (outer.length < count) broken ??= `device ${name} is gone`;
  if (inner.length < count) broken ??= `device ${INNER_DEVICE} is gone`;
  const attached = outer.length === 0 ? [] : programs(lab, name);
  return { name, number, namespace, outer, inner, programs: attached, broken };
}

function devices(netns: Netns, environment: EnvironmentState, device: string): DeviceStatus[] {
  const wanted = subnetsOf(environment).map((subnet) => deviceOf(device, subnet));
  const found = JSON.parse(netns.run('ip', ['-json', 'address', 'show'])) as {
    ifname: string;
    ifindex: number;
    address: string;
    operstate: string;
    addr_info?: { local: string; prefixlen: number }[];
  }[];
  return found
    .filter((one) => wanted.includes(one.ifname))
    .map((one) => ({
      device: one.ifname,
      ifindex: one.ifindex,
      mac: one.address,
      state: one.operstate,
      addresses: (one.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    }));
}

function programs(lab: Lab, device: string): ProgramStatus[] {
  const noted = lab.attachments(device);
  return attachedTo(lab.device(device)).map(({ hook, mode, id, name }) => {
    const ours = noted.find((one) => one.id === id);
    // The kernel keeps 15 characters of a name.
    return { function: ours?.function ?? name, hook, mode, id, object: ours && basename(ours.object) };
  });
}

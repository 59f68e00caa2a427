/** What the lab calls things, and which addresses it gives: all of it follows from the names and one small number. */
import { EngineError } from '../../sim/engines/engine.ts';
import { macToText } from '../../sim/packet/addresses.ts';

/** The lab of those who name none. */
export const DEFAULT_LAB = 'lab';
/** The lab whose outer devices stand in the host's own network namespace. */
export const HOST_LAB = 'host';

/** The device inside an environment. */
export const INNER_DEVICE = 'veth0';
/** The sub-interfaces that `--vlan` makes on both ends. */
export const VLAN_IDS: readonly number[] = [1, 2];

export const BPFFS = '/sys/fs/bpf';

/** IFNAMSIZ is 16 with the closing zero (include/uapi/linux/if.h). */
const LONGEST_DEVICE = 15;
/** The third byte of 10.11.N.0/24. */
export const MOST_ENVIRONMENTS = 254;

/**
 * @throws {EngineError} `input`. A lab's name begins with a letter, so that nothing it makes looks like a run's own
 *   (`xdpsim-<pid>-…`), which the next run would clear away
 */
export function checkLabName(name: string): void {
  if (/^[A-Za-z][\w-]{0,39}$/.test(name)) return;
  throw new EngineError('input', `“${name}” cannot be a lab's name`, {
    remedy: 'A name starts with a letter and has at most 40 letters, digits, _ and -.',
  });
}

/**
 * An environment's name is that of a device and, in the default lab, of a namespace.
 * @param vlan its sub-interfaces add two characters
 * @throws {EngineError} `input`
 */
export function checkEnvironmentName(name: string, vlan: boolean): void {
  const longest = vlan ? LONGEST_DEVICE - 2 : LONGEST_DEVICE;
  if (name.length > longest) {
    throw new EngineError('input', `“${name}” has ${name.length} characters`, {
      remedy: vlan
        ? `with --vlan a name has at most ${longest}: its sub-interfaces add two`
        : `a device's name has at most ${longest}`,
    });
  }
  if (/^[A-Za-z][\w-]*$/.test(name) && !RESERVED.has(name)) return;
  throw new EngineError('input', `“${name}” cannot be an environment's name`, {
    remedy: `A name starts with a letter and contains letters, digits, _ and -; ${[...RESERVED].join(', ')} are reserved.`,
  });
}

const RESERVED: ReadonlySet<string> = new Set(['lo', 'all', 'default', 'xdpsim']);

/** The namespace of a lab's outer devices. */
export function labNamespace(lab: string): string {
  return `xdpsim-${lab}`;
}

/**
 * The namespace of an environment: its bare name in the default and in the host's lab, so that `ip netns exec left …`
 * is what it is in the tutorials; other labs' are told apart.
 */
export function environmentNamespace(lab: string, name: string): string {
  return lab === DEFAULT_LAB || lab === HOST_LAB ? name : `xdpsim-${lab}-${name}`;
}

/** The option that a command needs to mean this lab, with a blank before it. */
export function labOption(lab: string): string {
  return lab === DEFAULT_LAB ? '' : lab === HOST_LAB ? ' --host' : ` --lab ${lab}`;
}

/** What messages say of a lab that is not there. */
export function notSetUp(lab: string): string {
  return `the lab ${lab === DEFAULT_LAB ? '' : `${lab} `}is not set up`;
}

export function setupCommand(lab: string, environment: string): string {
  return `Run this first: xdpsim lab setup ${environment}${labOption(lab)}`;
}

/** Where a lab may pin maps: in the host's bpffs, or in one of its own where there is none. */
export function pinRoots(lab: string): readonly [hosts: string, own: string] {
  return [`${BPFFS}/${labNamespace(lab)}`, `/run/xdpsim/${lab}.bpf`];
}

/** What the loopback device of each of a lab's namespaces is marked with (`ip link` shows it as an alias). */
export function labMark(lab: string): string {
  return `xdpsim-lab:${lab}`;
}

/** One end of an environment's pair of devices: the device itself or one of its VLAN sub-interfaces. */
export interface End {
  readonly mac: string;
  readonly ipv6: string;
  readonly ipv4: string;
}

/** One network between outside and inside. */
export interface Subnet {
  /** Undefined for the untagged network. */
  readonly vlan: number | undefined;
  readonly outer: End;
  readonly inner: End;
  readonly ipv6Length: 64;
  readonly ipv4Length: 24;
}

/**
 * The networks of environment `number`: fc00:dead:cafe:N::/64 and 10.11.N.0/24, outside ::1 and .1, inside ::2 and .2.
 * VLAN V has fc00:dead:cafe:VNNN::/64 (number in three hexadecimal digits) and 10.(11+V).N.0/24.
 */
export function subnetOf(number: number, vlan?: number): Subnet {
  const net6 = ((vlan ?? 0) * 0x1000 + number).toString(16);
  const net4 = `10.${11 + (vlan ?? 0)}.${number}`;
  const end = (host: number): End => ({
    // Locally administered, and telling by itself whose end it is.
    mac: macToText(Uint8Array.of(0x02, 0x1a, 0xb0, 0, number, host)),
    ipv6: `fc00:dead:cafe:${net6}::${host}`,
    ipv4: `${net4}.${host}`,
  });
  return { vlan, outer: end(1), inner: end(2), ipv6Length: 64, ipv4Length: 24 };
}

/** The number of the environment that a device with this MAC address belongs to; undefined for devices of others. */
export function numberOfMac(mac: string, side: 'outer' | 'inner'): number | undefined {
  const match = /^02:1a:b0:00:([0-9a-f]{2}):0([12])$/.exec(mac);
  if (match === null || match[2] !== (side === 'outer' ? '1' : '2')) return undefined;
  return Number.parseInt(match[1]!, 16);
}

/** All networks of an environment, the untagged one first. */
export function subnetsOf(environment: { readonly number: number; readonly vlan: boolean }): Subnet[] {
  const vlans = environment.vlan ? VLAN_IDS : [];
  return [subnetOf(environment.number), ...vlans.map((id) => subnetOf(environment.number, id))];
}

/** A device's sub-interface: `left.1`. */
export function deviceOf(device: string, subnet: Subnet): string {
  return subnet.vlan === undefined ? device : `${device}.${subnet.vlan}`;
}

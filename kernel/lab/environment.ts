/**
 * One environment: a namespace with a device inside, the device's peer outside, and the two so connected that
 * nothing passes between them but what somebody sends.
 */
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import { XDP_PASS } from '../../sim/runtime/actions.ts';
import { attachXdp } from '../libbpf/attach.ts';
import { BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { errnoName, requireLibbpf } from '../libbpf/libbpf.ts';
import { libc } from '../libc.ts';
import { openEthtool } from '../network/ethtool.ts';
import { createLastingNetns, type Netns, openNetns } from '../network/netns.ts';
import { ownRoute, ownRoutes } from '../network/own-routes.ts';
import { quietIpv6 } from '../network/quiet-ipv6.ts';
import { LOOPBACK, type Rtnetlink, withRtnetlink } from '../network/rtnetlink.ts';
import { NETNS_DIRECTORY, removeNetnsName } from '../process/leftovers.ts';
import type { EnvironmentState } from './lab-state.ts';
import { dropMulticastReports } from './multicast-reports.ts';
import { deviceOf, INNER_DEVICE, labMark, type Subnet, subnetsOf } from './names.ts';

/** How long the kernel may take to say that two devices are connected, in milliseconds. It takes one or two. */
const PATIENCE = 5000;

/** Where everything inside finds everything else: all environments, through the outside. */
const EVERYWHERE = { ipv6: 'fc00:dead:cafe::/48', ipv4: '10.11.0.0/16' } as const;

/**
 * Makes an environment's namespace and devices: some 60 ms.
 * @param outside where the outer device goes
 * @param lab the lab's name
 * @throws {EngineError} when something cannot be made; what was made by then is left standing
 */
export function buildEnvironment(environment: EnvironmentState, outside: Netns, lab: string): void {
  const inside = createLastingNetns(environment.namespace);
  try {
    quietNamespace(inside, lab);
    build(environment, outside, inside);
  } finally {
    inside.close();
  }
}

/** Takes away whatever there is of an environment. */
export function removeEnvironment(environment: EnvironmentState, outside: Netns | undefined): void {
  // The device first, since a namespace ends some time after its name: the peer would outlive this call.
  if (outside !== undefined && ifindexOf(outside, environment.name) !== 0) {
    withRtnetlink(outside, (links) => links.delete(ifindexOf(outside, environment.name)));
  }
  removeNetnsName(join(NETNS_DIRECTORY, environment.namespace));
}

/** 0 where there is no such device. */
export function ifindexOf(netns: Netns, device: string): number {
  return netns.enter(() => libc().if_nametoindex(device));
}

/**
 * A namespace of the lab's own in which IPv6 does nothing by itself; what `default` says, new devices inherit. It is
 * marked as the lab's, so that it can be found without the file that says so.
 */
export function quietNamespace(netns: Netns, lab: string): void {
  withRtnetlink(netns, (links) => links.change(LOOPBACK, { alias: labMark(lab) }));
  for (const which of ['all', 'default']) {
    netns.sysctl(`ipv6/conf/${which}/disable_ipv6`, 0);
    // Redirected frames come by other ways than answers go; the host's settings are inherited for IPv4.
    netns.sysctl(`ipv4/conf/${which}/rp_filter`, 0);
  }
  quietIpv6(netns);
  withRtnetlink(netns, (links) => links.setUp(LOOPBACK));
}

function build(environment: EnvironmentState, outside: Netns, inside: Netns): void {
  const { name, namespace } = environment;
  const [untagged, ...tagged] = subnetsOf(environment);
  const { outer, inner } = untagged!;
  outside.ip([
    `link add name ${name} address ${outer.mac} type veth peer name ${INNER_DEVICE} address ${inner.mac} netns ${namespace}`,
  ]);
  for (const [netns, device] of [
    [outside, name],
    [inside, INNER_DEVICE],
  ] as const) {
    segmentNothing(netns, device);
    dropMulticastReports({ netns, name: device, ifindex: ifindexOf(netns, device) });
    addVlans(netns, device, tagged);
  }
  for (const subnet of [untagged!, ...tagged]) configureOutside(outside, deviceOf(name, subnet));
  passEverything(inside);
  const ends = [
    { netns: outside, device: name, side: 'outer', other: 'inner' },
    { netns: inside, device: INNER_DEVICE, side: 'inner', other: 'outer' },
  ] as const;
  outside.ip(startCommands(environment, ends[0]));
  inside.ip([
    ...startCommands(environment, ends[1]),
    `route add ${EVERYWHERE.ipv6} via ${outer.ipv6} dev ${INNER_DEVICE}`,
    ...(environment.ipv4 ? [`route add ${EVERYWHERE.ipv4} via ${outer.ipv4} dev ${INNER_DEVICE}`] : []),
  ]);
  for (const end of ends) {
    const subnets = subnetsOf(environment).map((subnet) => ({
      device: deviceOf(end.device, subnet),
      address: subnet[end.side].ipv6,
    }));
    waitUntilUp(end.netns, subnets);
  }
}

/**
 * Frames are on the wire as they were sent, checksums finished and no longer than the MTU. TCP makes large frames
 * for every device that allows more than one segment, whatever its offloads (net/core/sock.c, `sk_setup_caps`): TC
 * programs would see these.
 */
function segmentNothing(netns: Netns, device: string): void {
  const ethtool = openEthtool(netns, device);
  ethtool.offloadsOff();
  ethtool.close();
  withRtnetlink(netns, (links) => links.change(ifindexOf(netns, device), { gsoMaxSegs: 1 }));
}

function addVlans(netns: Netns, device: string, subnets: readonly Subnet[]): void {
  const commands = subnets.map(
    (subnet) => `link add link ${device} name ${deviceOf(device, subnet)} type vlan id ${subnet.vlan}`,
  );
  try {
    netns.ip(commands);
  } catch (cause) {
    if (!(cause instanceof Error && cause.message.includes('Unknown device type'))) throw cause;
    throw new EngineError('environment', 'this kernel has no VLAN devices', {
      remedy: 'modprobe 8021q, or leave --vlan out',
      cause,
    });
  }
}

/** The host's defaults are not ours to change, so the outer devices are told one by one. All of them forward. */
function configureOutside(outside: Netns, device: string): void {
  outside.sysctl(`ipv6/conf/${device}/disable_ipv6`, 0);
  outside.sysctl(`ipv6/conf/${device}/accept_ra`, 0);
  outside.sysctl(`ipv6/conf/${device}/router_solicitations`, 0);
  outside.sysctl(`ipv6/conf/${device}/forwarding`, 1);
  outside.sysctl(`ipv4/conf/${device}/forwarding`, 1);
}

type Side = 'outer' | 'inner';

/** Up, with addresses and neighbours; without a link-local address, which would want to be announced. */
function startCommands(
  environment: EnvironmentState,
  end: { readonly device: string; readonly side: Side; readonly other: Side },
): string[] {
  return subnetsOf(environment).flatMap((subnet) => {
    const dev = deviceOf(end.device, subnet);
    const own = subnet[end.side];
    const other = subnet[end.other];
    const permanent = `lladdr ${other.mac} nud permanent dev ${dev}`;
    return [
      `link set dev ${dev} addrgenmode none up`,
      // Duplicate address detection would send frames, and keep the address out of use for a second.
      `address add ${own.ipv6}/${subnet.ipv6Length} dev ${dev} nodad`,
      `neighbour replace ${other.ipv6} ${permanent}`,
      ...(environment.ipv4
        ? [
            `address add ${own.ipv4}/${subnet.ipv4Length} dev ${dev}`,
            `neighbour replace ${other.ipv4} ${permanent}`,
          ]
        : []),
    ];
  });
}

/**
 * What `XDP_TX` and redirects need on the receiving side of a veth: without a native program there, the frames
 * vanish (drivers/net/veth.c, `veth_xdp_xmit`).
 */
function passEverything(inside: Netns): void {
  // r0 = XDP_PASS; exit
  const code = Uint8Array.of(0xb7, 0, 0, 0, XDP_PASS, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  const { bpf } = requireLibbpf();
  const fd = bpf.bpf_prog_load(BPF_PROG_TYPE.XDP, 'xdp_pass', 'GPL', code, code.length / 8, null);
  if (fd < 0) {
    throw new EngineError('environment', `an XDP program cannot be loaded: ${errnoName(fd)}`, {
      remedy: 'run as root (or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
    });
  }
  try {
    attachXdp(inside, ifindexOf(inside, INNER_DEVICE), fd);
  } finally {
    libc().close(fd);
  }
}

/**
 * Waits until the kernel has noticed the connection, and that the addresses are its own: frames sent before are
 * dropped.
 * @param subnets the devices, and an IPv6 address of each
 */
function waitUntilUp(
  netns: Netns,
  subnets: readonly { readonly device: string; readonly address: string }[],
): void {
  const deadline = performance.now() + PATIENCE;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const ifindexes = subnets.map(({ device }) => ifindexOf(netns, device));
  const own = subnets.map(({ device, address }) => ownRoute(address, device));
  const isUp = (links: Rtnetlink): boolean => {
    if (!ifindexes.every((ifindex) => links.isOperational(ifindex))) return false;
    const routes = ownRoutes();
    return own.every((route) => routes.has(route));
  };
  while (!withRtnetlink(netns, isUp)) {
    if (performance.now() > deadline) {
      throw new EngineError('environment', `device ${subnets[0]!.device} does not come up`);
    }
    Atomics.wait(pause, 0, 0, 1);
  }
}

/** Opens an environment's namespace. @throws {EngineError} when it is gone */
export function openInside(environment: EnvironmentState): Netns {
  return openNetns(environment.namespace);
}

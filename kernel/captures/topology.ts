/**
 * Three hosts of the kernel's own, on a wire of their own: `left` — `router` — `right`, each a network namespace.
 *
 * Everything is done by the kernel's stack and the usual tools; frames are taken where `left` has its wire, in
 * both directions. Offloads are off, so that checksums are finished and no segment is larger than the wire takes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { FrameTap } from '../frames/frames.ts';
import { attachTc } from '../libbpf/attach.ts';
import { openEthtool } from '../network/ethtool.ts';
import { createNetns, type Netns } from '../network/netns.ts';
import { loadVlanPrograms, type VlanPrograms } from './vlan.ts';

/** More than any recipe sends. */
const MOST_FRAMES = 1024;

export const LEFT4 = '10.11.1.2';
export const LEFT6 = 'fc00:dead:cafe:1::2';
/** The router's side that `left` sees. */
export const ROUTER4 = '10.11.1.1';
export const ROUTER6 = 'fc00:dead:cafe:1::1';
export const RIGHT4 = '10.11.2.2';
export const RIGHT6 = 'fc00:dead:cafe:2::2';
/** A network that the router has no route to. */
export const NOWHERE6 = 'fc00:9999::1';

/** What the wire between router and right takes: less than what left may send. */
const FAR_MTU = 1400;

export class Topology {
  readonly left: Netns;
  readonly router: Netns;
  readonly right: Netns;
  readonly tap: FrameTap;
  #vlan: VlanPrograms | undefined;

  constructor() {
    this.left = createNetns();
    this.router = createNetns();
    this.right = createNetns();
    for (const netns of [this.left, this.router, this.right]) {
      netns.sysctl('ipv6/conf/default/accept_dad', 0);
      netns.sysctl('ipv6/conf/default/router_solicitations', 0);
    }
    this.left.ip([
      `link add name left address 02:00:00:00:01:02 type veth peer name near address 02:00:00:00:01:01 netns ${this.router.name}`,
      'link set dev lo up',
      `address add ${LEFT4}/24 dev left`,
      `address add ${LEFT6}/64 dev left`,
    ]);
    this.right.ip([
      `link add name right address 02:00:00:00:02:02 mtu ${FAR_MTU} type veth peer name far address 02:00:00:00:02:01 mtu ${FAR_MTU} netns ${this.router.name}`,
      'link set dev lo up',
      `address add ${RIGHT4}/24 dev right`,
      `address add ${RIGHT6}/64 dev right`,
      'link set dev right up',
      'route add default via 10.11.2.1',
      'route add ::/0 via fc00:dead:cafe:2::1',
    ]);
    this.router.ip([
      'link set dev lo up',
      `address add ${ROUTER4}/24 dev near`,
      `address add ${ROUTER6}/64 dev near`,
      'address add 10.11.2.1/24 dev far',
      'address add fc00:dead:cafe:2::1/64 dev far',
      'link set dev near up',
      'link set dev far up',
    ]);
    this.router.sysctl('ipv4/conf/all/forwarding', 1);
    this.router.sysctl('ipv6/conf/all/forwarding', 1);
    // By default the kernel holds ICMP errors back after the first few.
    for (const netns of [this.router, this.right, this.left]) {
      netns.sysctl('ipv4/icmp_ratelimit', 0);
      netns.sysctl('ipv6/icmp/ratelimit', 0);
    }
    offloadsOff(this.left, 'left');
    offloadsOff(this.router, 'near');
    offloadsOff(this.router, 'far');
    offloadsOff(this.right, 'right');
    this.left.ip([
      'link set dev left up',
      `route add default via ${ROUTER4}`,
      `route add ::/0 via ${ROUTER6}`,
    ]);
    this.tap = new FrameTap(this.left, 'left', MOST_FRAMES);
  }

  /** Left's device comes up with IPv6 as on any ordinary host: it announces itself and asks for routers. */
  startIpv6(): void {
    this.left.sysctl('ipv6/conf/left/disable_ipv6', 1);
    this.left.sysctl('ipv6/conf/left/accept_dad', 1);
    this.left.sysctl('ipv6/conf/left/router_solicitations', 1);
    this.left.sysctl('ipv6/conf/left/router_solicitation_delay', 0);
    this.left.sysctl('ipv6/conf/left/disable_ipv6', 0);
    this.left.ip([`address add ${LEFT6}/64 dev left`]);
  }

  /** Both ends of left's wire know each other: no address resolution in between. */
  knowEachOther(): void {
    this.left.ip([
      `neighbour replace ${ROUTER4} lladdr 02:00:00:00:01:01 nud permanent dev left`,
      `neighbour replace ${ROUTER6} lladdr 02:00:00:00:01:01 nud permanent dev left`,
    ]);
    this.router.ip([
      `neighbour replace ${LEFT4} lladdr 02:00:00:00:01:02 nud permanent dev near`,
      `neighbour replace ${LEFT6} lladdr 02:00:00:00:01:02 nud permanent dev near`,
    ]);
  }

  /**
   * Puts left's wire into a VLAN, or one VLAN inside another: the tags are put on where frames leave and taken off
   * where they arrive, by TC programs, so that it works on kernels without VLAN devices, too.
   * @param tags outermost last
   */
  tagWire(tags: readonly { readonly etherType: number; readonly id: number }[]): void {
    this.#vlan = loadVlanPrograms(tags);
    for (const [netns, device] of [
      [this.left, 'left'],
      [this.router, 'near'],
    ] as const) {
      const [{ ifindex }] = JSON.parse(netns.run('ip', ['-json', 'link', 'show', 'dev', device])) as [
        { ifindex: number },
      ];
      attachTc(netns, ifindex, 'egress', this.#vlan.push);
      attachTc(netns, ifindex, 'ingress', this.#vlan.pop);
    }
  }

  /**
   * Starts a server: a script of Node's, in a namespace, that writes to stdout when it is ready.
   * @returns ends it
   */
  async serve(netns: Netns, script: string): Promise<() => Promise<void>> {
    const child = netns.enter(() =>
      spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    const ended = once(child, 'exit');
    await Promise.race([
      once(child.stdout, 'data'),
      ended.then(() => Promise.reject(new Error('no server'))),
    ]);
    return async () => {
      child.kill();
      await ended;
    };
  }

  /** Runs a command in a namespace to its end; its exit code says nothing here. */
  async run(netns: Netns, command: string, ...args: readonly string[]): Promise<void> {
    const child = netns.enter(() => spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => resolve());
    });
  }

  close(): void {
    this.tap.close();
    this.#vlan?.close();
    this.left.close();
    this.router.close();
    this.right.close();
  }
}

function offloadsOff(netns: Netns, device: string): void {
  const ethtool = openEthtool(netns, device);
  ethtool.offloadsOff();
  ethtool.close();
}

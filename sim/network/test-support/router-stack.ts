/** A router's stack on its own, without wires and programs: what it says and sends about frames that come in. */
import { macFromText } from '../../packet/addresses.ts';
import { ethernet, type LayerStack } from '../../packet/build.ts';
import { decodeTree } from '../../packet/tree.ts';
import type { Route } from '../../runtime/world.ts';
import type { ScenarioDevice, ScenarioNamespace } from '../scenario.ts';
import { type Frame, Stack } from '../stack/stack.ts';
import { mac } from './programs.ts';

const device = (network: number, more: Partial<ScenarioDevice>): ScenarioDevice => ({
  name: `eth${network}`,
  ifindex: 10 + network,
  mac: macFromText(mac(network, 1)),
  mtu: 1500,
  forwarding: true,
  addresses: [`10.${network}.0.1/24`, `fd0${network}::1/64`],
  ...more,
});

const ROUTES: readonly Route[] = [
  { to: '10.3.0.0/16', via: '10.2.0.9' },
  { to: '10.4.0.0/16', type: 'blackhole' },
  { to: '10.5.0.0/16', type: 'unreachable' },
  { to: '10.6.0.0/16', type: 'prohibit' },
  { to: '10.7.0.0/16', via: '10.2.0.9', mtu: 600 },
  { to: 'fd03::/32', via: 'fd02::9' },
  { to: 'fd04::/32', type: 'blackhole' },
  { to: 'fd05::/32', type: 'unreachable' },
  { to: 'fd06::/32', type: 'prohibit' },
  { to: 'fd07::/32', via: 'fd02::9', mtu: 1300 },
];

/** Host 2 on network 1 and host 9 on network 2, by which the other networks are reached, are known. */
const KNOWN: readonly [network: number, host: number, address: string][] = [
  [1, 2, '10.1.0.2'],
  [1, 2, 'fd01::2'],
  [1, 2, 'fe80::2'],
  [2, 9, '10.2.0.9'],
  [2, 9, 'fd02::9'],
];

export interface Changes {
  readonly eth1?: Partial<ScenarioDevice>;
  readonly eth2?: Partial<ScenarioDevice>;
  /** Beside the usual ones, or instead of them. */
  readonly routes?: readonly Route[];
  readonly onlyThese?: boolean;
}

function namespaceOf({ eth1 = {}, eth2 = {}, routes = [], onlyThese = false }: Changes): ScenarioNamespace {
  return {
    name: 'router',
    devices: [
      device(1, { addresses: ['10.1.0.1/24', 'fd01::1/64', 'fe80::1/64'], ...eth1 }),
      device(2, { mtu: 1400, ...eth2 }),
    ],
    routes: onlyThese ? routes : [...ROUTES, ...routes],
    neighbours: KNOWN.map(([network, host, address]) => ({
      ifindex: 10 + network,
      address,
      mac: macFromText(mac(network, host)),
    })),
    programs: [],
  };
}

/** From host 2 on network 1 to the router. */
export const toRouter: LayerStack = ethernet({ destination: mac(1, 1), source: mac(1, 2) });

/** Fields that are shown of what is sent: all of them but these, of each layer. */
const HIDDEN: Readonly<Record<string, readonly string[]>> = {
  ethernet: ['source', 'etherType'],
  arp: ['hardwareType', 'protocolType', 'hardwareLength', 'protocolLength'],
  ipv4: ['version', 'ihl', 'reserved', 'moreFragments', 'fragmentOffset', 'checksum'],
  ipv6: ['version', 'flowLabel', 'nextHeader'],
  icmp: ['checksum'],
  icmpv6: ['checksum', 'reserved'],
  tcp: ['dataOffset', 'reserved', 'checksum', 'urgentPointer'],
};

/** Layers and fields in a line, up to what an error quotes. */
function shown(name: string, { bytes, mark, freeIdentifications }: Frame): string {
  const layers = decodeTree(bytes);
  const last = layers.findIndex((layer) => /^(icmp|icmpv6|tcp|arp)$/.test(layer.name));
  const upTo = last < 0 ? layers.length : last + 1;
  const parts = layers.slice(0, upTo).map((layer) => {
    const hidden = HIDDEN[layer.name] ?? [];
    const fields = layer.children.filter((field) => !hidden.includes(field.name));
    return [layer.name, ...fields.map((field) => field.text.replace(/ \(.*/, ''))].join(' ');
  });
  const behind = layers.slice(upTo).reduce((total, layer) => total + layer.length, 0);
  if (behind > 0) parts.push(`${behind} bytes`);
  if (mark !== 0) parts.push(`mark ${mark}`);
  if (freeIdentifications !== 0) parts.push(`${freeIdentifications} free`);
  // What is quoted may be wrong or cut off; what the router made is right.
  const isWrong = layers.slice(0, upTo).some((layer) => JSON.stringify(layer).includes('should be'));
  return `${name} sends ${parts.join(', ')}${isWrong ? ', WRONG' : ''}`;
}

export class RouterStack {
  readonly stack: Stack;
  #heard: string[] = [];
  /** The frames that it sent, as they are. */
  sent: Uint8Array[] = [];

  constructor(changes: Changes = {}) {
    this.stack = new Stack(namespaceOf(changes), {
      transmit: ({ name }, frame) => {
        this.sent.push(frame.bytes);
        this.#heard.push(shown(name, frame));
      },
      tell: (on, text) => {
        this.#heard.push(on === undefined ? text : `${on.name} ${text}`);
      },
    });
  }

  /** What it says and sends about a frame that comes in by its first device, or by another. */
  receive(bytes: Uint8Array, more: Partial<Frame> & { readonly by?: number } = {}): string[] {
    const { by = 0, mark = 0, freeIdentifications = 0 } = more;
    this.#heard = [];
    this.sent = [];
    this.stack.receive(this.stack.namespace.devices[by]!, { bytes, mark, freeIdentifications });
    return this.#heard;
  }

  /** The same about a packet of its own. */
  send(packet: Uint8Array): string[] {
    this.#heard = [];
    this.sent = [];
    this.stack.send(packet);
    return this.#heard;
  }
}

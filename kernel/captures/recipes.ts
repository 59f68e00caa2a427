/** What is captured, one file each, and how the traffic comes about. */
import { LEFT4, NOWHERE6, RIGHT4, RIGHT6, ROUTER4, ROUTER6, type Topology } from './topology.ts';

export interface Recipe {
  /** The file's name without `.pcapng`. */
  readonly name: string;
  /** One or two sentences for the README: what is in it, and the commands that made it. */
  readonly how: string;
  /** Makes the traffic; ends when it has ended. */
  make(net: Topology): Promise<void>;
}

const TCP_PORT = 8080;
const UDP_PORT = 4000;
/** Nobody listens there. */
const CLOSED_PORT = '9';

export const RECIPES: readonly Recipe[] = [
  {
    name: 'ping',
    how: '`ping` over IPv4 with 0, 1, 56, 57, 1000 and 1472 bytes of payload, two requests each, and the replies.',
    make: (net) => pings(net, ROUTER4, [0, 1, 56, 57, 1000, 1472]),
  },
  {
    name: 'ping6',
    how: '`ping` over IPv6 with 0, 1, 56, 57, 1000 and 1452 bytes of payload, two requests each, and the replies.',
    make: (net) => pings(net, ROUTER6, [0, 1, 56, 57, 1000, 1452]),
  },
  {
    name: 'ping-vlan',
    how: '`ping` over IPv4 and IPv6 on a wire in VLAN 1 (802.1Q). The tags are put on and taken off by TC programs at both ends.',
    async make(net) {
      net.tagWire([{ etherType: 0x8100, id: 1 }]);
      await pings(net, ROUTER4, [56, 57]);
      await pings(net, ROUTER6, [56, 57]);
    },
  },
  {
    name: 'ping-vlan-in-vlan',
    how: 'The same with VLAN 2 (802.1Q) inside VLAN 1 (802.1ad).',
    async make(net) {
      net.tagWire([
        { etherType: 0x8100, id: 2 },
        { etherType: 0x88a8, id: 1 },
      ]);
      await pings(net, ROUTER4, [56, 57]);
      await pings(net, ROUTER6, [56, 57]);
    },
  },
  {
    name: 'ping-options',
    how: '`ping -R` (record route), `-T tsonly` and `-T tsandaddr` (timestamps) through the router to the host behind it, and the replies: IPv4 headers of 40 to 60 bytes.',
    async make(net) {
      net.knowEachOther();
      await net.run(net.left, 'ping', '-n', '-c', '3', '-i', '0.01', '-R', RIGHT4);
      await net.run(net.left, 'ping', '-n', '-c', '3', '-i', '0.01', '-T', 'tsonly', RIGHT4);
      await net.run(net.left, 'ping', '-n', '-c', '3', '-i', '0.01', '-T', 'tsandaddr', RIGHT4);
    },
  },
  {
    name: 'fragments',
    how: '`ping` with 4000 and 2001 bytes of payload over IPv4 and IPv6: three and two fragments each way.',
    async make(net) {
      await pings(net, ROUTER4, [4000, 2001]);
      await pings(net, ROUTER6, [4000, 2001]);
    },
  },
  {
    name: 'tcp',
    how: 'A TCP connection over IPv4 and one over IPv6 to a server on the router that sends back what it gets: 1, 100 and 3001 bytes, then the end. After that a connection to a closed port (RST).',
    async make(net) {
      net.knowEachOther();
      const stop = await net.serve(net.router, TCP_SERVER);
      for (const address of [ROUTER4, ROUTER6]) {
        await node(net, tcpClient(address, [1, 100, 3001]));
        await node(net, tcpClient(address, [], CLOSED_PORT));
      }
      await stop();
    },
  },
  {
    name: 'udp',
    how: 'UDP datagrams of 0, 1, 2, 99 and 1400 bytes over IPv4 and IPv6 to a server on the router that sends them back.',
    async make(net) {
      net.knowEachOther();
      for (const [type, address] of [
        ['udp4', ROUTER4],
        ['udp6', ROUTER6],
      ] as const) {
        const stop = await net.serve(net.router, udpServer(type));
        await node(net, udpClient(type, address, [0, 1, 2, 99, 1400]));
        await stop();
      }
    },
  },
  {
    name: 'arp',
    how: 'Address resolution by a `ping` to a neighbour that answers and to one that is not there, and a neighbour that the host looks for again after it was forgotten.',
    async make(net) {
      await net.run(net.left, 'ping', '-n', '-c', '1', ROUTER4);
      await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '1', '10.11.1.77');
      net.left.ip(['neighbour flush dev left']);
      await net.run(net.router, 'ping', '-n', '-c', '1', LEFT4);
    },
  },
  {
    name: 'neighbour-discovery',
    how: 'What a host says when it comes up with IPv6 (duplicate address detection, multicast listener reports, router solicitations), and neighbour solicitations answered and unanswered, by `ping`.',
    async make(net) {
      net.startIpv6();
      // Until then its addresses are tentative, and no source for a ping.
      await net.run(net.left, 'sleep', '2');
      await net.run(net.left, 'ping', '-n', '-c', '2', '-i', '0.01', ROUTER6);
      await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '1', 'fc00:dead:cafe:1::77');
    },
  },
  {
    name: 'icmp-errors',
    how: 'ICMP and ICMPv6 errors: port unreachable (UDP to a closed port), time exceeded (`ping -t 1`), host unreachable, no route (ICMPv6), fragmentation needed and packet too big (`ping -M do` over a wire of 1400 bytes).',
    async make(net) {
      net.knowEachOther();
      await node(net, udpClient('udp4', ROUTER4, [10], CLOSED_PORT));
      await node(net, udpClient('udp6', ROUTER6, [10], CLOSED_PORT));
      for (const far of [RIGHT4, RIGHT6]) {
        await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '1', '-t', '1', far);
        await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', '1440', far);
      }
      await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '1', NOWHERE6);
      // The router asks for a host that is not there, three times, before it says so.
      await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '4', '10.11.2.77');
      await net.run(net.left, 'ping', '-n', '-c', '1', '-W', '4', 'fc00:dead:cafe:2::77');
    },
  },
];

async function pings(net: Topology, address: string, payloads: readonly number[]): Promise<void> {
  net.knowEachOther();
  for (const payload of payloads) {
    await net.run(net.left, 'ping', '-n', '-c', '2', '-i', '0.01', '-s', String(payload), address);
  }
}

/**
 * Clients and servers are processes: Node makes its sockets a little later than asked, when the thread would have
 * left the namespace again.
 */
function node(net: Topology, script: string): Promise<void> {
  return net.run(net.left, process.execPath, '-e', script);
}

const TCP_SERVER = `
  require('net').createServer((connection) => connection.pipe(connection))
    .listen(${TCP_PORT}, () => console.log('ready'));`;

function udpServer(type: 'udp4' | 'udp6'): string {
  return `
    const socket = require('dgram').createSocket('${type}');
    socket.on('message', (message, from) => socket.send(message, from.port, from.address));
    socket.bind(${UDP_PORT}, () => console.log('ready'));`;
}

/** Sends one piece when the one before has come back. */
function tcpClient(address: string, sizes: readonly number[], port: string = String(TCP_PORT)): string {
  return `
    const sizes = ${JSON.stringify(sizes)};
    let missing = 0;
    const socket = require('net').connect({ host: '${address}', port: ${port}, noDelay: true });
    const next = () => {
      if (sizes.length === 0) return socket.end();
      missing = sizes.shift();
      socket.write(Buffer.alloc(missing, 'xdpsim '));
    };
    socket.on('connect', next).on('error', () => {});
    socket.on('data', (data) => { missing -= data.length; if (missing === 0) next(); });`;
}

/** Sends one datagram when the one before has come back, or was refused. */
function udpClient(
  type: 'udp4' | 'udp6',
  address: string,
  sizes: readonly number[],
  port: string = String(UDP_PORT),
): string {
  return `
    const sizes = ${JSON.stringify(sizes)};
    const socket = require('dgram').createSocket('${type}');
    const next = () => {
      if (sizes.length === 0) return socket.close();
      socket.send(Buffer.alloc(sizes.shift(), 'xdpsim '));
    };
    socket.on('message', next).on('error', next);
    socket.connect(${port}, '${address}', next);`;
}

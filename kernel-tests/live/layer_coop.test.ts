import { expect, it } from 'vitest';
import { ipv4FromText } from '../../sim/packet/addresses.ts';
import { describeKernel } from '../test-support/require-kernel.ts';
import { type Laboratory, useLaboratory } from './laboratory.ts';
import { deviceCounters, until } from './tools.ts';

/** A veth whose receiving end has native XDP counts its bytes without it (drivers/net/veth.c, `veth_xdp_rcv`). */
const ETHERNET_HEADER = 14;

interface Tracker {
  readonly tx_packets: number;
  readonly rx_packets: number;
  readonly tx_bytes: number;
  readonly rx_bytes: number;
}

function trackers(lab: Laboratory): Map<string, Tracker> {
  const entries = lab.entries('left', 'trackers') as {
    key: { local: number; remote: number };
    value: Tracker;
  }[];
  return new Map(entries.map(({ key, value }) => [`${key.local} ${key.remote}`, value]));
}

function pair(local: string, remote: string): string {
  const number = (text: string): number => new DataView(ipv4FromText(text).buffer).getUint32(0);
  return `${number(local)} ${number(remote)}`;
}

describeKernel('layer_coop in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left', 'right']);

  it('attaches one half to XDP and the other to TC egress', () => {
    const lab = laboratory();
    const attached = lab.load('left', 'layer_coop');
    expect(attached.map(({ function: name, hook }) => `${name} ${hook}`)).toEqual([
      'layer_coop_rx xdp',
      'layer_coop_tx tc-egress',
    ]);
  });

  it('counts pings per pair of hosts, both ways', () => {
    const lab = laboratory();
    lab.load('left', 'layer_coop');
    const left = lab.net('left');
    const right = lab.net('right');
    lab.ping('left', left.outer.ipv4, { count: 4 });
    lab.ping('left', right.inner.ipv4, { count: 2 });
    lab.ping('left', left.outer.ipv6, { count: 3 });
    const counted = (packets: number): Tracker => ({
      tx_packets: packets,
      rx_packets: packets,
      tx_bytes: packets * 98,
      rx_bytes: packets * 98,
    });
    expect(trackers(lab)).toEqual(
      new Map([
        [pair(left.outer.ipv4, left.inner.ipv4), counted(4)],
        [pair(right.inner.ipv4, left.inner.ipv4), counted(2)],
      ]),
    );
  });

  it('agrees with the interface’s own counters on a TCP conversation', async () => {
    const lab = laboratory();
    const { outer, inner } = lab.net('left');
    lab.load('left', 'layer_coop');
    await lab.echoServer(lab.lab.outside, 8080);
    const inside = lab.lab.inside('left');
    const client = lab.connectTcp(inside, outer.ipv4, 8080);
    await client.line((line) => line === 'connected');
    const text = 'x'.repeat(200_000);
    client.say(text);
    await client.line((line) => line === text);
    await until('map and interface agree', () => {
      const tracker = trackers(lab).get(pair(outer.ipv4, inner.ipv4))!;
      const { rx, tx } = deviceCounters(lab.lab.outside, 'left');
      return (
        tracker.rx_packets === rx.packets &&
        tracker.rx_bytes === rx.bytes + rx.packets * ETHERNET_HEADER &&
        tracker.tx_packets === tx.packets &&
        tracker.tx_bytes === tx.bytes + tx.packets * ETHERNET_HEADER
      );
    });
    expect(trackers(lab).get(pair(outer.ipv4, inner.ipv4))!.rx_bytes).toBeGreaterThan(200_000);
  });
});

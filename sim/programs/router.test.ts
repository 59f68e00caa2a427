/** What the router's model asks the kernel, and what it makes of each answer (include/uapi/linux/bpf.h, `struct bpf_fib_lookup`). */
import { describe, expect, it } from 'vitest';
import { ModelRun } from '../engines/model-run.ts';
import { addressFromText } from '../packet/addresses.ts';
import { ethernet, type LayerStack } from '../packet/build.ts';
import { toHex } from '../packet/bytes.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../runtime/actions.ts';
import { createModelMap } from '../runtime/create-model-map.ts';
import { AF_INET, AF_INET6, type FibLookup } from '../runtime/fib.ts';
import { indexKey } from '../runtime/map-snapshot.ts';
import { router } from './router.ts';

/** Runs the model on a packet from device 7, and answers its question. */
function asked(packet: LayerStack, answer: (lookup: FibLookup) => number = () => 4) {
  const maps = new Map(router.maps.map((map) => [map.name, createModelMap(map)]));
  maps.get('tx_port')!.update(indexKey(9), indexKey(9));
  const run = new ModelRun({}, maps);
  const batch = new PacketBatch(1);
  batch.push({ packet: packet.bytes(), ingressIfindex: 7 });
  run.begin('xdp', batch, 0);
  let question: object | undefined;
  const context: ModelRun = Object.create(run, {
    fibLookup: {
      value: (lookup: FibLookup): number => {
        const length = lookup.family === AF_INET ? 4 : 16;
        question = {
          ...lookup,
          source: lookup.source.slice(0, length),
          destination: lookup.destination.slice(0, length),
        };
        return answer(lookup);
      },
    },
  });
  const action = router.entries[0]!.model(context);
  const { bytes, data, dataEnd } = run.frame;
  return { question, action, frame: bytes.slice(data, dataEnd), target: context.redirectTarget };
}

const v4 = (given: Parameters<LayerStack['ipv4']>[0] = {}): LayerStack =>
  ethernet()
    .ipv4({ ttl: 9, ...given })
    .udp();
const v6 = (given: Parameters<LayerStack['ipv6']>[0] = {}): LayerStack =>
  ethernet()
    .ipv6({ hopLimit: 9, ...given })
    .udp();

describe('a question', () => {
  it('has what stands in an IPv4 header', () => {
    const { question } = asked(
      v4({ tos: 0x45, totalLength: 300, source: '10.1.2.3', destination: '10.4.5.6' }),
    );
    expect(question).toMatchObject({
      family: AF_INET,
      tos: 0x45,
      l4Protocol: 17,
      sport: 0,
      dport: 0,
      totalLength: 300,
      ifindex: 7,
      source: addressFromText('10.1.2.3'),
      destination: addressFromText('10.4.5.6'),
    });
  });

  it('has what stands in an IPv6 header', () => {
    const more = {
      trafficClass: 0xab,
      flowLabel: 0x12345,
      payloadLength: 300,
      source: 'fc00::1:2',
      destination: 'fc00::3:4',
    };
    expect(asked(v6(more)).question).toMatchObject({
      family: AF_INET6,
      tos: 0x0ab1_2345,
      l4Protocol: 17,
      totalLength: 340,
      ifindex: 7,
      source: addressFromText('fc00::1:2'),
      destination: addressFromText('fc00::3:4'),
    });
    expect(asked(v6({ payloadLength: 0xffff })).question).toMatchObject({ totalLength: 39 });
  });

  it.each<[what: string, packet: LayerStack, action: number]>([
    ['a TTL of 1', v4({ ttl: 1 }), XDP_PASS],
    ['a TTL of 0', v4({ ttl: 0 }), XDP_PASS],
    ['options', v4({ options: [{ type: 1 }] }), XDP_PASS],
    ['a hop limit of 1', v6({ hopLimit: 1 }), XDP_PASS],
    ['ARP', ethernet().arp(), XDP_PASS],
    ['a tag', ethernet().vlan().ipv4(), XDP_PASS],
    ['half an IPv4 header', ethernet({ etherType: 0x0800 }).payload(new Uint8Array(19)), XDP_DROP],
    ['half an IPv6 header', ethernet({ etherType: 0x86dd }).payload(new Uint8Array(39)), XDP_DROP],
    ['another version', ethernet({ etherType: 0x86dd }).payload(new Uint8Array(40)), XDP_PASS],
    ['no Ethernet header', ethernet().payload(new Uint8Array(0)), XDP_PASS],
  ])('is not asked about %s', (_what, packet, action) => {
    expect(asked(packet)).toMatchObject({ question: undefined, action });
  });

  it('is asked about a TTL and a hop limit of 2', () => {
    expect([asked(v4({ ttl: 2 })).question, asked(v6({ hopLimit: 2 })).question]).not.toContain(undefined);
  });
});

describe('an answer', () => {
  it('that rejects drops, and all others but success pass', () => {
    const actions = [1, 2, 3, 4, 5, 6, 7, 8, 9, -22].map((result) => asked(v4(), () => result).action);
    expect(actions).toEqual([XDP_DROP, XDP_DROP, XDP_DROP, ...Array(7).fill(XDP_PASS)]);
  });

  const found =
    (ifindex: number) =>
    (lookup: FibLookup): number => {
      lookup.ifindex = ifindex;
      lookup.sourceMac.set([2, 0, 0, 0, 0, 8]);
      lookup.destinationMac.set([2, 0, 0, 0, 0, 9]);
      return 0;
    };
  const macs = { source: '02:00:00:00:00:08', destination: '02:00:00:00:00:09' };

  it('that forwards writes both MACs, and one hop less', () => {
    const four = asked(v4(), found(9));
    expect([four.action, four.target]).toEqual([XDP_REDIRECT, 9]);
    expect(toHex(four.frame)).toBe(toHex(ethernet(macs).ipv4({ ttl: 8 }).udp().bytes()));
    const six = asked(v6(), found(9));
    expect(toHex(six.frame)).toBe(toHex(ethernet(macs).ipv6({ hopLimit: 8 }).udp().bytes()));
  });

  it('that names a device which may not be forwarded to passes, and changes nothing', () => {
    const { action, frame } = asked(v4(), found(8));
    expect([action, toHex(frame)]).toEqual([XDP_PASS, toHex(v4().bytes())]);
  });
});

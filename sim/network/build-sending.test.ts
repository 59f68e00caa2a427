/** What a scenario's steps send, to the byte, with what is said and with what is not. */
import { describe, expect, it } from 'vitest';
import { ipv4, ipv6 } from '../packet/build.ts';
import { toHex } from '../packet/bytes.ts';
import { buildSending } from './build-sending.ts';
import type { StepShape } from './scenario-shape.ts';
import { pair } from './test-support/programs.ts';

const [client] = pair([]).namespaces;
const sent = (step: StepShape): string => toHex(buildSending(step, client!));

/** Bytes that count up, as `ping` sends them. */
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index & 0xff);

const FOUR = {
  source: '10.11.1.2',
  destination: '10.11.1.1',
  identification: 1,
  dontFragment: true,
  ttl: 64,
};
const SIX = { source: 'fc00:dead:cafe:1::2', destination: 'fc00:dead:cafe:1::1', hopLimit: 64 };
const to4 = { from: 'client', to: '10.11.1.1' };
const to6 = { from: 'client', to: 'fc00:dead:cafe:1::1' };

it.each<[what: string, step: StepShape, expected: Uint8Array]>([
  ['a ping', { ping: to4 }, ipv4(FOUR).echoRequest().payload(counting(56)).bytes()],
  ['a ping over IPv6', { ping: to6 }, ipv6(SIX).echoRequest6().payload(counting(56)).bytes()],
  [
    'a ping with everything said',
    { ping: { ...to4, source: '10.11.1.9', ttl: 3, identifier: 7, sequence: 8, payload: 300 } },
    ipv4({ ...FOUR, source: '10.11.1.9', ttl: 3 })
      .echoRequest({ identifier: 7, sequence: 8 })
      .payload(counting(300))
      .bytes(),
  ],
  [
    'a ping of nothing',
    { ping: { ...to6, ttl: 0, payload: 0 } },
    ipv6({ ...SIX, hopLimit: 0 })
      .echoRequest6()
      .bytes(),
  ],
  [
    'a datagram',
    { udp: to4 },
    ipv4(FOUR).udp({ sourcePort: 40_000, destinationPort: 9 }).payload(counting(8)).bytes(),
  ],
  [
    'a datagram with everything said',
    { udp: { ...to6, sourcePort: 1, destinationPort: 2, payload: 1 } },
    ipv6(SIX).udp({ sourcePort: 1, destinationPort: 2 }).payload(counting(1)).bytes(),
  ],
  ['a segment', { tcp: to4 }, ipv4(FOUR).tcp({ sourcePort: 40_000, destinationPort: 80, flags: 2 }).bytes()],
  [
    'a segment with everything said',
    { tcp: { ...to6, sourcePort: 1, destinationPort: 2, flags: 0x10 } },
    ipv6(SIX).tcp({ sourcePort: 1, destinationPort: 2, flags: 0x10 }).bytes(),
  ],
  [
    'a segment without flags',
    { tcp: { ...to4, flags: 0 } },
    ipv4(FOUR).tcp({ destinationPort: 80, flags: 0 }).bytes(),
  ],
])('%s', (_what, step, expected) => {
  expect(sent(step)).toBe(toHex(expected));
});

describe('a packet as bytes', () => {
  const bytes = (given: Parameters<typeof ipv4>[0] = {}): Uint8Array => ipv4(given).udp().bytes();
  const send =
    (hex: Uint8Array): (() => string) =>
    () =>
      sent({ packet: { from: 'client', hex } });

  it.each<[what: string, hex: Uint8Array]>([
    ['IPv4', bytes()],
    ['a wrong upper checksum', ipv4().udp({ checksum: 5 }).bytes()],
    ['IPv6', ipv6().udp().bytes()],
    ['IPv6 whose length is not true', ipv6({ payloadLength: 3 }).udp().bytes()],
  ])('is sent as it is: %s', (_what, hex) => {
    expect(send(hex)()).toBe(toHex(hex));
  });

  it.each<[why: string, hex: Uint8Array]>([
    ['it does not begin with a whole IPv4 or IPv6 header', bytes().subarray(0, 19)],
    ['it does not begin with a whole IPv4 or IPv6 header', ipv6().bytes().subarray(0, 39)],
    ['it does not begin with a whole IPv4 or IPv6 header', new Uint8Array(0)],
    ['its total length is 29, and it has 28 bytes', bytes({ totalLength: 29 })],
    ['its total length is 28, and it has 29 bytes', Uint8Array.from([...bytes(), 0])],
    ['its identification is 0: the kernel would choose one', bytes({ identification: 0 })],
    ['its source is 0.0.0.0: the kernel would choose one', bytes({ source: '0.0.0.0' })],
    ['its header checksum is wrong: the kernel would right it', bytes({ checksum: 5 })],
  ])('is refused: %s', (why, hex) => {
    expect(send(hex)).toThrow(why);
  });
});

it.each<[why: string, step: StepShape]>([
  ['nothing is sent', {}],
  ['10.11.1.2 and fc00:dead:cafe:1::1 are of two families', { ping: { ...to6, source: '10.11.1.2' } }],
  ['fc00::2 and 10.11.1.1 are of two families', { tcp: { ...to4, source: 'fc00::2' } }],
  ['client has no route to 192.0.2.1, or no address for it', { udp: { ...to4, to: '192.0.2.1' } }],
  ['client has no route to 2001:db8::1, or no address for it', { udp: { ...to4, to: '2001:db8::1' } }],
])('is refused: %s', (why, step) => {
  expect(() => sent(step)).toThrow(why);
});

it('comes from an address of another device where the one that it leaves by has none', () => {
  const [device] = client!.devices;
  const bare = { ...device!, name: 'veth1', ifindex: 99, addresses: [] };
  const namespace = { ...client!, devices: [bare, device!], routes: [{ to: '192.0.2.0/24', ifindex: 99 }] };
  const bytes = buildSending({ ping: { from: 'client', to: '192.0.2.1', payload: 0 } }, namespace);
  expect(toHex(bytes)).toBe(
    toHex(
      ipv4({ ...FOUR, destination: '192.0.2.1' })
        .echoRequest()
        .bytes(),
    ),
  );
});

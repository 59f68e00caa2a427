import { expect, it } from 'vitest';
import { ethernet } from '../packet/build.ts';
import type { Hook } from '../runtime/actions.ts';
import { asReceived, onTheWire } from './received.ts';

const on = (hook: Hook) => ({ entries: [{ function: 'f', hook }] });
const bare = ethernet().ipv4().bytes();
const tagged = ethernet().vlan({ id: 100, priority: 3 }).ipv4().bytes();

it('takes the first tag out of a frame at TC ingress, and puts it beside', () => {
  const received = asReceived(on('tc-ingress'), { packet: tagged, ingressIfindex: 5, skb: { mark: 1 } });
  expect(received).toEqual({
    packet: bare,
    ingressIfindex: 5,
    skb: { mark: 1, vlan: { proto: 0x8100, tci: 0x6064 } },
  });
});

it('takes it out of what is linear', () => {
  const linear = (came: number): number | undefined =>
    asReceived(on('tc-ingress'), { packet: tagged, skb: { linear: came } }).skb!.linear;
  expect([linear(30), linear(14)]).toEqual([26, 16]);
});

it('leaves the second tag in the bytes', () => {
  const packet = ethernet().vlan({ service: true, id: 7 }).vlan({ id: 100, priority: 3 }).ipv4().bytes();
  expect(asReceived(on('tc-ingress'), { packet })).toEqual({
    packet: tagged,
    skb: { vlan: { proto: 0x88a8, tci: 7 } },
  });
});

it('leaves everything else as it is', () => {
  const cut = tagged.subarray(0, 19);
  for (const [hook, stimulus] of [
    ['xdp', { packet: tagged }],
    ['tc-egress', { packet: tagged }],
    ['tc-ingress', { packet: bare }],
    ['tc-ingress', { packet: cut }],
    ['tc-ingress', { packet: tagged, skb: { vlan: { tci: 1 } } }],
    ['tc-ingress', { packet: tagged, entry: 1 }],
  ] as const)
    expect(asReceived(on(hook), stimulus)).toBe(stimulus);
});

it('puts the tag that lies beside a frame back into its bytes, and leaves others as they are', () => {
  const second = ethernet().vlan({ service: true, id: 7 }).vlan({ id: 100, priority: 3 }).ipv4().bytes();
  for (const packet of [tagged, second]) {
    const came = { packet, ingressIfindex: 5, skb: { mark: 1, linear: 40 } };
    expect(onTheWire(asReceived(on('tc-ingress'), came))).toEqual(came);
    expect(onTheWire(asReceived(on('tc-ingress'), { packet }))).toEqual({ packet });
  }
  expect(onTheWire({ packet: bare, skb: { vlan: { tci: 0x6064 } } })).toEqual({ packet: tagged });
  for (const stimulus of [{ packet: bare }, { packet: tagged, skb: { mark: 1 } }])
    expect(onTheWire(stimulus)).toBe(stimulus);
});

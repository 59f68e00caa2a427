import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachXdp } from '../kernel/libbpf/attach.ts';
import { BpfObject } from '../kernel/libbpf/object.ts';
import { createWorldNetwork, type WorldNetwork } from '../kernel/network/world-network.ts';
import { ping } from '../kernel/ping/ping.ts';
import { Observers } from '../kernel/veth/observer.ts';
import { XDP_PASS, XDP_TX } from '../sim/runtime/actions.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const NEAR4 = '10.11.1.2';
const NEAR6 = 'fc00:dead:cafe:1::2';
const FAR4 = '10.11.1.1';
const FAR6 = 'fc00:dead:cafe:1::1';
const FAR_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x09);

/** One host that believes that a neighbour lives at the other end of the wire. Nobody does: only the program is there. */
const WORLD: World = {
  devices: [
    {
      ifindex: 10,
      name: 'near',
      mac: Uint8Array.of(0x02, 0, 0, 0, 0, 0x08),
      addresses: [`${NEAR4}/24`, `${NEAR6}/64`],
    },
  ],
  neighbours: [
    { ifindex: 10, address: FAR4, mac: FAR_MAC },
    { ifindex: 10, address: FAR6, mac: FAR_MAC },
  ],
};

const COUNT = 300;

describeKernel('a ping through the kernel’s own stack', ['root', 'testrun', 'ping'], () => {
  let network: WorldNetwork;
  let object: BpfObject;
  let observers: Observers;

  beforeAll(async () => {
    network = await createWorldNetwork(WORLD);
    const file = new URL('../bpf/built/icmp_echo.o', import.meta.url);
    object = new BpfObject(readFileSync(file), {
      name: 'icmp_echo',
      file: 'icmp_echo.o',
      entries: [{ function: 'icmp_echo', hook: 'xdp' }],
    });
    observers = new Observers(1);
    attachXdp(network.outside, 10, object.programs[0]!.fd);
    // A frame sent back by XDP_TX arrives only where the other end runs a native program too.
    attachXdp(network.inside, 10, observers.program(0, { type: 'xdp', action: XDP_PASS }));
  });

  afterAll(() => {
    object?.close();
    observers?.close();
    network?.close();
  });

  describe.each([
    { family: 'IPv4', from: NEAR4, to: FAR4 },
    { family: 'IPv6', from: NEAR6, to: FAR6 },
  ])('over $family', ({ from, to }) => {
    it.each([0, 1, 56, 57, 1400])(
      `is answered ${COUNT} times by the program, with %i bytes of payload`,
      async (payload) => {
        const before = sentBack(object);
        const report = await ping(network.inside, { from, to, count: COUNT, payload });
        expect(report).toEqual({ sent: COUNT, answered: COUNT, faults: [] });
        expect(sentBack(object) - before).toBe(COUNT);
      },
    );

    it('is not answered when nobody is there, which tells that the replies came from the program', async () => {
      attachXdp(network.outside, 10, -1);
      try {
        const report = await ping(network.inside, { from, to, count: 2, patience: 200 });
        expect(report).toMatchObject({ sent: 2, answered: 0 });
      } finally {
        attachXdp(network.outside, 10, object.programs[0]!.fd);
      }
    });
  });
});

/** How many packets `xdp_stats_map` has counted as XDP_TX. */
function sentBack(object: BpfObject): number {
  const { value } = object.map('xdp_stats_map')!.snapshot().list()[XDP_TX]!;
  return Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true));
}

/** Sound packets that ask for another route than the packets they were made of. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data, ethernet, ipv6, udp, V6_A } from '../test-support/packets.ts';
import { SoundRoutes } from './sound-routes.ts';

const router: Program = {
  name: 'router',
  entries: programByName('router')!.entries.map(({ model: _, ...entry }) => entry),
  object: readFileSync(new URL('../../bpf/built/router.o', import.meta.url)),
};

const mac = Uint8Array.of(2, 0, 0, 0, 1, 1);

/** A world with a route to this address alone. */
const worldTo = (address: string): World => ({
  devices: [2, 3].map((ifindex) => ({
    ...{ ifindex, name: `dev${ifindex}`, mac: Uint8Array.of(2, 0, 0, 0, 0, ifindex), mtu: 1500 },
    ...{ forwarding: true, addresses: [`fd00:${ifindex}::1/64`] },
  })),
  routes: [{ to: `${address}/128`, ifindex: 3 }],
  neighbours: [{ ifindex: 3, address, mac }],
});

const packetTo = (last: number): Uint8Array => {
  const to = [0x20, 0x01, 0x0d, 0xb8, ...new Uint8Array(11), last];
  return ethernet(0x86dd, ipv6(17, udp(data(8), V6_A, to), V6_A, to));
};

const caseOf = (world: World, packet: Uint8Array) => ({
  program: 'router',
  world,
  stimuli: [{ packet, ingressIfindex: 2 }],
});

describe('the sound packet of a case that was looked for', () => {
  const found = caseOf(worldTo('2001:db8::5'), packetTo(5));

  it('gets a route to the address that it asks for, as the case had one', () => {
    const sound = caseOf(found.world, packetTo(9));
    const [routed, ...others] = new SoundRoutes(router).casesFor(found, [sound]);
    expect(others).toEqual([]);
    expect(routed!.stimuli).toEqual(sound.stimuli);
    expect(routed!.world.routes!.map(({ to }) => to)).toEqual(['2001:db8::5/128', '2001:db8::9/128']);
    expect(routed!.world.neighbours!.map(({ address }) => address)).toEqual(['2001:db8::5', '2001:db8::9']);
  });

  it('gets none where one of them is answered as the case is', () => {
    const sound = [caseOf(found.world, packetTo(9)), caseOf(found.world, packetTo(5))];
    expect(new SoundRoutes(router).casesFor(found, sound)).toEqual([]);
  });

  it('gets none where the case had none, and where it asks for none', () => {
    const none = caseOf({ ...found.world, routes: [] }, packetTo(5));
    expect(new SoundRoutes(router).casesFor(none, [caseOf(none.world, packetTo(9))])).toEqual([]);
    const other = caseOf(found.world, ethernet(0x88cc, data(50)));
    expect(new SoundRoutes(router).casesFor(found, [other])).toEqual([]);
    expect(new SoundRoutes(router).casesFor(found, [])).toEqual([]);
  });

  it('gets one of a few only: each takes another world', () => {
    const routes = new SoundRoutes(router);
    const all = Array.from({ length: 12 }, (_, index) =>
      routes.casesFor(found, [caseOf(found.world, packetTo(16 + index))]),
    );
    expect(all.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  });
});

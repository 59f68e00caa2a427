/**
 * Worlds with sockets: what a program finds of them, and sees of what it finds, in both machines and in the kernel, where
 * they are really open.
 */
import { expect, it } from 'vitest';
import { createWorldNetwork } from '../kernel/network/world-network.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { canBeOpen, endpointFromText } from '../sim/runtime/sockets.ts';
import type { Socket, World } from '../sim/runtime/world.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { part } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** Each opens a network of its own. */
const KINDS = [
  ['tcp', 0],
  ['tcp', 2],
  ['udp', 0],
  ['udp', 2],
] as const;

const WORLD: World = {
  cpu: 0,
  devices: [
    {
      ifindex: 2,
      name: 'one',
      mac: Uint8Array.of(2, 0, 0, 0, 0, 2),
      addresses: ['10.0.0.1/24', 'fc00::1/64'],
    },
    { ifindex: 3, name: 'two', mac: Uint8Array.of(2, 0, 0, 0, 0, 3) },
  ],
  routes: [{ to: '192.0.2.0/24', ifindex: 2, via: '10.0.0.9' }],
  sockets: [
    { protocol: 'tcp', local: '10.0.0.1:80' },
    { protocol: 'tcp', local: '10.0.0.1:80', remote: '10.0.0.9:4000', mark: 7 },
    { protocol: 'tcp', local: '198.51.100.7:81', remote: '192.0.2.1:4000' },
    { protocol: 'tcp', local: '[::]:443', mark: 0x1_0203 },
    { protocol: 'tcp', local: '[fc00::1]:443', remote: '[fc00::9]:5000' },
    { protocol: 'tcp', local: '[2001:db8::1]:8080' },
    { protocol: 'tcp', local: '0.0.0.0:22', ifindex: 3 },
    { protocol: 'udp', local: '0.0.0.0:53' },
    { protocol: 'udp', local: '10.0.0.1:53', remote: '10.0.0.9:53' },
    { protocol: 'udp', local: '[::]:5353' },
    { protocol: 'udp', local: '[fc00::1]:5353', remote: '[fc00::9]:6000', ifindex: 2 },
  ],
};

/** Ends of connections that are there, almost there, and not there. */
const FOUR = ['10.0.0.1:80', '10.0.0.9:4000', '10.0.0.9:4001', '198.51.100.7:81', '192.0.2.1:4000'].concat([
  '10.0.0.1:443',
  '10.0.0.7:22',
  '10.0.0.1:53',
  '10.0.0.9:53',
  '10.0.0.2:53',
  '10.0.0.2:5353',
  '10.0.0.1:8080',
]);
const SIX = [
  '[fc00::1]:443',
  '[fc00::9]:5000',
  '[fc00::9]:5001',
  '[2001:db8::1]:8080',
  '[2001:db8::2]:8080',
].concat(['[fc00::1]:5353', '[fc00::9]:6000', '[fc00::1]:53', '[::ffff:10.0.0.1]:443', '[2001:db8::1]:80']);

/** Where the tuple is: in the fixture's request, which begins behind the Ethernet header, on a multiple of 4. */
const TUPLE = 14 + 4;

/** The fixture's request: a choice of the helper, flags, and the tuple. */
function request(choice: number, flags: number, from: string, to: string): Uint8Array {
  const packet = new Uint8Array(80);
  const source = endpointFromText(from);
  const destination = endpointFromText(to);
  const { length } = source.address;
  packet[14] = choice | (length === 16 ? 4 : 0);
  packet[15] = flags;
  packet.set(source.address, TUPLE);
  packet.set(destination.address, TUPLE + length);
  const view = new DataView(packet.buffer);
  view.setUint16(TUPLE + 2 * length, source.port);
  view.setUint16(TUPLE + 2 * length + 2, destination.port);
  return packet;
}

function requests(entry: number): PacketBatch {
  const packets: Uint8Array[] = [];
  for (const ends of [FOUR, SIX]) {
    for (const from of ends) {
      for (const to of ends) {
        for (const choice of [0, 1, 2]) {
          packets.push(request(choice, (packets.length * 37) & 0xff, from, to));
        }
      }
    }
  }
  const batch = new PacketBatch(3 * packets.length);
  for (const ingressIfindex of [1, 2, 3]) {
    for (const packet of packets) batch.push({ packet, entry, ingressIfindex });
  }
  return batch;
}

describeKernel('the sockets of a world', ['testrun', 'compiler', 'linux 6.12'], () => {
  const program = compileProgram('kernel-tests/fixtures/world-sockets.bpf.c');
  const found = (lines: readonly string[], action: number): number =>
    lines.filter((line) => line.startsWith(`${line.split(':')[0]}: 0 ${action} `)).length;

  it('are found by XDP programs in machine and kernel, with the same fields', async () => {
    const entry = program.entries.findIndex((one) => one.function === 'find_xdp');
    const lines = await expectAgreement(program, requests(entry), WORLD);
    // XDP_PASS: found; XDP_TX: found by bpf_skc_lookup_tcp.
    expect(found(lines, 2)).toBeGreaterThan(100);
    expect(found(lines, 3)).toBeGreaterThan(50);
    expect(found(lines, 1)).toBeGreaterThan(100);
  });

  it('are found by TC programs, with the fields of TCP, and hold values from frame to frame', async () => {
    const entry = program.entries.findIndex((one) => one.function === 'find_tc');
    const lines = await expectAgreement(program, requests(entry), WORLD);
    expect(found(lines, 0)).toBeGreaterThan(100);
  });

  it('are not the kernel’s structures: what reads them, the machines leave to the kernel', async () => {
    const entry = program.entries.findIndex((one) => one.function === 'read_struct');
    const batch = new PacketBatch(2);
    batch.push({ packet: request(0, 0, '10.0.0.9:4000', '10.0.0.1:80'), entry });
    batch.push({ packet: request(0, 0, '10.0.0.9:4000', '10.0.0.1:79'), entry });
    for (const [engine, status] of [
      [createTestRunEngine(), STATUS.ran],
      [createVmEngine(), STATUS.fault],
      [createWasmEngine(), STATUS.fault],
    ] as const) {
      const session = await engine.open(program, WORLD);
      const output = new OutcomeBatch(2);
      await session.run(batch, output);
      await session.close();
      expect([...output.status.subarray(0, 2)]).toEqual([status, STATUS.ran]);
      if (status === STATUS.fault) expect(output.notes.get(0)?.message).toMatch(/kernel's own structures/);
    }
  });

  it('cannot be on the addresses that no socket has, in the kernel’s view and in ours', async () => {
    const devices = WORLD.devices!;
    const addresses = ['ff01::1', 'ff02::1', 'ff0e::1', 'fe80::1', 'fec0::1', '::1'].map((one) => `[${one}]`);
    for (const address of [
      ...addresses,
      '224.0.0.1',
      '255.255.255.255',
      '240.0.0.1',
      '127.0.0.1',
      '10.0.0.255',
    ]) {
      for (const [protocol, ifindex] of part(KINDS, 3)) {
        const socket: Socket = { protocol, local: `${address}:4321`, ifindex };
        const opening = createWorldNetwork({ devices, sockets: [socket] });
        const kernel = await opening.then(
          (network) => {
            network.close();
            return true;
          },
          (error: unknown) => {
            expect(error).toMatchObject({ kind: 'input', ofWorld: true });
            return false;
          },
        );
        expect([socket, canBeOpen([socket])]).toEqual([socket, kernel]);
      }
    }
  });

  it.each([
    [
      'two that cannot be open together',
      [{ local: '0.0.0.0:80' }, { local: '10.0.0.1:80' }],
      /open together/,
    ],
    ['a device that is not there', [{ local: '10.0.0.1:80', ifindex: 9 }], /no device 9/],
    ['an address that is none', [{ local: 'host:80' }], /not an address with a port/],
  ])('are bad input with %s', async (_, sockets, message) => {
    const world = { sockets: sockets.map((one): Socket => ({ protocol: 'tcp', ...one })) };
    const opening = createTestRunEngine().open(program, world);
    await expect(opening).rejects.toMatchObject({ kind: 'input', message: expect.stringMatching(message) });
  });
});

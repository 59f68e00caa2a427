/** What VXLAN devices with `external` leave with a frame is what the machine shows for one that is stated to come out of a tunnel. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PacketSocket } from '../kernel/frames/packet-socket.ts';
import { attachTc } from '../kernel/libbpf/attach.ts';
import { BpfObject } from '../kernel/libbpf/object.ts';
import { createNetns, type Netns } from '../kernel/network/netns.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { packet } from '../sim/packet/build.ts';
import { toHex } from '../sim/packet/bytes.ts';
import { PacketBatch, type SkbTunnel } from '../sim/packet/packet-batch.ts';
import { compileProgram } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PORT = 4789;
const NEAR = '02:00:00:00:00:01';
const FAR = '02:00:00:00:00:02';
const TYPE = 0x88b5;
const SEEN_AT = 20;

/** The frame in the tunnel. */
function inner(flags: number, out: number): Uint8Array {
  const frame = new Uint8Array(100);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 3]);
  view.setUint16(12, TYPE);
  frame[14] = flags;
  view.setUint32(16, out, true);
  return frame;
}

/** VXLAN with a group policy, if any (draft-smith-vxlan-group-policy). */
function vxlan(vni: number, policy: number | undefined, frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + frame.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = policy === undefined ? 0x08 : 0x88;
  view.setUint16(2, policy ?? 0);
  view.setUint32(4, vni << 8);
  bytes.set(frame, 8);
  return bytes;
}

describeKernel('frames out of a VXLAN device', ['root', 'testrun', 'compiler'], () => {
  let near: Netns;
  let far: Netns;
  let object: BpfObject;
  let socket: PacketSocket;
  let out = 0;
  const program = compileProgram('kernel-tests/frames/tunnel_seen.bpf.c');
  const arrived: Uint8Array[] = [];
  beforeAll(() => {
    near = createNetns();
    far = createNetns();
    near.ip([
      `link add near address ${NEAR} type veth peer name far address ${FAR} netns ${far.name}`,
      'link set near up',
    ]);
    far.ip([
      'link set lo up',
      'link set far up',
      'addr add 192.0.2.2/24 dev far',
      'addr add 2001:db8::2/64 dev far nodad',
      `link add out0 type vxlan external gbp dstport ${PORT}`,
      'link set out0 up',
    ]);
    object = new BpfObject(program.object!, {
      name: program.name,
      file: program.name,
      entries: program.entries,
    });
    const ifindex = (name: string): number =>
      Number(
        far
          .enter(() => readFileSync(`/proc/thread-self/net/dev_snmp6/${name}`, 'utf8'))
          .match(/ifIndex\s+(\d+)/)![1],
      );
    out = ifindex('far');
    attachTc(far, ifindex('out0'), 'ingress', object.programs[0]!.fd);
    socket = new PacketSocket(near, 'near', 64, (bytes, length) => {
      if (bytes.readUInt16BE(12) === TYPE) arrived.push(Uint8Array.from(bytes.subarray(0, length)));
    });
  });
  afterAll(() => {
    socket?.close();
    object?.close();
    near?.close();
    far?.close();
  });

  async function throughDevice(outer: Uint8Array): Promise<Uint8Array> {
    arrived.length = 0;
    socket.send(Buffer.from(outer), 0, outer.length);
    for (let round = 0; round < 200 && arrived.length === 0; round++) {
      await sleep(10);
      socket.poll();
    }
    return arrived[0]!;
  }

  async function inMachine(frame: Uint8Array, tunnel: SkbTunnel): Promise<Uint8Array> {
    const batch = new PacketBatch(1);
    batch.push({ packet: frame, skb: { tunnel } });
    const output = new OutcomeBatch(1);
    const session = await createVmEngine().open(program, {});
    session.run(batch, output);
    await session.close();
    return output.bytes.slice(output.offset[0]!, output.offset[0]! + output.length[0]!);
  }

  const POLICY = { flags: 0x1004, options: '34120000' };
  it.each([
    ['IPv4', 0, { checksum: 0 }, undefined, { flags: 0x0004 }],
    ['IPv4, with its flags', 16, { checksum: 0 }, undefined, { flags: 0x0004 }],
    ['IPv4, with a checksum', 16, {}, undefined, { flags: 0x0005 }],
    ['IPv4, with a group policy', 16, { checksum: 0 }, 0x1234, POLICY],
    ['IPv4, asked for IPv6', 1, { checksum: 0 }, undefined, { flags: 0x0004 }],
  ] as const)('over %s', async (_what, flags, udp, policy, more) => {
    const frame = inner(flags, out);
    const outer = packet
      .ethernet({ source: NEAR, destination: FAR })
      .ipv4({ source: '192.0.2.1', destination: '192.0.2.2', tos: 0x28, ttl: 33 })
      .udp({ sourcePort: 1000, destinationPort: PORT, ...udp })
      .payload(vxlan(77, policy, frame))
      .bytes();
    const tunnel = { id: 77, remote: '192.0.2.1', local: '192.0.2.2', tos: 0x28, ttl: 33, ...more };
    const got = await throughDevice(outer);
    expect(toHex(got, SEEN_AT)).toBe(toHex(await inMachine(frame, tunnel), SEEN_AT));
  });

  it.each([
    ['IPv6', 1],
    ['IPv6, with its flags', 17],
    ['IPv6, asked for IPv4', 0],
  ])('over %s', async (_what, flags) => {
    const frame = inner(flags, out);
    const outer = packet
      .ethernet({ source: NEAR, destination: FAR })
      .ipv6({
        source: '2001:db8::1',
        destination: '2001:db8::2',
        trafficClass: 0x28,
        hopLimit: 33,
        flowLabel: 0x12345,
      })
      .udp({ sourcePort: 1000, destinationPort: PORT })
      .payload(vxlan(78, undefined, frame))
      .bytes();
    const ends = { remote: '2001:db8::1', local: '2001:db8::2' };
    const tunnel = { id: 78, ...ends, tos: 0x28, ttl: 33, label: 0x12345, flags: 0x0005 };
    const got = await throughDevice(outer);
    expect(toHex(got, SEEN_AT)).toBe(toHex(await inMachine(frame, tunnel), SEEN_AT));
  });
});

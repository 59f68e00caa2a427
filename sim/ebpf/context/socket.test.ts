/** What a frame makes of the socket that it belongs to, field by field, against the frame's own bytes. */
import { describe, expect, it } from 'vitest';
import { LinearMemory, PACKET_BASE, SOCKET_BASE } from '../memory.ts';
import { fillSocket, SOCKET, SOCKET_SIZE, socketRow, writeSocket } from './socket.ts';

const AF_INET = 2;
const AF_INET6 = 10;

/** Each byte another number, and the type where Ethernet has it. */
function frame(type: number, length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, index) => (index + 101) & 0xff);
  bytes.set([type >> 8, type & 0xff], 12);
  return bytes;
}

/** The socket's bytes once a frame has come, after one that left all of them set. */
function socketOf(packet: Uint8Array, length: number = packet.length): Uint8Array {
  const memory = new LinearMemory();
  memory.u8.fill(0xee, SOCKET_BASE, SOCKET_BASE + SOCKET_SIZE);
  memory.u8.set(packet, PACKET_BASE);
  writeSocket(memory);
  fillSocket(memory, PACKET_BASE, length);
  return memory.read(SOCKET_BASE, SOCKET_SIZE);
}

/** A closed socket of one family, with these bytes in it. */
function expected(family: number, parts: readonly (readonly [at: number, bytes: Uint8Array])[]): Uint8Array {
  const bytes = new Uint8Array(SOCKET_SIZE);
  bytes[SOCKET.family] = family;
  bytes[SOCKET.state] = 7;
  bytes.fill(0xff, SOCKET.rxQueueMapping);
  for (const [at, part] of parts) bytes.set(part, at);
  return bytes;
}

describe('the socket of a frame', () => {
  it('has the addresses of an IPv4 header, and nothing else of what came before', () => {
    const packet = frame(0x0800, 60);
    const addresses = [
      [SOCKET.srcIp4, packet.subarray(26, 30)],
      [SOCKET.dstIp4, packet.subarray(30, 34)],
    ] as const;
    expect(socketOf(packet)).toEqual(expected(AF_INET, addresses));
    expect(socketOf(packet, 34)).toEqual(expected(AF_INET, addresses));
  });

  it('has the addresses of an IPv6 header', () => {
    const packet = frame(0x86dd, 80);
    const addresses = [
      [SOCKET.srcIp6, packet.subarray(22, 38)],
      [SOCKET.dstIp6, packet.subarray(38, 54)],
    ] as const;
    expect(socketOf(packet)).toEqual(expected(AF_INET6, addresses));
    expect(socketOf(packet, 54)).toEqual(expected(AF_INET6, addresses));
  });

  it('has no addresses where the header is cut short, and no family where it is none of IP', () => {
    expect(socketOf(frame(0x0800, 60), 33)).toEqual(expected(AF_INET, []));
    expect(socketOf(frame(0x86dd, 80), 53)).toEqual(expected(AF_INET6, []));
    for (const type of [0x0806, 0x0008, 0x8100]) expect(socketOf(frame(type, 80))).toEqual(expected(0, []));
  });

  it('is in the row that its address is in, whatever its form', () => {
    expect([0, 79, 80, 255, 256, 511].map((at) => socketRow(SOCKET_BASE + at))).toEqual([0, 0, 0, 0, 1, 1]);
  });
});

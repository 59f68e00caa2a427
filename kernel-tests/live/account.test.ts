import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';

describeKernel('account in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('makes 490 bytes each way of five default pings over IPv4', () => {
    const lab = laboratory();
    expect(lab.load('left', 'account').map(({ hook }) => hook)).toEqual(['tc-ingress', 'tc-egress']);
    expect(lab.ping('left', lab.net('left').outer.ipv4, { count: 5 }).received).toBe(5);
    expect(lab.entries('left', 'acc_map')).toEqual([
      { key: 0, value: 490 },
      { key: 1, value: 490 },
    ]);
  });

  it('makes 590 bytes each way of five default pings over IPv6', () => {
    const lab = laboratory();
    lab.load('left', 'account');
    expect(lab.ping('left', lab.net('left').outer.ipv6, { count: 5 }).received).toBe(5);
    expect(lab.entries('left', 'acc_map').map((entry) => entry.value)).toEqual([590, 590]);
  });

  it('counts both directions apart', async () => {
    const lab = laboratory();
    lab.load('left', 'account');
    const { inner } = lab.net('left');
    // Nobody inside listens: a datagram of 100 bytes goes out, and an ICMP error with 28 more comes in.
    const script = `const socket = require('node:dgram').createSocket('udp4');
      socket.send(Buffer.alloc(58), 9, process.argv[1], () => { socket.close(); console.log('sent'); });`;
    const sender = lab.start(lab.lab.outside, process.execPath, ['-e', script, inner.ipv4]);
    await sender.line((line) => line === 'sent');
    expect(lab.entries('left', 'acc_map').map((entry) => entry.value)).toEqual([128, 100]);
  });
});

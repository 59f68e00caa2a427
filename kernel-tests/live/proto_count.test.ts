import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { type Laboratory, useLaboratory } from './laboratory.ts';
import { until } from './tools.ts';

const UDP = `
  const socket = require('node:dgram').createSocket('udp' + process.argv[1]);
  let left = Number(process.argv[3]);
  const next = () => left-- > 0 ? socket.send('x', 9, process.argv[2], next) : socket.close();
  next();
`;

/** Sends datagrams that nobody answers, and waits until they are gone. */
async function sendUdp(lab: Laboratory, family: 4 | 6, to: string, count: number): Promise<void> {
  const sender = lab.start(lab.lab.inside('left'), process.execPath, [
    '-e',
    `${UDP}; process.on('exit', () => console.log('sent'));`,
    String(family),
    to,
    String(count),
  ]);
  await sender.line((line) => line === 'sent');
}

describeKernel('proto_count in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('counts known traffic by protocol, and drops it', async () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    lab.load('left', 'proto_count');
    expect(lab.ping('left', outer.ipv4, { count: 5, dies: true }).received).toBe(0);
    expect(lab.ping('left', outer.ipv6, { count: 7, dies: true }).received).toBe(0);
    await sendUdp(lab, 4, outer.ipv4, 11);
    await sendUdp(lab, 6, outer.ipv6, 2);
    await until('the last datagram is counted', () => lab.protocols('left')[17] === 13);
    expect(lab.protocols('left')).toEqual({ 1: 5, 17: 13, 58: 7 });
  });

  it('counts a connection attempt that it lets die', async () => {
    const lab = laboratory();
    lab.load('left', 'proto_count');
    const client = lab.connectTcp(lab.lab.inside('left'), lab.net('left').outer.ipv6, 80);
    await until('a SYN is counted', () => (lab.protocols('left')[6] ?? 0) > 0);
    expect(client.lines).toEqual([]);
    expect(Object.keys(lab.protocols('left'))).toEqual(['6']);
  });
});

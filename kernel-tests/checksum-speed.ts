/**
 * How much faster `xdpsim checksum` is than tshark with all its checks, over the same files: processor time of whole
 * processes, interleaved, medians. The second figure leaves out what both take to start: the time for a large capture less that for a small
 * one, per packet.
 *
 *     npm run build && npx tsx kernel-tests/checksum-speed.ts [ROUNDS]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PcapEncoder } from '../corpus/formats/pcap.ts';
import { packageFile } from '../kernel/package-file.ts';
import { ethernet } from '../sim/packet/build.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
/** 30 MB, and 16 times as much for the one that does not spend its time on starting. */
const SMALL = 240_000;
const LARGE: number = 16 * SMALL;

/** The status of every checksum of every packet: what a script that looks for wrong ones asks for. */
const TSHARK = [
  ...['-n', '-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'],
  ...['-T', 'fields'],
  ...['ip', 'tcp', 'udp', 'icmp', 'icmpv6'].flatMap((protocol) => ['-e', `${protocol}.checksum.status`]),
];

/** Frames as they are met: TCP, UDP and ICMP, over IPv4 and IPv6, of 98 to 140 bytes. */
function capture(packets: number): Uint8Array {
  const frames = Array.from({ length: 400 }, (_, index) => {
    const data = Uint8Array.from({ length: 56 + (index % 3) }, (_value, at) => at * index);
    const stack = [
      ethernet().ipv4({}).tcp({ sequence: index }),
      ethernet()
        .ipv4({})
        .udp({ sourcePort: 4000 + index, destinationPort: 5000 }),
      ethernet().ipv6({}).tcp({ sequence: index }),
      ethernet().ipv4({}).echoRequest({ sequence: index }),
    ][index % 4]!;
    return stack.payload(data).bytes();
  });
  const encoder = new PcapEncoder();
  for (let index = 0; index < packets; index++) {
    const frame = frames[index % frames.length]!;
    encoder.packet(frame, 0, frame.length, 0, index);
  }
  return encoder.take();
}

// Certificates that Node reads whenever it starts take it twice as long as all the rest of its start, and are a matter of the machine.
const ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C' };
delete ENVIRONMENT.NODE_EXTRA_CA_CERTS;

/** Seconds of processor time, user's and system's: what other processes do meanwhile hardly counts. */
function time(command: string, args: readonly string[]): number {
  const script = 'TIMEFORMAT=\'%U %S\'; time "$0" "$@" > /dev/null 2>&1';
  const { status, stderr } = spawnSync('bash', ['-c', script, command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: ENVIRONMENT,
  });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  const [user, system] = stderr.trim().split(' ').map(Number) as [number, number];
  return user + system;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-speed-'));
try {
  const small = join(scratch, 'small.pcap');
  const large = join(scratch, 'large.pcap');
  const bytes = capture(SMALL);
  writeFileSync(small, bytes);
  // The same packets again and again, behind one header.
  writeFileSync(large, bytes);
  for (let times = 1; times < LARGE / SMALL; times++) writeFileSync(large, bytes.subarray(24), { flag: 'a' });
  const ours = (file: string): number =>
    time(process.execPath, [packageFile('dist/bin/xdpsim.cjs'), 'checksum', file]);
  const theirs = (file: string, packets: number): number =>
    time('tshark', [...TSHARK, '-c', String(packets), '-r', file]);
  const rows = Array.from({ length: ROUNDS }, () => {
    const tshark = theirs(small, SMALL);
    const tsharkStart = theirs(small, 1);
    const xdpsim = ours(small);
    const xdpsimLarge = ours(large);
    const perPacket = (tshark - tsharkStart) / SMALL;
    return {
      whole: tshark / xdpsim,
      steady: perPacket / ((xdpsimLarge - xdpsim) / (LARGE - SMALL)),
      megabytes: ((bytes.length / 1e6) * (LARGE / SMALL - 1)) / (xdpsimLarge - xdpsim),
    };
  });
  const show = (what: string, value: (row: (typeof rows)[number]) => number): void => {
    const values = rows.map(value);
    const [least, most] = [Math.min(...values), Math.max(...values)].map((one) => one.toFixed(0));
    process.stdout.write(
      `${what.padEnd(52)} ${median(values).toFixed(0).padStart(6)}   ${least} … ${most}\n`,
    );
  };
  process.stdout.write(`${ROUNDS} rounds, median and range\n`);
  show(`whole process, ${SMALL} packets: tshark / xdpsim`, ({ whole }) => whole);
  show('per packet, start left out: tshark / xdpsim', ({ steady }) => steady);
  show('per packet: MB read in a second of it', ({ megabytes }) => megabytes);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

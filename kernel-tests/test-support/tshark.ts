/** What tshark says of packets, as a table. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** What decodes each packet by itself, without looking at others. */
const PREFERENCES = [
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
  'sctp.reassembly:FALSE',
].flatMap((preference) => ['-o', preference]);

/**
 * Some fields of each packet, a row each.
 * @param occurrence `f`: the first of each field, `a`: all, with commas between
 * @throws {Error} when tshark fails
 */
export function tsharkFields(
  file: string,
  frames: readonly Uint8Array[],
  names: readonly string[],
  occurrence: 'f' | 'a' = 'f',
  more: readonly string[] = [],
): string[][] {
  writeFileSync(file, pcapOf(frames));
  const columns = names.flatMap((name) => ['-e', name]);
  const run = spawnSync(
    'tshark',
    [
      ...['-n', '-r', file, ...PREFERENCES, ...more, '-T', 'fields'],
      ...['-E', 'separator=|', '-E', `occurrence=${occurrence}`, ...columns],
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 30, env: { ...process.env, LC_ALL: 'C' } },
  );
  if (run.status !== 0) throw new Error(`tshark: ${run.stderr}`);
  return run.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('|'));
}

function pcapOf(frames: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(24 + frames.reduce((total, { length }) => total + 16 + length, 0));
  bytes.set([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
  const view = new DataView(bytes.buffer);
  let at = 24;
  for (const frame of frames) {
    view.setUint32(at + 8, frame.length, true);
    view.setUint32(at + 12, frame.length, true);
    bytes.set(frame, at + 16);
    at += 16 + frame.length;
  }
  return bytes;
}

import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { packet } from '../../sim/packet/build.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-apart-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const at = (name: string): string => join(scratch, name);
const frame = packet.ethernet().ipv4().icmp().bytes();
const encoder = new PcapEncoder();
encoder.packet(frame, 0, frame.length, 0, 0);
const CAPTURE = encoder.take().slice();
writeFileSync(at('c.pcap'), CAPTURE);
writeFileSync(at('world.json'), '{}');
writeFileSync(at('prog.c'), 'int x;\n');
symlinkSync(at('c.pcap'), at('link.pcap'));

describe('a result in the place of what the command line names otherwise', () => {
  it.each([
    [['run', 'icmp_echo', at('c.pcap'), '--write', at('c.pcap')], '--write'],
    [['run', 'icmp_echo', '--packet', at('c.pcap'), '--write', at('link.pcap')], '--write'],
    [['corpus', 'generate', 'icmp_echo', '--world', at('world.json'), '--out', at('world.json')], '--out'],
    [
      ['corpus', 'generate', 'icmp_echo', '--map', `m=${at('world.json')}`, '--out', at('world.json')],
      '--out',
    ],
    [['corpus', 'convert', at('c.pcap'), '--world', at('world.json'), '--out', at('world.json')], '--out'],
    [['corpus', 'minimize', `${at('prog.c')}:f`, at('c.pcap'), '--out', at('prog.c')], '--out'],
    [['verify', 'icmp_echo', '--world', at('world.json'), '--junit', at('world.json')], '--junit'],
    [['verify', `${at('prog.c')}:f`, '--coverage', at('prog.c')], '--coverage'],
    [['check', at('prog.c'), '--sarif', at('prog.c')], '--sarif'],
    [['world', 'init', at('prog.c'), '--out', at('prog.c'), '--force'], '--out'],
    [['checksum', at('c.pcap'), '--fix', at('c.pcap')], '--fix'],
  ] as const)('%s', async (args, option) => {
    const { code, err } = await runInProcess(...args);
    expect([code, err]).toEqual([
      2,
      expect.stringContaining(`${option} names a file that is read: ${scratch}`),
    ]);
    expect(new Uint8Array(readFileSync(at('c.pcap')))).toEqual(CAPTURE);
    expect(readFileSync(at('world.json'), 'utf8')).toBe('{}');
    expect(readFileSync(at('prog.c'), 'utf8')).toBe('int x;\n');
  });

  it('is written where it has a name of its own, or replaces what is not read', async () => {
    writeFileSync(at('old.pcap'), 'old');
    expect(await runInProcess('run', 'icmp_echo', at('c.pcap'), '--write', at('old.pcap'))).toMatchObject({
      code: 0,
    });
    expect(readFileSync(at('old.pcap')).length).toBeGreaterThan(40);
    expect(await runInProcess('run', 'icmp_echo', at('c.pcap'), '--write', '-')).toMatchObject({ code: 0 });
  });

  it('is no other result', async () => {
    const { code, err } = await runInProcess('check', 'icmp_echo', '--junit', at('r'), '--sarif', at('r'));
    expect([code, err]).toEqual([2, expect.stringContaining('--junit and --sarif name the same file')]);
  });
});

/** `run`: packets that no kernel would bring to the program are left out, and named; what stands in maps is shown. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { saveCase } from '../corpus/cases/case.ts';
import { ethernet } from '../sim/packet/build.ts';
import { runInProcess } from './test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-run-refused-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const GOOD = hex(ethernet().ipv4().udp().bytes());
/** The kernel frees frames whose tag is cut off before TC ingress sees them. */
const CUT = hex(ethernet().vlan({ id: 5 }).bytes().subarray(0, 16));

it('runs the others, with their numbers, and counts what did not run', async () => {
  const { code, out, err } = await runInProcess('run', 'account', GOOD, CUT, GOOD);
  expect(code).toBe(0);
  expect(out).toMatch(
    /packet 1: TC_ACT_\w+[\s\S]*packet 2: did not run: the kernel takes[\s\S]*packet 3: TC_ACT_/,
  );
  expect(err).toContain('1 of 3 packets did not run, as engine vm refuses them; packet 2: the kernel takes');
  const json = await runInProcess('run', 'account', GOOD, CUT, GOOD, '--json');
  const document = JSON.parse(json.out);
  expect(document.packets.map(({ packet }: { packet: number }) => packet)).toEqual([1, 3]);
  expect(document.refused).toEqual([{ packet: 2, reason: expect.stringContaining('VLAN tag') }]);
});

it('is an error where none runs, and says nothing where all do', async () => {
  const none = await runInProcess('run', 'account', CUT);
  expect([none.code, none.out]).toEqual([2, '']);
  expect(none.err).toContain('engine vm refuses packet 1: the kernel takes the VLAN tag out');
  const all = await runInProcess('run', 'account', GOOD, '--json');
  expect(JSON.parse(all.out)).not.toHaveProperty('refused');
  expect(all.err).toBe('');
});

it('brings tags that lay beside generated frames back: they are in the bytes of a file', async () => {
  const file = join(scratch, 'account.pcapng');
  await runInProcess('corpus', 'generate', 'account', '--out', file, '--seed', '1', '--runs', '400');
  const { code, out } = await runInProcess('run', 'account', file, '--json');
  expect(code).toBe(0);
  const { packets, refused = [] } = JSON.parse(out);
  expect(packets.length + refused.length).toBe(400);
  expect(refused.length).toBeLessThan(8);
});

it('shows maps by the types of their keys and values', async () => {
  const { out } = await runInProcess('run', 'icmp_echo', GOOD);
  expect(out).toMatch(/^map xdp_stats_map .*\n {2}\d+ = \{"rx_packets":1,"rx_bytes":\d+\}$/m);
});

it('says how to run saved cases by themselves: those of several files, and those of one', async () => {
  const stimuli = [{ packet: ethernet().ipv4().udp().bytes() }];
  const [one, two] = ['it’s a.pcapng', 'b.pcapng'].map((name) => join(scratch, name)) as [string, string];
  await saveCase(one, { program: 'icmp_echo', world: { time: 1n }, stimuli });
  await saveCase(two, { program: 'icmp_echo', world: { time: 2n }, stimuli });
  const several = await runInProcess('run', 'icmp_echo', two, one);
  expect(several.code).toBe(2);
  expect(several.err).toContain(`this one with: npx xdpsim run icmp_echo --packet '${one}'\n`);
  const both = join(scratch, 'both.pcapng');
  writeFileSync(both, Buffer.concat([readFileSync(one), readFileSync(two)]));
  const single = await runInProcess('run', 'icmp_echo', both);
  expect(single.code).toBe(2);
  expect(single.err).toContain(`npx xdpsim corpus merge ${both} --out DIR\n`);
});

it('counts one of a thing as one', async () => {
  const file = join(scratch, 'one.pcapng');
  const made = await runInProcess('corpus', 'generate', 'icmp_echo', '--out', file, '--runs', '1');
  expect(`${made.out}${made.err}`).toContain(': 1 packet, seed');
  const verified = await runInProcess('verify', 'xdp_pass', '--engines', 'wasm', '--runs', '1', '--no-guide');
  expect(verified.out).not.toMatch(/\b1 packets/);
  expect((await runInProcess('run', 'xdp_pass', GOOD)).out).toMatch(/, \d\d bytes$/m);
});

it('ends with 4 on a capture without packets, and names it', async () => {
  const file = join(scratch, 'none.pcap');
  const header = [0xa1b2c3d4, 0x0002_0004, 0, 0, 0x40000, 1].flatMap((word) =>
    [24, 16, 8, 0].map((by) => word >> by),
  );
  writeFileSync(file, Uint8Array.from(header));
  expect(await runInProcess('run', 'icmp_echo', file)).toEqual({
    code: 4,
    out: '',
    err: `${file}: no packets\nnothing ran\n`,
  });
  const json = await runInProcess('run', 'icmp_echo', file, '--json');
  expect([json.code, JSON.parse(json.out).packets]).toEqual([4, []]);
  expect((await runInProcess('run', 'icmp_echo', file, GOOD)).code).toBe(0);
});

it('runs the packets of a case that was saved for another program, without the world that this one cannot be in', async () => {
  const file = join(scratch, 'of another.pcapng');
  const maps = { tx_port: [] };
  await saveCase(file, { program: 'router', world: { maps }, stimuli: [{ packet: ethernet().bytes() }] });
  const { code, out, err } = await runInProcess('run', 'icmp_echo', file);
  expect([code, out]).toEqual([0, expect.stringContaining('packet 1: XDP_PASS')]);
  expect(err).toBe(
    `${file}: saved for router; icmp_echo has no map “tx_port”, so it gets the packets without their world\n`,
  );
});

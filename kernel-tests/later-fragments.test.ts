/** Headers written into later fragments are found where no sum tells of it; not in programs that look at the offset first. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createEngine } from '../cli/engines.ts';
import { check } from '../verify/check/check.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const INTO_FRAGMENTS = ['fragments/written', 'checksum/later-fragment'];

const objects = new Map<string, Uint8Array>();

function built(options: readonly string[]): Uint8Array {
  const key = options.join();
  const known = objects.get(key);
  if (known !== undefined) return known;
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-fragments-'));
  try {
    const path = join(scratch, 'fragments.o');
    compileBpf('kernel-tests/check-specimens/fragments.bpf.c', path, { options });
    const object = new Uint8Array(readFileSync(path));
    objects.set(key, object);
    return object;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What is found of data of later fragments, with the lines. */
async function found(name: string, options: readonly string[], seed: string): Promise<string[]> {
  const { findings } = await check({
    program: { name, entries: [{ function: name, hook: 'xdp' }], object: built(options) },
    machine: createEngine('wasm'),
    witness: createEngine('vm'),
    seed,
    runs: 600,
    effort: 50_000,
    sweeps: false,
    shrinkSeconds: 0.1,
  });
  return findings
    .filter(({ invariant }) => INTO_FRAGMENTS.includes(invariant))
    .map(({ severity, source }) => `${severity} at ${source === undefined ? '?' : lineOf(source.line)}`);
}

const SOURCE = readFileSync(new URL('check-specimens/fragments.bpf.c', import.meta.url), 'utf8').split('\n');

function lineOf(line: number): string {
  return SOURCE[line - 1]!.trim();
}

describeKernel('what is written into later fragments', ['compiler'], () => {
  it.each([
    ['port_with_checksum', 'tcp->dest = to;'],
    ['port_over_ipv6', 'tcp->dest = to;'],
    ['port_of_datagram', 'udp->dest = to;'],
    ['ports_swapped', 'udp->source = udp->dest;'],
    ['echo_answered', 'icmp->type = ICMP_ECHOREPLY;'],
    ['address_of_fragments', 'tcp->check = update32(tcp->check, from, to);'],
  ])('by %s is found once, at its line, and is not where the offset is looked at', async (name, line) => {
    for (const seed of ['1', 'q'])
      expect(await found(name, ['-DFAULTY'], seed)).toEqual([`error at ${line}`]);
    expect(await found(name, [], '1')).toEqual([]);
  });
});

/**
 * Objects that no one here wrote: those that Debian's libxdp1 installs, compiled by another compiler with other habits.
 * Every XDP program among them agrees with the kernel, or is refused by both. Objects with the map definitions of before
 * libbpf 1.0 are the one thing that the machine takes and libbpf does not.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseEngines } from '../cli/engines.ts';
import { programsOfObject } from '../cli/input/program-source.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { packageFile } from '../kernel/package-file.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { type EngineName, inOrderOfRank } from '../sim/engines/register.ts';
import { addressFromText } from '../sim/packet/addresses.ts';
import type { GeneratorHints, NamedWorld, Program } from '../sim/runtime/program.ts';
import type { MapEntry } from '../sim/runtime/world.ts';
import { verify } from '../verify/run.ts';
import { describeKernel, libxdpObjects } from './test-support/require-kernel.ts';

const SEED = 'foreign';
const PACKETS = 20_000;

const ADDRESSES = ['10.0.0.1', '172.16.5.4', '2001:db8::1', 'fe80::1'];
const PORTS = [0, 22, 53, 80, 443, 4789, 65_535];
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x99);
const HINTS: GeneratorHints = {
  addresses: ADDRESSES,
  ports: PORTS,
  macs: [MAC],
  kinds: { tcp: 3, udp: 3, tcp6: 2, udp6: 2 },
};

/** What xdp-filter's user space writes: rules for sources, destinations, TCP and UDP, in all combinations. */
const FILTERS: Readonly<Record<string, readonly MapEntry[]>> = {
  filter_ports: PORTS.map((port, index) => rule(little(port, 4), index)),
  filter_ipv4: ADDRESSES.slice(0, 2).map((text, index) => rule(addressFromText(text), index)),
  filter_ipv6: ADDRESSES.slice(2).map((text, index) => rule(addressFromText(text), index)),
  filter_ethernet: [MAC, new Uint8Array(6)].map(rule),
};

/** `struct trace_configuration` of xdpdump: ifindex, how many bytes of a packet, the program's number. */
const TRACED = new Uint8Array([...little(1, 4), ...little(64, 4), ...little(3, 4)]);

function rule(key: Uint8Array, index: number): MapEntry {
  return { key, value: little(index * 7 + 3, 8) };
}

function little(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, byte) => (byte < 4 ? (value >>> (8 * byte)) & 0xff : 0));
}

/** The empty world, and one in which the object's maps and globals make it do what it is for. */
function worldsOf({ object }: Program): NamedWorld[] {
  const { maps } = loadObject(object!);
  const filled: Record<string, readonly MapEntry[]> = {};
  for (const { name, global } of maps) {
    const rules = FILTERS[name];
    if (rules !== undefined) filled[name] = rules;
    if (global?.variables.has('trace_cfg')) filled[name] = [{ key: new Uint8Array(4), value: TRACED }];
  }
  const conf = maps.flatMap(({ global }) => global?.variables.get('conf') ?? [])[0];
  return [
    { name: 'empty', world: {} },
    { name: 'filled', world: { maps: filled } },
    ...(conf === undefined
      ? []
      : [10, 4].map((stopsAt) => ({
          name: 'chained',
          world: { globals: { conf: chain(conf.size, stopsAt) } },
        }))),
  ];
}

/**
 * `struct xdp_dispatcher_conf`: magic, version, number of programs, frags; then what each must return for the next to be
 * called. The dispatcher's own place holders return 31.
 */
function chain(size: number, stopsAt: number): Uint8Array {
  const conf = new Uint8Array(size);
  conf.set([236, 2, 10, 0]);
  for (let program = 0; program < stopsAt; program++) conf.set(little(0x8000_0000, 4), 4 + 4 * program);
  return conf;
}

describeKernel('objects of libxdp1', ['testrun', 'libxdp'], () => {
  const folder = libxdpObjects() ?? '';
  const objects = folder === '' ? [] : readdirSync(folder).filter((name) => name.endsWith('.o'));

  it('are there', () => {
    expect(objects.length).toBeGreaterThanOrEqual(14);
  });

  for (const name of objects) {
    const path = join(folder, name);
    // xdpdump's second object traces functions, and is nothing for packets.
    if (name === 'xdpdump_bpf.o') {
      it(`${name} loads, and has no program for packets`, () => {
        expect(() => programsOfObject({ path, function: undefined })).toThrow('has no XDP or TC program');
      });
      continue;
    }
    for (const program of programsOfObject({ path, function: undefined })) {
      it(`${program.name} does the same in machine and kernel`, async () => {
        const names: readonly EngineName[] = ['vm', 'wasm', 'testrun'];
        const report = await verify({
          program,
          engines: chooseEngines(names.join(',')).engines,
          seed: SEED,
          runs: PACKETS,
          // After each batch maps of 65 536 entries are compared: few and large ones.
          batchSize: PACKETS / 4,
          source: new PacketGenerator(HINTS),
          worlds: worldsOf(program),
        });
        expect(report.divergences.map(({ summary, seen }) => ({ summary, seen }))).toEqual([]);
        expect(report.engines.map(({ name, status, reason }) => ({ name, status, reason }))).toEqual(
          inOrderOfRank(names).map((name) => ({ name, status: 'ran', reason: undefined })),
        );
        const [hit, total] = report.coverage!.instructions;
        expect(hit / total, 'share of instructions that ran').toBeGreaterThan(0.6);
      });
    }
  }
});

describe('objects with map definitions of before libbpf 1.0', () => {
  for (const file of ['legacy-maps.o', 'iproute2-maps.o']) {
    const path = packageFile(`sim/ebpf/test-support/${file}`);
    it(`${basename(path)} runs in the machine`, async () => {
      for (const program of programsOfObject({ path, function: undefined })) {
        const report = await verify({
          program,
          engines: chooseEngines('vm,wasm').engines,
          seed: SEED,
          runs: 5000,
        });
        expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
        expect(report.engines.map(({ status }) => status)).toEqual(['ran', 'ran']);
      }
    });
  }
});

describeKernel('libbpf, before such an object', ['testrun'], () => {
  it('says in the comparison that it reads none', async () => {
    const path = packageFile('sim/ebpf/test-support/legacy-maps.o');
    const [program] = programsOfObject({ path, function: undefined });
    const report = await verify({
      program: program!,
      engines: chooseEngines('vm,testrun').engines,
      seed: SEED,
      runs: 5000,
    });
    expect(report.divergences).toEqual([]);
    expect(report.engines).toMatchObject([
      { name: 'testrun', status: 'failed', reason: expect.stringMatching(/legacy map definitions/) },
      { name: 'vm', status: 'ran' },
    ]);
  });
});

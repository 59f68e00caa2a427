/** The kinds of input that xdpsim reads, each with good ones to begin with and the code that reads them. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMaps, targetOf } from '../../cli/input/map-file.ts';
import { parseHex } from '../../cli/input/options.ts';
import { resolvePrograms } from '../../cli/input/program-source.ts';
import { casesFromCapture, encodeCase } from '../../corpus/cases/case.ts';
import { headerToComments } from '../../corpus/cases/case-header.ts';
import { PcapngEncoder } from '../../corpus/formats/pcapng-encoder.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { parseBtf } from '../../sim/ebpf/btf.ts';
import { readElf } from '../../sim/ebpf/loader/elf.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { parseScenario } from '../../sim/network/scenario-json.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { programs } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';

export interface InputKind {
  readonly name: string;
  /** Of a hundred inputs. */
  readonly share: number;
  readonly isText: boolean;
  readonly seeds: readonly Uint8Array[];
  /** @param scratch a folder for those that are read from files */
  readonly read: (bytes: Uint8Array, scratch: string) => Promise<unknown> | unknown;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

function filesIn(folder: string, pattern: RegExp): Uint8Array[] {
  return readdirSync(packageFile(folder))
    .filter((name) => pattern.test(name))
    .map((name) => new Uint8Array(readFileSync(join(packageFile(folder), name))));
}

const objects = filesIn('bpf/built', /\.o$/);
const captures = filesIn('corpus/captures', /\.pcapng$/);

function btfOf(object: Uint8Array): Uint8Array[] {
  return readElf(object)
    .sections.filter((section) => section.name === '.BTF')
    .map((section) => section.data.bytes.slice());
}

/** Packets, comments, and the saved case in them, the way every command reads them. */
async function readCases(bytes: Uint8Array, scratch: string): Promise<void> {
  const path = join(scratch, `${process.pid}.capture`);
  writeFileSync(path, bytes);
  for await (const one of casesFromCapture(path, { program: 'any' })) worldToJson(one.world);
}

/** A saved case with this head. */
function readHead(head: Uint8Array, scratch: string): Promise<void> {
  const encoder = new PcapngEncoder();
  // No comment is longer; a longer head is told to be damaged in a way of its own.
  encoder.section({ application: 'xdpsim', comments: [text(head).slice(0, 60_000)] });
  return readCases(encoder.take().slice(), scratch);
}

/** What loads is also run: the machine must stop what no verifier has seen. */
async function loadAndRun(bytes: Uint8Array): Promise<void> {
  const object = loadObject(bytes);
  const [entry] = object.programs.filter((program) => program.hook !== undefined);
  if (entry?.hook === undefined) return;
  const program = {
    name: 'attacked',
    entries: [{ function: entry.function, hook: entry.hook }],
    object: bytes,
  };
  const session = await createVmEngine().open(program, {});
  const input = new PacketBatch(2);
  input.push({ packet: new Uint8Array(60) });
  await session.run(input, new OutcomeBatch(2));
  await session.close();
}

let modules = 0;

async function importModule(bytes: Uint8Array, scratch: string): Promise<void> {
  const path = join(scratch, `${process.pid}-${modules++}.mjs`);
  writeFileSync(path, bytes);
  await resolvePrograms([path]);
}

const MODULE = `export default { name: 'm', summary: 's', description: 'd',
  entries: [{ function: 'f', hook: 'xdp', model: () => 2 }],
  maps: [{ name: 'counts', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 4 }],
  worlds: [{ name: 'w', world: { cpu: 1, devices: [] } }],
  examples: [{ name: 'e', stimulus: { packet: new Uint8Array(20) }, action: 2 }],
  hints: { ports: [80], addresses: ['10.0.0.1'] } };
`;

const COUNTS = targetOf({
  name: 'counts',
  entries: [],
  definition: { maps: [{ name: 'counts', type: 'HASH', keySize: 4, valueSize: 8, maxEntries: 16 }] },
} as unknown as Program);

export const INPUT_KINDS: readonly InputKind[] = [
  { name: 'ELF', share: 25, isText: false, seeds: objects, read: loadAndRun },
  { name: 'BTF', share: 15, isText: false, seeds: objects.flatMap(btfOf), read: parseBtf },
  {
    name: 'pcap',
    share: 12,
    isText: false,
    seeds: [pcapOf(captures.length)],
    read: readCases,
  },
  {
    name: 'pcapng',
    share: 18,
    isText: false,
    seeds: [
      ...captures,
      ...programs.map(({ name, worlds, examples }) =>
        encodeCase({
          program: name,
          world: worlds[0]?.world ?? {},
          stimuli: examples.slice(0, 3).map(({ stimulus }) => stimulus),
        }),
      ),
    ],
    read: readCases,
  },
  {
    name: 'JSON (worlds)',
    share: 10,
    isText: true,
    seeds: programs.flatMap(({ name, worlds }) =>
      worlds.map(({ world }) => bytesOf(headerToComments({ program: name, world }).join(''))),
    ),
    read: readHead,
  },
  {
    name: 'JSON (maps)',
    share: 4,
    isText: true,
    seeds: [
      bytesOf('[{"key": "0a000001", "value": 17}, {"key": ["0x0a", 0, 0, 2], "value": "0011223344556677"}]'),
    ],
    read: (bytes, scratch) => {
      const path = join(scratch, `${process.pid}.json`);
      writeFileSync(path, bytes);
      readMaps([`counts=${path}`], COUNTS);
    },
  },
  {
    name: 'hex',
    share: 6,
    isText: true,
    seeds: [bytesOf('02 00 00 00 00 01 06 11 22 33 44 55 08 00 45:00:00:1c')],
    read: (bytes) => parseHex(text(bytes), 'packet'),
  },
  {
    name: 'scenario',
    share: 9,
    isText: true,
    seeds: filesIn('corpus/scenarios', /\.json$/),
    read: (bytes) => parseScenario(text(bytes), 'attacked.json'),
  },
  { name: 'model', share: 1, isText: true, seeds: [bytesOf(MODULE)], read: importModule },
];

/** A classic pcap with so many packets. */
function pcapOf(packets: number): Uint8Array {
  const record = 16 + 60;
  const bytes = new Uint8Array(24 + packets * record);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 65_535, true);
  view.setUint32(20, 1, true);
  for (let packet = 0; packet < packets; packet++) {
    view.setUint32(24 + packet * record + 8, 60, true);
    view.setUint32(24 + packet * record + 12, 60, true);
  }
  return bytes;
}

/** Bare instructions with maps in the kernel: no object file, no types. */
import { addressOf, requireLibbpf } from '../../kernel/libbpf/libbpf.ts';
import { BpfMap } from '../../kernel/libbpf/map.ts';
import { loadHarness } from '../../kernel/testrun/harness.ts';
import { PacketRunner } from '../../kernel/testrun/packets.ts';
import { syscalls } from '../../kernel/testrun/syscalls.ts';
import type { BpfObject, BpfMap as MapSource } from '../../sim/ebpf/bpf-object.ts';
import { BPF_PSEUDO_MAP_FD, CALL, encodeInstructions, LDDW } from '../../sim/ebpf/instruction.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';

const BPF_PROG_TYPE_SCHED_CLS = 3;
const BPF_PROG_TYPE_XDP = 6;

/** `struct bpf_prog_load_opts` (bpf/bpf.h). */
const LOAD_OPTS = { log_level: 88, log_size: 92, log_buf: 96, size: 104 } as const;
const LOG_BYTES = 1 << 20;

/** The verifier's refusal, with the end of its log. */
export class Refused extends Error {}

export interface RawRun {
  readonly outcomes: OutcomeBatch;
  readonly maps: readonly MapSnapshot[];
}

export interface RawOptions {
  /** Default: XDP. */
  readonly hook?: Hook;
  /** Whether what is in the maps afterwards is read; not all can be. Default: true. */
  readonly readsMaps?: boolean;
  /** All packets in one test run, where that works. Default: one each. */
  readonly inHarness?: boolean;
}

/**
 * Loads an object's first program, with fresh maps, and runs it over the packets.
 * @throws {Refused} where the verifier does not take it
 */
export function runInKernel(
  object: BpfObject,
  batch: PacketBatch,
  { hook = 'xdp', readsMaps = true, inHarness = false }: RawOptions = {},
): RawRun {
  const descriptors: number[] = [];
  const runner = new PacketRunner();
  try {
    const maps = object.maps.map((source) => {
      const map = createMap(source);
      descriptors.push(map.fd);
      return map;
    });
    const bytes = withDescriptors(object, maps);
    const fd = load(object, bytes, hook);
    descriptors.push(fd);
    const outcomes = new OutcomeBatch(batch.count);
    const harness = inHarness
      ? loadHarness({
          attachType: 0,
          helpers: helpersIn(object),
          instructions: () => bytes,
          types: () => undefined,
        })
      : undefined;
    try {
      runner.run([{ fd, hook, changesMetadata: false }], batch, outcomes, undefined, harness);
    } finally {
      harness?.close();
    }
    return { outcomes, maps: readsMaps ? maps.map((map) => map.snapshot()) : [] };
  } finally {
    runner.close();
    for (const fd of descriptors) syscalls().close(fd);
  }
}

function createMap(source: MapSource): BpfMap {
  const libbpf = requireLibbpf();
  const { name, typeNumber, keySize, valueSize, maxEntries } = source;
  const fd = libbpf.bpf.bpf_map_create(typeNumber, name, keySize, valueSize, maxEntries, null);
  if (fd < 0) throw new Error(`map ${name} cannot be made: errno ${-fd}`);
  const definition = { name, type: source.type, keySize, valueSize, maxEntries };
  return new BpfMap(libbpf, fd, definition);
}

function helpersIn(object: BpfObject): Set<number> {
  const { opcode, src, imm, count } = object.programs[0]!.instructions;
  const helpers = new Set<number>();
  for (let slot = 0; slot < count; slot++)
    if (opcode[slot] === CALL && src[slot] === 0) helpers.add(imm[slot]!);
  return helpers;
}

/** The program's instructions, with descriptors of its maps. */
function withDescriptors(object: BpfObject, maps: readonly BpfMap[]): Uint8Array {
  const { instructions } = object.programs[0]!;
  const bytes = encodeInstructions(instructions);
  const view = new DataView(bytes.buffer);
  for (let slot = 0; slot < instructions.count; slot++) {
    if (instructions.opcode[slot] !== LDDW) continue;
    if (instructions.src[slot] === BPF_PSEUDO_MAP_FD) {
      view.setInt32(slot * 8 + 4, maps[instructions.imm[slot]!]!.fd, true);
    }
    slot++;
  }
  return bytes;
}

function load(object: BpfObject, bytes: Uint8Array, hook: Hook): number {
  const { bpf } = requireLibbpf();
  const { instructions } = object.programs[0]!;
  const type = hook === 'xdp' ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS;
  const fd = bpf.bpf_prog_load(type, 'random', object.license, bytes, instructions.count, null);
  if (fd >= 0) return fd;
  throw new Refused(logOf(type, object.license, bytes, instructions.count));
}

/** Loads once more, for the log. */
function logOf(type: number, license: string, bytes: Uint8Array, count: number): string {
  const log = new Uint8Array(LOG_BYTES);
  const options = new Uint8Array(LOAD_OPTS.size);
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(LOAD_OPTS.size), true);
  view.setUint32(LOAD_OPTS.log_level, 1, true);
  view.setUint32(LOAD_OPTS.log_size, LOG_BYTES, true);
  view.setBigUint64(LOAD_OPTS.log_buf, BigInt(addressOf(log)), true);
  requireLibbpf().bpf.bpf_prog_load(type, 'random', license, bytes, count, options);
  const end = log.indexOf(0);
  return new TextDecoder().decode(log.subarray(Math.max(0, end - 1500), end));
}

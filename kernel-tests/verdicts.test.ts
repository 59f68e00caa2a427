/**
 * The verifier's verdict on the programs that the machine's own tests judge: what the machine stops the kernel
 * refuses, and what it lets pass the kernel takes.
 */
import { closeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { BPF_PROG_TYPE } from '../kernel/libbpf/layouts.ts';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import type { BpfMap } from '../sim/ebpf/bpf-object.ts';
import {
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  encodeInstructions,
  LDDW,
} from '../sim/ebpf/instruction.ts';
import { assemble } from '../sim/ebpf/test-support/assemble.ts';
import { isRefused, VERIFIER_CASES, type VerifierCase } from '../sim/ebpf/test-support/verifier-cases.ts';
import { describeKernel } from './test-support/require-kernel.ts';

type MapCreate = (
  type: number,
  name: string,
  keySize: number,
  valueSize: number,
  maxEntries: number,
  options: Uint8Array | null,
) => number;

/** `struct bpf_map_create_opts`: its own size first, the flags at 20. */
const MAP_CREATE_OPTIONS = 56;

function createMap(map: BpfMap): number {
  const create = requireLibbpf()
    .koffi.load('libbpf.so.1')
    .func('bpf_map_create', 'int', ['int', 'str', 'uint32_t', 'uint32_t', 'uint32_t', 'void *']) as MapCreate;
  const options = new DataView(new ArrayBuffer(MAP_CREATE_OPTIONS));
  options.setBigUint64(0, BigInt(MAP_CREATE_OPTIONS), true);
  options.setUint32(20, map.mapFlags, true);
  const { typeNumber, keySize, valueSize, maxEntries } = map;
  const fd = create(
    typeNumber,
    'xdpsim_verdict',
    keySize,
    valueSize,
    maxEntries,
    new Uint8Array(options.buffer),
  );
  if (fd < 0) throw new Error(`map ${map.name}: errno ${-fd}`);
  return fd;
}

/** @returns 0 where the kernel takes the program, otherwise a negative errno */
function verdict({ text, hook, maps = [] }: VerifierCase): number {
  const program = assemble(
    text,
    maps.map((map) => map.name),
  );
  const fds = maps.map(createMap);
  for (let slot = 0; slot < program.count; slot++) {
    if (program.opcode[slot] !== LDDW) continue;
    const pseudo = program.src[slot];
    if (pseudo === BPF_PSEUDO_MAP_FD || pseudo === BPF_PSEUDO_MAP_VALUE) {
      program.imm[slot] = fds[program.imm[slot]!]!;
    }
    slot++;
  }
  const type = hook === undefined || hook === 'xdp' ? BPF_PROG_TYPE.XDP : BPF_PROG_TYPE.SCHED_CLS;
  const code = encodeInstructions(program);
  const fd = requireLibbpf().bpf.bpf_prog_load(type, 'xdpsim_verdict', 'GPL', code, program.count, null);
  for (const map of fds) closeSync(map);
  if (fd < 0) return fd;
  closeSync(fd);
  return 0;
}

/** Callbacks need types, which programs made of text lack. */
function hasCallback({ text, maps = [] }: VerifierCase): boolean {
  const program = assemble(
    text,
    maps.map((map) => map.name),
  );
  return program.opcode.some((opcode, slot) => opcode === LDDW && program.src[slot] === BPF_PSEUDO_FUNC);
}

const asked = VERIFIER_CASES.filter((each) => each.kernelDiffers !== true && !hasCallback(each));

describeKernel('the kernel refuses', ['testrun'], () => {
  for (const each of asked.filter(isRefused)) {
    it(each.name, () => expect(verdict(each)).toBeLessThan(0));
  }
});

const taken = asked.filter((each) => !isRefused(each));
/** Linux 6.1 refuses these. */
const YOUNG = new Set(['a copy of a number made known by a comparison']);

describeKernel('the kernel takes', ['testrun'], () => {
  for (const each of taken.filter(({ name }) => !YOUNG.has(name))) {
    it(each.name, () => expect(verdict(each)).toBe(0));
  }
});

describeKernel('the kernel takes', ['testrun', 'linux 6.12'], () => {
  for (const each of taken.filter(({ name }) => YOUNG.has(name))) {
    it(each.name, () => expect(verdict(each)).toBe(0));
  }
});

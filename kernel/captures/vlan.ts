/** TC programs of a few instructions that put VLAN tags on frames and take them off. */
import { closeSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { TC_ACT_OK } from '../../sim/runtime/actions.ts';
import { BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { errnoName, requireLibbpf } from '../libbpf/libbpf.ts';

/** Numbers of helpers (linux/bpf.h). */
const SKB_VLAN_PUSH = 18;
const SKB_VLAN_POP = 19;

/** File descriptors of loaded programs. */
export interface VlanPrograms {
  readonly push: number;
  readonly pop: number;
  close(): void;
}

/** @param tags what `push` puts on, the outermost last; `pop` takes as many off */
export function loadVlanPrograms(
  tags: readonly { readonly etherType: number; readonly id: number }[],
): VlanPrograms {
  const push = load(tags.flatMap(({ etherType, id }) => callPush(etherType, id)));
  const pop = load(tags.flatMap(() => callPop()));
  return {
    push,
    pop,
    close() {
      closeSync(push);
      closeSync(pop);
    },
  };
}

type Instruction = readonly [code: number, registers: number, immediate: number];

const MOV64_REG = 0xbf;
const MOV64_IMM = 0xb7;
const CALL = 0x85;
const EXIT = 0x95;

/** r1 = r6 (the context); r2 = the EtherType in network order; r3 = the tag */
function callPush(etherType: number, id: number): Instruction[] {
  const inNetworkOrder = ((etherType & 0xff) << 8) | (etherType >> 8);
  return [
    [MOV64_REG, 0x61, 0],
    [MOV64_IMM, 0x02, inNetworkOrder],
    [MOV64_IMM, 0x03, id],
    [CALL, 0, SKB_VLAN_PUSH],
  ];
}

function callPop(): Instruction[] {
  return [
    [MOV64_REG, 0x61, 0],
    [CALL, 0, SKB_VLAN_POP],
  ];
}

function load(body: readonly Instruction[]): number {
  const instructions: Instruction[] = [
    [MOV64_REG, 0x16, 0],
    ...body,
    [MOV64_IMM, 0, TC_ACT_OK],
    [EXIT, 0, 0],
  ];
  const code = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [index, [opcode, registers, immediate]] of instructions.entries()) {
    code.setUint8(index * 8, opcode);
    code.setUint8(index * 8 + 1, registers);
    code.setInt32(index * 8 + 4, immediate, true);
  }
  const { bpf } = requireLibbpf();
  const bytes = new Uint8Array(code.buffer);
  const fd = bpf.bpf_prog_load(
    BPF_PROG_TYPE.SCHED_CLS,
    'xdpsim_vlan',
    'GPL',
    bytes,
    instructions.length,
    null,
  );
  if (fd < 0) throw new EngineError('environment', `the VLAN program cannot be loaded: ${errnoName(fd)}`);
  return fd;
}

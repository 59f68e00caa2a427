/** Bare instructions in the interpreter, as conformance suites have them: memory in, r0 out. */

import { BPF_MAP_TYPE } from '../../runtime/maps.ts';
import type { BpfMap, BpfObject } from '../bpf-object.ts';
import { objectOfBytecode } from '../bytecode-object.ts';
import { checkProgram } from '../check-program.ts';
import type { Instructions } from '../instruction.ts';
import { Machine } from '../machine.ts';
import { ArrayMap } from '../maps/array-map.ts';
import { Interpreter, type Stop } from './interpreter.ts';

export type InterpretedBytecode =
  /** r0 as 64 bits, unsigned, and what has become of the memory. */
  { readonly r0: bigint; readonly memory: Uint8Array } | { readonly stop: Stop };

/**
 * Runs instructions on a copy of some memory, whose address is in r1 and whose length in r2. To the program it is a
 * map's value: it may be read and written from its first byte to its last.
 * @throws {InstructionError} for functions that lie outside of the program
 * @throws {ObjectError} for everything else that no verifier takes, and helpers that the machine lacks
 */
export function interpretBytecode(instructions: Instructions, memory: Uint8Array): InterpretedBytecode {
  const object = bytecodeObject(instructions, memory);
  checkProgram(object, object.programs[0]!, 'xdp');
  const machine = new Machine(object, {});
  const interpreter = new Interpreter(machine);
  const [map] = machine.maps;
  const address = map instanceof ArrayMap && memory.length > 0 ? map.storage : 0;
  const { violation } = interpreter.run(0, { map: 0, address, size: memory.length });
  if (violation !== undefined) return { stop: violation };
  const r0 = (BigInt(interpreter.hi[0]!) << 32n) | BigInt(interpreter.lo[0]! >>> 0);
  return { r0: BigInt.asUintN(64, r0), memory: machine.memory.read(address, memory.length) };
}

/**
 * An object of one XDP program, `main`, and one map, `memory`.
 * @throws {InstructionError} where a call leads outside of the program
 */
export function bytecodeObject(instructions: Instructions, memory: Uint8Array): BpfObject {
  const map: BpfMap = {
    name: 'memory',
    type: 'ARRAY',
    typeNumber: BPF_MAP_TYPE.ARRAY,
    keySize: 4,
    valueSize: Math.max(1, memory.length),
    maxEntries: 1,
    mapFlags: 0,
    mapExtra: 0n,
    pinning: 'none',
    inner: undefined,
    initial: [],
    keyType: undefined,
    valueType: undefined,
    global: {
      bytes: memory.length === 0 ? new Uint8Array(1) : memory,
      readOnly: false,
      variables: new Map(),
    },
  };
  return objectOfBytecode(instructions, [map]);
}

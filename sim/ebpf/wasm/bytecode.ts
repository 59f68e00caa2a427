/** Bare instructions, as conformance suites have them: memory in, r0 out. */
import { objectOfBytecode } from '../bytecode-object.ts';
import { checkInstructions } from '../check-instructions.ts';
import type { Instructions } from '../instruction.ts';
import { DEFAULT_BUDGET, MAX_LOOPS } from '../limits.ts';
import { Machine } from '../machine.ts';
import { MACHINE_WORD, MAX_FRAME, SKB_DATA } from '../memory.ts';
import { CompiledMachine } from './compiled-machine.ts';

export type BytecodeResult =
  | { readonly r0: bigint; readonly memory: Uint8Array }
  /** The slot at which the program was stopped. */
  | { readonly stoppedAt: number };

/** Runs a compiled program on a copy of some memory, whose address is in r1 and whose length in r2. */
export type BytecodeRunner = (memory: Uint8Array) => BytecodeResult;

/**
 * Compiles a program that takes memory; there are no maps.
 * @throws {InstructionError} for what no verifier takes
 */
export function compileBytecode(instructions: Instructions): BytecodeRunner {
  checkInstructions(instructions);
  const machine = new Machine(objectOfBytecode(instructions), {});
  const compiled = new CompiledMachine({
    machine,
    entries: [{ hook: 'xdp', program: 0 }],
    wanted: new Set([0]),
    budget: DEFAULT_BUDGET,
    mayGoto: MAX_LOOPS,
    enteredWith: 'memory',
    runs: 'numbers',
  });
  return (memory) => {
    if (memory.length > MAX_FRAME) {
      throw new RangeError(`${memory.length} bytes of memory: ${MAX_FRAME} are the most`);
    }
    // In the packet's place, which is what the checks at run time take it for.
    machine.memory.u8.set(memory, SKB_DATA);
    const words = machine.memory.i32;
    words[MACHINE_WORD.dataMeta] = SKB_DATA;
    words[MACHINE_WORD.data] = SKB_DATA;
    words[MACHINE_WORD.dataEnd] = SKB_DATA + memory.length;
    words[MACHINE_WORD.frameEnd] = SKB_DATA + memory.length;
    const result = compiled.runRaw(memory.length === 0 ? 0 : SKB_DATA, memory.length);
    if (typeof result !== 'bigint') return { stoppedAt: result.slot };
    return { r0: result, memory: machine.memory.read(SKB_DATA, memory.length) };
  };
}

/** Compiles and runs at once. */
export function runBytecode(instructions: Instructions, memory: Uint8Array): BytecodeResult {
  return compileBytecode(instructions)(memory);
}

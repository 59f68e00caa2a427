/**
 * `xdpsim run --bytecode [HEXMEM]`: bare instructions as hexadecimal digits on standard input, r0 on standard output.
 * This is the plugin interface of bpf_conformance.
 */

import { atPath } from '../../corpus/files/system-error.ts';
import { checkProgram } from '../../sim/ebpf/check-program.ts';
import { decodeInstructions, type Instructions } from '../../sim/ebpf/instruction.ts';
import { bytecodeObject, interpretBytecode } from '../../sim/ebpf/interpreter/bytecode.ts';
import { runBytecode } from '../../sim/ebpf/wasm/bytecode.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { EXIT, Failure, inputFailure } from '../failure.ts';
import { parseHex } from '../input/options.ts';
import { printLine } from '../output.ts';

/** @param memory hexadecimal digits; undefined: no memory */
export async function runBareInstructions(
  memory: string | undefined,
  engine: EngineName | undefined,
): Promise<void> {
  const bytes = parseHex(memory ?? '', 'memory');
  const instructions = decode(parseHex(await standardInput(), 'standard input'));
  printLine(run(instructions, bytes, engine ?? 'vm').toString(16));
}

function decode(bytes: Uint8Array): Instructions {
  if (bytes.length === 0) throw inputFailure('standard input: contains no instructions');
  try {
    return decodeInstructions(bytes);
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`standard input: ${error.message}`);
    throw error;
  }
}

/** @returns r0, 64 bits, unsigned */
function run(instructions: Instructions, memory: Uint8Array, engine: EngineName): bigint {
  try {
    if (engine === 'vm') {
      const result = interpretBytecode(instructions, memory);
      if ('r0' in result) return result.r0;
      const { instruction, reason } = result.stop;
      throw new Failure(EXIT.found, `instruction ${instruction}: ${reason}`);
    }
    if (engine === 'wasm') {
      const object = bytecodeObject(instructions, memory);
      checkProgram(object, object.programs[0]!, 'xdp');
      const result = runBytecode(instructions, memory);
      if ('r0' in result) return result.r0;
      throw new Failure(EXIT.found, `instruction ${result.stoppedAt}: the program was stopped`, {
        remedy: 'Run it with --engine vm to see why.',
      });
    }
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`standard input: ${error.message}`);
    throw error;
  }
  throw inputFailure(`engine ${engine} cannot run bare instructions`, 'Use --engine vm or --engine wasm.');
}

/** More than a million instructions, which is more than the kernel takes. */
const MOST_DIGITS = 32_000_000;

async function standardInput(): Promise<string> {
  let text = '';
  try {
    for await (const chunk of process.stdin.setEncoding('utf8')) {
      text += chunk;
      if (text.length > MOST_DIGITS) break;
    }
  } catch (error) {
    throw atPath(error, 'standard input');
  }
  if (text.length > MOST_DIGITS) throw inputFailure(`standard input: more than ${MOST_DIGITS} characters`);
  return text;
}

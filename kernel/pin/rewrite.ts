/** Puts calls of substitutes where a program calls helpers that depend on clock or chance. */
import { encode, INSN_SIZE, type Insn, insn, loadMapValue, mov, movImm } from './encode.ts';
import { advanceClock, SUBSTITUTES, type Substitute } from './substitutes.ts';

const CALL = 0x85;
const LDDW = 0x18;
const PSEUDO_HELPER = 0;
const PSEUDO_CALL = 1;
const PSEUDO_BTF_ID = 3;

/** What takes the place of the kernel's variables. */
export interface PinnedVariables {
  readonly mapFd: number;
  /** Bytes from the begin of its only value, by number in the kernel's BTF. */
  readonly offsets: ReadonlyMap<number, number>;
}

export interface Rewritten {
  readonly instructions: Uint8Array;
  /** By how many slots everything has moved. */
  readonly shift: number;
  /** The first slots of the functions that were added, in order. */
  readonly added: readonly number[];
}

/** The helpers with a substitute that these instructions call. */
export function substitutesIn(instructions: Uint8Array): Set<Substitute> {
  const found = new Set<Substitute>();
  forEachHelperCall(instructions, (_, helper) => {
    const substitute = SUBSTITUTES.get(helper);
    if (substitute !== undefined) found.add(substitute);
  });
  return found;
}

/**
 * The kernel's variables that these instructions refer to, by the slots that do: numbers in the kernel's BTF, of which 0 is
 * none. Each is its own in a kernel, whatever module it is in, as far as one object is concerned.
 */
export function kernelVariablesIn(instructions: Uint8Array): Map<number, number> {
  const variables = new Map<number, number>();
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  for (let at = 0; at < instructions.length; at += INSN_SIZE) {
    if (instructions[at] !== LDDW) continue;
    if (instructions[at + 1]! >> 4 === PSEUDO_BTF_ID)
      variables.set(at / INSN_SIZE, view.getInt32(at + 4, true));
    at += INSN_SIZE;
  }
  return variables;
}

/**
 * @param instructions linked, with descriptors in the place of maps
 * @param mapFd the map with the state
 * @param variables a map with the bytes of the kernel's variables, and where each of them is in it, by its number in BTF
 * @param cpu the number that programs get as that of their CPU
 * @param advances does the clock move on when the program starts?
 */
export function rewrite(
  instructions: Uint8Array,
  mapFd: number,
  variables: PinnedVariables | undefined,
  cpu: number,
  advances: boolean,
): Rewritten {
  const prologue = advances ? encode(advanceClock(mapFd)) : new Uint8Array(0);
  const shift = prologue.length / INSN_SIZE;
  const parts = [prologue, instructions.slice()];
  let end = shift + instructions.length / INSN_SIZE;
  const starts = new Map<number, number>();
  for (const { helper, body } of substitutesIn(instructions)) {
    if (typeof body !== 'function') continue;
    const bytes = encode(body(mapFd, cpu));
    starts.set(helper, end);
    end += bytes.length / INSN_SIZE;
    parts.push(bytes);
  }
  const copy = parts[1]!;
  forEachHelperCall(instructions, (slot, helper) => {
    const substitute = SUBSTITUTES.get(helper);
    if (substitute === undefined) return;
    const start = starts.get(helper);
    const { body } = substitute;
    const inPlace = body === 'first argument' ? mov(0, 1) : movImm(0, typeof body === 'number' ? body : cpu);
    // A call counts from the instruction after it.
    const target: Insn =
      start === undefined ? inPlace : insn(CALL, 0, PSEUDO_CALL, 0, start - (shift + slot) - 1);
    copy.set(encode([target]), slot * INSN_SIZE);
  });
  if (variables !== undefined) {
    for (const [slot, id] of kernelVariablesIn(instructions)) {
      const dst = instructions[slot * INSN_SIZE + 1]! & 0xf;
      copy.set(encode(loadMapValue(dst, variables.mapFd, variables.offsets.get(id)!)), slot * INSN_SIZE);
    }
  }
  const joined = new Uint8Array(end * INSN_SIZE);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return { instructions: joined, shift, added: [...starts.values()] };
}

function forEachHelperCall(instructions: Uint8Array, fn: (slot: number, helper: number) => void): void {
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  for (let at = 0; at < instructions.length; at += INSN_SIZE) {
    const opcode = instructions[at]!;
    if (opcode === CALL && instructions[at + 1]! >> 4 === PSEUDO_HELPER) {
      fn(at / INSN_SIZE, view.getInt32(at + 4, true));
    }
    // The second slot of a 64-bit constant is no instruction.
    if (opcode === LDDW) at += INSN_SIZE;
  }
}

/**
 * What a path may say of addresses. Where a piece of memory lies is the kernel's business: of two addresses in one piece it is
 * known which is the larger one, of addresses in two only that they differ.
 */
import {
  BPF_JEQ,
  BPF_JMP,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  CLASS_MASK,
  OPERATION_MASK,
} from '../instruction.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Region, Value } from './path-value.ts';
import { isOfSomeCpu } from './per-cpu-values.ts';
import type { Term } from './term.ts';

/** Comparisons that depend on an address's sign, or on its bits. */
const NOT_BY_SIZE: ReadonlySet<number> = new Set([BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET]);
/** `MAX_ERRNO`: no address is as small, nor, as a number without a sign, as large. */
const LAST_ERRNO = 4095n;

/** @throws {NotFollowed} where the kernel's own addresses decide how two values compare */
export function requireComparable(state: PathState, opcode: number, a: Value, b: Value): void {
  if (a.region === undefined && b.region === undefined) return;
  // Of which CPU each of them is nobody knows.
  if (isVariable(state, a) && isVariable(state, b))
    throw new NotFollowed('a comparison of addresses of variables of the kernel');
  if (a.region?.kind === 'block' && b.region?.kind === 'block' && (isOfCpu(state, a) || isOfCpu(state, b)))
    throw new NotFollowed('a comparison of addresses of values of some CPU');
  const operation = opcode & OPERATION_MASK;
  const isWide = (opcode & CLASS_MASK) === BPF_JMP;
  if (isWide && (operation === BPF_JEQ || operation === BPF_JNE)) return;
  if (a.region !== undefined && b.region !== undefined) {
    requireOneMemory(a, b, 'a comparison');
    return;
  }
  const number = a.region === undefined ? a : b;
  if (!isWide || NOT_BY_SIZE.has(operation) || !isNoAddress(number.term))
    throw new NotFollowed('a comparison of an address with a number');
}

/** @throws {NotFollowed} where two addresses are not known to lie in one piece of memory */
export function requireOneMemory(a: Value, b: Value, what: string): void {
  if (a.region === undefined || b.region === undefined || isOneMemory(a.region, b.region)) return;
  throw new NotFollowed(`${what} of addresses of two pieces of memory`);
}

function isVariable({ blocks }: PathState, { region }: Value): boolean {
  return region?.kind === 'block' && blocks[region.block]!.what === 'kernel variable';
}

function isOfCpu({ blocks }: PathState, { region }: Value): boolean {
  return region?.kind === 'block' && isOfSomeCpu(blocks[region.block]!);
}

/** Is it a number that lies below all addresses, or above (`IS_ERR_OR_NULL`)? */
function isNoAddress({ min, max }: Term): boolean {
  return max <= LAST_ERRNO || min >= 2n ** 64n - LAST_ERRNO;
}

function isOneMemory(one: Region, other: Region): boolean {
  switch (one.kind) {
    case 'packet':
    case 'packet end':
      return other.kind === 'packet' || other.kind === 'packet end';
    case 'context':
      return other.kind === 'context';
    case 'stack':
      return other.kind === 'stack' && other.frame === one.frame;
    case 'map':
      return other.kind === 'map' && other.map === one.map;
    case 'block':
      return other.kind === 'block' && other.block === one.block;
    case 'kernel variable':
      return other.kind === 'kernel variable' && other.variable === one.variable;
    case 'opaque':
      return other.kind === 'opaque' && other.what === one.what;
    case 'function':
      return other.kind === 'function' && other.target === one.target;
  }
}

/** Atomic operations (RFC 9669 §5.3); nothing else runs meanwhile, so they are plain reads and writes here. */
import {
  accessSize,
  BPF_ATOMIC_ADD,
  BPF_ATOMIC_AND,
  BPF_ATOMIC_OR,
  BPF_ATOMIC_XOR,
  BPF_CMPXCHG,
  BPF_FETCH,
  BPF_LOAD_ACQ,
  BPF_STORE_REL,
  BPF_XCHG,
} from '../instruction.ts';
import { checkAtomic, checkAtomicPlace, checkLoad, checkStore } from './access.ts';
import { type State, violate } from './state.ts';

/**
 * @param slot where the instruction is
 * @param unknown the tag for an unknown scalar; two above it is another one
 */
export function runAtomic(state: State, slot: number, unknown: number): void {
  const { lo, hi, tag, machine } = state;
  const { instructions } = state.program.source;
  const dst = instructions.dst[slot]!;
  const src = instructions.src[slot]!;
  const size = accessSize(instructions.opcode[slot]!);
  const operation = instructions.imm[slot]!;
  const { view } = machine.memory;
  if (operation === BPF_LOAD_ACQ) {
    const address = (lo[src]! + instructions.offset[slot]!) | 0;
    if (tag[src] === 0) violate(`R${src} !read_ok`);
    checkAtomicPlace(state, src, address, size, 'loads from');
    const loaded = isPlain(state, src, address, size, false)
      ? 0
      : checkLoad(state, src, address, size, false);
    lo[dst] =
      size === 1
        ? view.getUint8(address)
        : size === 2
          ? view.getUint16(address, true)
          : view.getInt32(address, true);
    hi[dst] = size === 8 ? view.getInt32(address + 4, true) : 0;
    tag[dst] = loaded !== 0 ? loaded : unknown;
    return;
  }
  if (tag[src] === 0) violate(`R${src} !read_ok`);
  if (tag[dst] === 0) violate(`R${dst} !read_ok`);
  const address = (lo[dst]! + instructions.offset[slot]!) | 0;
  if (operation === BPF_STORE_REL) {
    checkAtomicPlace(state, dst, address, size, 'stores into');
    if (!(isPlain(state, dst, address, size, true) && tag[src]! < 0))
      checkStore(state, dst, address, size, src);
    if (size === 1) view.setInt8(address, lo[src]!);
    else if (size === 2) view.setInt16(address, lo[src]!, true);
    else view.setInt32(address, lo[src]!, true);
    if (size === 8) view.setInt32(address + 4, hi[src]!, true);
    return;
  }
  if (operation === BPF_CMPXCHG && tag[0] === 0) violate('R0 !read_ok');
  checkAtomic(state, dst, address, size, unknown + 2);
  const wide = size === 8;
  const oldLow = view.getInt32(address, true);
  const oldHigh = wide ? view.getInt32(address + 4, true) : 0;
  let low = lo[src]!;
  let high = hi[src]!;
  switch (operation & ~BPF_FETCH) {
    case BPF_ATOMIC_ADD: {
      low = (oldLow + low) | 0;
      high = (oldHigh + high + (low >>> 0 < oldLow >>> 0 ? 1 : 0)) | 0;
      break;
    }
    case BPF_ATOMIC_OR:
      low |= oldLow;
      high |= oldHigh;
      break;
    case BPF_ATOMIC_AND:
      low &= oldLow;
      high &= oldHigh;
      break;
    case BPF_ATOMIC_XOR:
      low ^= oldLow;
      high ^= oldHigh;
      break;
    case BPF_XCHG & ~BPF_FETCH:
      break;
    case BPF_CMPXCHG & ~BPF_FETCH:
      if (oldLow !== lo[0] || (wide && oldHigh !== hi[0])) {
        low = oldLow;
        high = oldHigh;
      }
      break;
    default:
      violate(`unknown atomic operation 0x${operation.toString(16)}`);
  }
  view.setInt32(address, low, true);
  if (wide) view.setInt32(address + 4, high, true);
  if ((operation & BPF_FETCH) === 0) return;
  const target = operation === BPF_CMPXCHG ? 0 : src;
  lo[target] = oldLow;
  hi[target] = oldHigh;
  tag[target] = unknown;
}

/** Is the access inside a region that allows it without further ado? */
function isPlain(state: State, register: number, address: number, size: number, writes: boolean): boolean {
  const { provenance } = state;
  const tag = state.tag[register]!;
  const end = tag > 0 ? (writes ? provenance.writeLimit[tag]! : provenance.limit[tag]!) : 0;
  return tag > 0 && state.hi[register] === 0 && address >= provenance.lowest[tag]! && address + size <= end;
}

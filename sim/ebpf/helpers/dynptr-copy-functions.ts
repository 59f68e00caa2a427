/** Kernel functions that fill dynptrs and copy from one to another (kernel/bpf/helpers.c, Linux 6.16). */
import { E2BIG, EINVAL } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { DYNPTR, type Dynptr, placeIn, reaches, readDynptr, sliceOf } from './dynptr.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** Bytes that go through a buffer at a time, where neither side is in one piece. */
const CHUNK = 256;

/** Its bytes in one piece, or 0 (`bpf_dynptr_slice`, without a buffer). */
function pieceOf(machine: Machine, dynptr: Dynptr, offset: number, size: number, writes: boolean): number {
  if (dynptr.kind === DYNPTR.null || (writes && dynptr.readOnly)) return 0;
  return reaches(dynptr, offset, size) ? sliceOf(machine, dynptr, offset, size, 0) : 0;
}

/** `__bpf_dynptr_write` and, with `writes` false, `__bpf_dynptr_read`: where the bytes are, or a negative errno. */
function place(machine: Machine, dynptr: Dynptr, offset: number, size: number, writes: boolean): number {
  if (dynptr.kind === DYNPTR.null || (writes && dynptr.readOnly)) return -EINVAL;
  if (!reaches(dynptr, offset, size)) return -E2BIG;
  return placeIn(machine, dynptr, offset, size, writes);
}

function copyBytes(
  machine: Machine,
  to: Dynptr,
  toOffset: number,
  from: Dynptr,
  fromOffset: number,
  size: number,
): number {
  const { u8 } = machine.memory;
  let source = pieceOf(machine, from, fromOffset, size, false);
  let target = pieceOf(machine, to, toOffset, size, true);
  if (source === 0 && target === 0) {
    if (!reaches(to, toOffset, size) || !reaches(from, fromOffset, size)) return -E2BIG;
    for (let done = 0; done < size; done += CHUNK) {
      const length = Math.min(CHUNK, size - done);
      const read = place(machine, from, fromOffset + done, length, false);
      if (read < 0) return read;
      const written = place(machine, to, toOffset + done, length, true);
      if (written < 0) return written;
      u8.copyWithin(written, read, read + length);
    }
    return 0;
  }
  if (source === 0) source = place(machine, from, fromOffset, size, false);
  if (source < 0) return source;
  if (target === 0) target = place(machine, to, toOffset, size, true);
  if (target < 0) return target;
  u8.copyWithin(target, source, source + size);
  return 0;
}

function fill(machine: Machine, dynptr: Dynptr, offset: number, size: number, value: number): number {
  if (dynptr.readOnly) return -EINVAL;
  if (!reaches(dynptr, offset, size)) return -E2BIG;
  if (size === 0) return 0;
  const target = place(machine, dynptr, offset, size, true);
  if (target < 0) return target;
  machine.memory.u8.fill(value, target, target + size);
  return 0;
}

const RULES: Pick<Helper, 'number' | 'returns' | 'rules' | 'effects' | 'symbolic'> = {
  number: 0,
  returns: 'word',
  rules: { hooks: 'both', license: 'any', packetAccess: false },
  effects: { ...NO_EFFECTS, packet: 'written' },
  symbolic: 'unsupported',
};

export const DYNPTR_COPY_FUNCTIONS: readonly Helper[] = [
  {
    ...RULES,
    name: 'bpf_dynptr_copy',
    arguments: ['dynptr', 'anything', 'dynptr', 'anything', 'anything'],
    run: (machine, to, toOffset, from, fromOffset, size) =>
      copyBytes(
        machine,
        readDynptr(machine, to)!,
        toOffset >>> 0,
        readDynptr(machine, from)!,
        fromOffset >>> 0,
        size >>> 0,
      ),
  },
  {
    ...RULES,
    name: 'bpf_dynptr_memset',
    arguments: ['dynptr', 'anything', 'anything', 'anything'],
    run: (machine, at, offset, size, value) =>
      fill(machine, readDynptr(machine, at)!, offset >>> 0, size >>> 0, value & 0xff),
  },
];

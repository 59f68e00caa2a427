/** Values that are written back to the entry that they were read from, with something added. */
import { fieldsOf, type Operand } from './expression.ts';
import type { MapByte } from './inputs.ts';

/** Is part of the value what the entry held at the same place, with something added or taken away? */
export function addsToOld(value: readonly Operand[], entry: Pick<MapByte, 'map' | 'key'>): boolean {
  return value.some((part, at) => {
    if (typeof part === 'bigint' || (part.op === 'byte' && part.index > 0)) return false;
    const sum = uncut(part.op === 'byte' ? part.of : part);
    if (typeof sum === 'bigint' || sum.op !== 'binary') return false;
    if (sum.operation === 'sub') return isOld(sum.a, entry, at);
    return sum.operation === 'add' && (isOld(sum.a, entry, at) || isOld(sum.b, entry, at));
  });
}

/** Is it computed from the number of the CPU: a key of the CPU's own? */
export function dependsOnCpu(parts: readonly Operand[]): boolean {
  return parts.some((part) => [...fieldsOf(part)].some(({ kind }) => kind === 'cpu'));
}

/** What the entry held from an offset on. */
function isOld(operand: Operand, entry: Pick<MapByte, 'map' | 'key'>, at: number): boolean {
  const old = uncut(operand);
  if (typeof old === 'bigint') return false;
  const parts = old.op === 'bytes' ? old.parts : [old];
  return parts.every(
    (part, index) =>
      typeof part !== 'bigint' &&
      part.op === 'input' &&
      part.field.kind === 'map' &&
      part.field.map === entry.map &&
      part.field.offset === at + index &&
      part.field.key.join() === entry.key.join(),
  );
}

function uncut(operand: Operand): Operand {
  return typeof operand !== 'bigint' && operand.op === 'cut' ? uncut(operand.of) : operand;
}

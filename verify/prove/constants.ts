/**
 * Constants that a loader sets before a program runs (`const volatile`): a proof holds for all values of them, or for those that
 * the objects have, and says which.
 */
import { isSettable, openConstants } from '../../sim/ebpf/analysis/settable-data.ts';
import { variableAt } from '../../sim/ebpf/analysis/variable-at.ts';
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { World } from '../../sim/runtime/world.ts';

/** The constants of the loader that a program reads, by name. */
export interface ReadConstants {
  /** That were taken to have any value. */
  readonly any: readonly string[];
  /** That were taken to be as in the object. */
  readonly fixed: readonly string[];
}

/** Of a program that reads none. */
export const NO_CONSTANTS: ReadConstants = { any: [], fixed: [] };

/** The map of what the object asks of the kernel that it is loaded into. */
export const KERNEL_CONFIG = '.kconfig';

/**
 * @param all of one program, or of the two that are compared
 * @param given that the user has set: of these there is nothing to say
 */
export function readConstants(all: readonly Inputs[], given: World['globals'] = {}): ReadConstants {
  const any = new Set<string>();
  const fixed = new Set<string>();
  for (const inputs of all) {
    const { object } = inputs.machine;
    for (const { map, at, isOpen } of inputs.readConstants()) {
      const section = object.maps[map]!;
      const variable = variableAt(section, at);
      if (variable === undefined || variable.name in given || section.name === KERNEL_CONFIG) continue;
      if (isOpen) any.add(variable.name);
      else if (isSettable(object, section, at)) fixed.add(variable.name);
    }
  }
  return { any: [...any].sort(), fixed: [...fixed].sort() };
}

/** `, with any values of mode and with lim as in the object`; empty: the program reads none. */
export function constantsText({ any, fixed }: ReadConstants, object: string = 'object'): string {
  const parts = [
    ...(any.length === 0 ? [] : [`with any ${any.length === 1 ? 'value' : 'values'} of ${any.join(', ')}`]),
    ...(fixed.length === 0 ? [] : [`with ${fixed.join(', ')} as in the ${object}`]),
  ];
  return parts.length === 0 ? '' : `, ${parts.join(' and ')}`;
}

/**
 * Read-only bytes of two builds that a loader sets alike: those of constants that both have, in the same form, and that the user
 * has not set. Where they start with other values, it is these that tell the builds apart.
 * @param own the object that the bytes are of
 */
export function openInBoth(
  own: BpfObject,
  other: BpfObject,
  given: World['globals'] = {},
): (map: number, offset: number) => boolean {
  const [isOpen, isOpenToo] = [openConstants(own), openConstants(other)];
  return (map, offset) => {
    if (!isOpen(map, offset)) return false;
    const section = own.maps[map]!;
    const mine = variableAt(section, offset);
    const theirs = other.maps.findIndex(({ name }) => name === section.name);
    const same = mine === undefined ? undefined : other.maps[theirs]?.global?.variables.get(mine.name);
    if (mine === undefined || same?.size !== mine.size || mine.name in given) return false;
    if (!isOpenToo(theirs, same.offset + offset - mine.offset)) return false;
    const [a, b] = [section.global!.bytes, other.maps[theirs]!.global!.bytes];
    const valueIn = (bytes: Uint8Array, at: number): Uint8Array => bytes.subarray(at, at + mine.size);
    return Buffer.compare(valueIn(a, mine.offset), valueIn(b, same.offset)) === 0;
  };
}

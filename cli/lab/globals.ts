/** `--global NAME=VALUE`: read-only globals, set before an object is loaded. */
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import { inputFailure } from '../failure.ts';
import { parseHex } from '../input/options.ts';

/**
 * A value is a whole number (`80`, `0x50`, in the machine's byte order), a MAC address, or `hex:` and all of the
 * variable's bytes; where the variable has four bytes, also the name of a device, which stands for its ifindex.
 * @param ifindexOf undefined for what is no device
 * @throws {Failure} naming the option and what the object has
 */
export function parseGlobals(
  options: readonly string[],
  object: Pick<BpfObject, 'maps'>,
  ifindexOf: (device: string) => number | undefined,
): Record<string, Uint8Array> {
  const sizes = new Map<string, number>();
  for (const { global } of object.maps) {
    if (global?.readOnly !== true) continue;
    for (const [name, variable] of global.variables) sizes.set(name, variable.size);
  }
  const globals: Record<string, Uint8Array> = {};
  for (const option of options) {
    const equals = option.indexOf('=');
    if (equals <= 0) throw inputFailure(`--global takes NAME=VALUE; “${option}” is not of that form`);
    const name = option.slice(0, equals);
    const size = sizes.get(name);
    if (size === undefined) {
      const has = [...sizes.keys()].join(', ') || 'none';
      throw inputFailure(`--global ${name}: the object has no such read-only global; it has ${has}`);
    }
    globals[name] = parseValue(name, option.slice(equals + 1), size, ifindexOf);
  }
  return globals;
}

function parseValue(
  name: string,
  text: string,
  size: number,
  ifindexOf: (device: string) => number | undefined,
): Uint8Array {
  const exact = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length === size) return bytes;
    throw inputFailure(`--global ${name}: takes ${size} bytes, “${text}” has ${bytes.length}`);
  };
  if (text.startsWith('hex:')) return exact(parseHex(text.slice(4), `--global ${name}`));
  if (/^[0-9a-fA-F]{1,2}([:-][0-9a-fA-F]{1,2}){5}$/.test(text)) return exact(macFromText(text));
  if (/^(-?\d+|0[xX][0-9a-fA-F]+)$/.test(text)) return number(name, text, size);
  const ifindex = size === 4 ? ifindexOf(text) : undefined;
  if (ifindex !== undefined) return number(name, String(ifindex), size);
  throw inputFailure(
    `--global ${name}: “${text}” is no number, no MAC address and no bytes`,
    `like ${name}=80, ${name}=02:00:00:00:00:01 or ${name}=hex:0a000001`,
  );
}

function number(name: string, text: string, size: number): Uint8Array {
  if (![1, 2, 4, 8].includes(size)) {
    throw inputFailure(`--global ${name}: has ${size} bytes, which are no number`, `${name}=hex:…`);
  }
  const value = BigInt(text);
  const bits = BigInt(size * 8);
  if (value >= 1n << bits || value < -(1n << (bits - 1n))) {
    throw inputFailure(`--global ${name}: ${text} does not fit into ${size} bytes`);
  }
  return Uint8Array.from({ length: size }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn));
}

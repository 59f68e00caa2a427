/** MAC, IPv4 and IPv6 addresses and prefixes, as text and as bytes in network order. */

/** `02:00:00:00:00:01`. */
export function macToText(bytes: Uint8Array, at: number = 0): string {
  let text = '';
  for (let index = 0; index < 6; index++) {
    text += (index === 0 ? '' : ':') + bytes[at + index]!.toString(16).padStart(2, '0');
  }
  return text;
}

/**
 * Takes six groups of one or two hexadecimal digits, with `:` or `-` between them (one of the two throughout).
 * @throws {SyntaxError} for anything else
 */
export function macFromText(text: string): Uint8Array {
  const groups = text.split(text.includes('-') ? '-' : ':');
  if (groups.length !== 6 || !groups.every((group) => /^[0-9a-fA-F]{1,2}$/.test(group))) {
    throw new SyntaxError(`not a MAC address: "${text}" (expected six groups like 02:00:00:00:00:01)`);
  }
  return Uint8Array.from(groups, (group) => Number.parseInt(group, 16));
}

/** `10.11.1.2`. */
export function ipv4ToText(bytes: Uint8Array, at: number = 0): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/**
 * Takes four decimal numbers from 0 to 255. Leading zeros, fewer parts and hexadecimal, which `inet_aton` takes
 * and different programs read differently (RFC 6943 §3.1.1), are refused.
 * @throws {SyntaxError} saying what is wrong
 */
export function ipv4FromText(text: string): Uint8Array {
  const problem = ipv4Problem(text);
  if (problem !== undefined) throw new SyntaxError(`not an IPv4 address: "${text}" (${problem})`);
  return Uint8Array.from(text.split('.'), Number);
}

function ipv4Problem(text: string): string | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return `${parts.length} parts instead of 4`;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part)) return `"${part}" is not a decimal number from 0 to 255`;
    if (part.length > 1 && part.startsWith('0')) return `"${part}" has a leading zero`;
    if (Number(part) > 255) return `${part} is above 255`;
  }
  return undefined;
}

/** The one recommended form of RFC 5952; IPv4-mapped addresses end in dotted decimal (§5). */
export function ipv6ToText(bytes: Uint8Array, at: number = 0): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) groups.push((bytes[at + index]! << 8) | bytes[at + index + 1]!);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${ipv4ToText(bytes, at + 12)}`;
  }
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

/** "When there is an alternative choice in the placement of a '::' … the first sequence of zero bits MUST be shortened" (RFC 5952 §4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}

/**
 * Takes every form of RFC 4291 §2.2: full, with one `::`, and with the last 32 bits in dotted decimal; in either
 * case of letters. A zone (`%eth0`) is no part of an address and is refused.
 * @throws {SyntaxError} saying what is wrong
 */
export function ipv6FromText(text: string): Uint8Array {
  const fail = (problem: string): never => {
    throw new SyntaxError(`not an IPv6 address: "${text}" (${problem})`);
  };
  if (text.includes('%')) fail('a zone is no part of an address');
  const halves = text.split('::');
  if (halves.length > 2) fail('more than one "::"');
  const bytesOf = (half: string, isLast: boolean): number[] => {
    if (half === '') return [];
    const groups = half.split(':');
    return groups.flatMap((group, index) => {
      if (isLast && index === groups.length - 1 && group.includes('.')) {
        const problem = ipv4Problem(group);
        if (problem !== undefined) fail(`in "${group}": ${problem}`);
        return group.split('.').map(Number);
      }
      if (!/^[0-9a-fA-F]{1,4}$/.test(group))
        fail(`"${group}" is not a group of one to four hexadecimal digits`);
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    });
  };
  const [head = '', tail] = halves;
  const front = bytesOf(head, tail === undefined);
  if (tail === undefined) {
    if (front.length !== 16) fail(`${front.length / 2} groups instead of 8`);
    return Uint8Array.from(front);
  }
  const back = bytesOf(tail, true);
  // "::" stands for one or more groups of zeros (RFC 4291 §2.2).
  if (front.length + back.length > 14) fail('no room for the "::"');
  const address = new Uint8Array(16);
  address.set(front, 0);
  address.set(back, 16 - back.length);
  return address;
}

/** 4 or 16 bytes, whichever the text is. @throws {SyntaxError} */
export function addressFromText(text: string): Uint8Array {
  return text.includes(':') ? ipv6FromText(text) : ipv4FromText(text);
}

/** @param address 4 or 16 bytes */
export function addressToText(address: Uint8Array): string {
  return address.length === 4 ? ipv4ToText(address) : ipv6ToText(address);
}

export interface Prefix {
  /** 4 or 16 bytes; bits behind `length` may be set, as in the address of an interface. */
  readonly address: Uint8Array;
  /** In bits. */
  readonly length: number;
}

/**
 * An address and a prefix length: `10.11.0.0/16`, `fc00::1/64`. Without a length it is the whole address.
 * @throws {SyntaxError} saying what is wrong
 */
export function prefixFromText(text: string): Prefix {
  const slash = text.indexOf('/');
  if (slash < 0) {
    const address = addressFromText(text);
    return { address, length: address.length * 8 };
  }
  const address = addressFromText(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  const most = address.length * 8;
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > most) {
    throw new SyntaxError(`not a prefix: "${text}" (the length behind "/" is a number from 0 to ${most})`);
  }
  return { address, length: Number(digits) };
}

export function prefixToText(prefix: Prefix): string {
  return `${addressToText(prefix.address)}/${prefix.length}`;
}

/** The prefix's first address: the one without host bits. */
export function firstAddress({ address, length }: Prefix): Uint8Array {
  return address.map((byte, index) => byte & ~hostBits(index, length));
}

/** The prefix's last address: IPv4's broadcast address. */
export function lastAddress({ address, length }: Prefix): Uint8Array {
  return address.map((byte, index) => byte | hostBits(index, length));
}

/** The bits of byte `index` that lie behind a prefix of `length` bits. */
function hostBits(index: number, length: number): number {
  return 0xff >> Math.min(8, Math.max(0, length - index * 8));
}

/** Does the address at `at` lie in the prefix? It must be of the prefix's family. */
export function inPrefix(bytes: Uint8Array, at: number, prefix: Prefix): boolean {
  const whole = prefix.length >> 3;
  for (let index = 0; index < whole; index++) {
    if (bytes[at + index] !== prefix.address[index]) return false;
  }
  const rest = prefix.length & 7;
  return rest === 0 || (bytes[at + whole]! ^ prefix.address[whole]!) >> (8 - rest) === 0;
}

/** A group address, broadcast included: the I/G bit of the first byte (IEEE 802 §8.2). */
export function isGroupMac(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & 1) !== 0;
}

/** 224.0.0.0/4 (RFC 1112 §4). */
export function isMulticast4(bytes: Uint8Array, at: number): boolean {
  return bytes[at]! >> 4 === 0xe;
}

/** ff00::/8 (RFC 4291 §2.7). */
export function isMulticast6(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xff;
}

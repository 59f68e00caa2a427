/** Sixteen-bit arithmetic for explanations: written for reading, and apart from what it explains. */

/** 16-bit addition with end-around carry. */
export function add(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff ? sum - 0xffff : sum;
}

export function complement(word: number): number {
  return ~word & 0xffff;
}

/** Carries added back in until none is left. */
export function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest % 0x1_0000) + Math.floor(rest / 0x1_0000);
  return rest;
}

/** The same once: what `(sum & 0xffff) + (sum >> 16)` leaves, which may still not fit in 16 bits. */
export function foldedOnce(sum: number): number {
  return (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
}

/** Equal as ones' complement numbers: 0x0000 and 0xFFFF are both zero. */
export function sameOnes(a: number, b: number): boolean {
  return a % 0xffff === b % 0xffff;
}

export function hex16(word: number): string {
  return `0x${word.toString(16).padStart(4, '0')}`;
}

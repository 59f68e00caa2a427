/** What a minimised corpus has packets for, where a case has several: `packet 3: returns XDP_TX`. */
import type { CaseNote } from './case-header.ts';

/** @param packet counted from 1 */
export function ofPacket(packet: number, reason: string): string {
  return `packet ${packet}: ${reason}`;
}

/** The reasons for one packet of a case, counted from 1, without its number; those for the whole case come with the last one. */
export function reasonsForPacket(note: CaseNote | undefined, packet: number, packets: number): string[] {
  const reasons: string[] = [];
  for (const reason of note?.kept ?? []) {
    const [, number, text] = /^packet (\d+): (.*)$/s.exec(reason) ?? [];
    const isOfOne = number !== undefined && Number(number) >= 1 && Number(number) <= packets;
    if (isOfOne ? Number(number) === packet : packet === packets) reasons.push(isOfOne ? text! : reason);
  }
  return reasons;
}

/** How a program's example is named, as the place where a packet comes from and as a reason. */
export function nameOfExample(example: string): string {
  return `example: ${example}`;
}

/** The name of the example that a packet of a case is, counted from 1; undefined where it is none. */
export function exampleAt(note: CaseNote | undefined, packet: number, packets: number): string | undefined {
  return reasonsForPacket(note, packet, packets).find((reason) => reason.startsWith(nameOfExample('')));
}

/** What a machine says of a packet, in parts: engines write place and reason into one line. */
import type { OutcomeNote } from '../../sim/engines/outcome-batch.ts';

/** The reason alone: "invalid access to packet, off=0 size=1". */
export function reasonOf({ message, instruction, source }: OutcomeNote): string {
  if (instruction === undefined) return message;
  const place = source === undefined ? '' : ` (${source.file}:${source.line})`;
  const prefix = `instruction ${instruction}${place}: `;
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

/** The reason, and behind it the place in few words: "invalid access to packet (prog.bpf.c:51)". */
export function reasonAndPlace(note: OutcomeNote): string {
  const { instruction, source } = note;
  if (instruction === undefined) return note.message;
  const file = source?.file.split(/[/\\]/).at(-1);
  const place = source === undefined ? `instruction ${instruction}` : `${file}:${source.line}`;
  return `${reasonOf(note)} (${place})`;
}

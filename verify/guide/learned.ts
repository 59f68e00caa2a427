/** What runs were compared with: bytes that led a packet on are worth trying in others. */
import type { Assignment } from '../../sim/ebpf/dataflow/expression.ts';
import type { DictionaryEntry } from '../../sim/ebpf/dictionary/dictionary.ts';

const MAX_ENTRIES = 256;

export class Learned {
  readonly #entries = new Map<string, DictionaryEntry>();

  /** Takes what was solved for bytes of one packet that lie side by side. */
  add(assignment: Assignment): void {
    const places = [...assignment.keys()].flatMap((field) => (field.kind === 'packet' ? [field] : []));
    places.sort((a, b) => a.offset - b.offset);
    const [first] = places;
    const last = places.at(-1);
    if (first === undefined || last === undefined || first.offset < 0) return;
    if (this.#entries.size >= MAX_ENTRIES || first.packet !== last.packet) return;
    if (last.offset - first.offset !== places.length - 1) return;
    const bytes = Uint8Array.from(places, (field) => Number(assignment.get(field)));
    this.#entries.set(`${first.offset} ${bytes.join()}`, { bytes, offset: first.offset });
  }

  entries(): Iterable<DictionaryEntry> {
    return this.#entries.values();
  }
}

/** `xdpsim corpus show`: the packets of captures and saved cases, numbered through. */
import type { Case } from '../../corpus/cases/case.ts';
import { reasonsForPacket } from '../../corpus/cases/kept.ts';
import type { PacketFilter } from '../../corpus/filter/filter.ts';
import { decodeTree, treeToText } from '../../sim/packet/tree.ts';
import { casesFromFile } from '../input/packets.ts';
import { count, createTerminal, type Terminal } from '../terminal.ts';

export async function show(
  files: readonly string[],
  options: { tree?: boolean; filter?: PacketFilter; color: boolean },
): Promise<void> {
  const terminal = createTerminal(options);
  for (const file of files) {
    const list = new PacketList(file, options.tree === true, options.filter, terminal);
    for await (const one of casesFromFile(file, { program: '' })) list.show(one);
    list.end();
  }
}

/** The packets of one file. */
class PacketList {
  readonly #file: string;
  readonly #tree: boolean;
  readonly #filter: PacketFilter | undefined;
  readonly #terminal: Terminal;
  #packets = 0;
  #shown = 0;
  #cases = 0;
  #program: string | undefined;

  constructor(file: string, tree: boolean, filter: PacketFilter | undefined, terminal: Terminal) {
    this.#file = file;
    this.#tree = tree;
    this.#filter = filter;
    this.#terminal = terminal;
  }

  show(one: Case): void {
    const terminal = this.#terminal;
    if (this.#cases++ === 0) terminal.print(terminal.style('bold', this.#file));
    if (one.program !== '' && one.program !== this.#program) {
      this.#program = one.program;
      terminal.print(`  cases of ${one.program}`);
    }
    if (one.note?.summary !== undefined) terminal.print(`  ${one.note.summary}`);
    const packets = one.stimuli.length;
    for (const [index, { packet }] of one.stimuli.entries()) {
      const before = this.#shown;
      this.#packet(packet);
      const reasons = reasonsForPacket(one.note, index + 1, packets);
      if (reasons.length > 0 && this.#shown > before)
        terminal.print(`           kept for ${reasons.join('; ')}`);
    }
  }

  end(): void {
    const cases =
      this.#program === undefined ? '' : ` in ${count(this.#cases)} case${this.#cases === 1 ? '' : 's'}`;
    const of = this.#filter === undefined ? '' : `${count(this.#shown)} of `;
    this.#terminal.print(`  ${of}${count(this.#packets)} packet${this.#packets === 1 ? '' : 's'}${cases}`);
  }

  /** Numbers count those, too, that the filter leaves out: Wireshark numbers packets in the same way. */
  #packet(packet: Uint8Array): void {
    this.#packets++;
    if (this.#filter?.matches(packet) === false) return;
    this.#shown++;
    const terminal = this.#terminal;
    const layers = decodeTree(packet, 0, packet.length);
    const summary = layers.map((layer) => `${layer.name} ${layer.text}`.trim()).join(' | ');
    const number = String(this.#packets).padStart(5);
    terminal.print(
      `  ${number}  ${String(packet.length).padStart(5)} ${packet.length === 1 ? 'byte ' : 'bytes'}  ${summary}`,
    );
    if (!this.#tree) return;
    for (const line of treeToText(layers).trimEnd().split('\n')) terminal.print(`           ${line}`);
  }
}

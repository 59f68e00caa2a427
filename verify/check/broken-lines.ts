/**
 * Which line broke what so far. Two faults of one kind are two findings where they lie on two lines; the second packet that
 * shows one of them need not be made small, nor the twentieth of a line that breaks everything: either takes seconds, and
 * nobody would look at it.
 */
import type { Program } from '../../sim/runtime/program.ts';
import { checksumId } from '../invariants/checksum-rules.ts';
import type { Investigation } from '../investigate.ts';
import { originOf } from '../origin.ts';
import type { SourcePlaceWithText } from '../outcome.ts';
import type { Places } from '../run.ts';
import type { Found } from '../segment.ts';
import { invariantOf } from './findings.ts';
import { FEW } from './group.ts';

/** As `findings.ts` names a wrong checksum that nothing explains. */
const UNKNOWN_CAUSE = checksumId(undefined);

export class BrokenLines implements Places {
  readonly #program: Program;
  /** Invariants by the line that breaks them. */
  readonly #broken = new Map<string, Set<string>>();
  /** The same of what takes a guess, which says nothing of the line. */
  readonly #guessed = new Map<string, Set<string>>();
  /** Where each was met. */
  readonly #lines = new WeakMap<Found, string | undefined>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** Does a line break so much that all of it is one finding? */
  get isAnyCrowded(): boolean {
    return [...this.#broken.values()].some(({ size }) => size > FEW);
  }

  async placeOf(found: Found): Promise<string | undefined> {
    if (this.#lines.has(found)) return this.#lines.get(found);
    const source = await this.#origin(found);
    const line = source === undefined ? undefined : textOf(source);
    this.#lines.set(found, line);
    return line;
  }

  /**
   * A line that spoils a sum for one reason may spoil it for another one, too. What none of the usual mistakes explains comes of
   * those that its line makes, as where a packet shows two of them.
   */
  causeOf(found: Found): string | undefined {
    if (found.finding.shape === undefined) return undefined;
    const cause = invariantOf(found.finding, cameAs(found));
    if (cause !== UNKNOWN_CAUSE) return cause;
    const known = this.#knownLike(found).get(this.#lines.get(found) ?? '');
    return [...(known ?? [])].find((one) => one.startsWith('checksum/')) ?? cause;
  }

  async isKnown(found: Found): Promise<boolean> {
    const line = await this.placeOf(found);
    if (line === undefined) return false;
    const known = this.#knownLike(found);
    const broken = known.get(line) ?? new Set();
    known.set(line, broken);
    const invariant = invariantOf(found.finding, cameAs(found));
    const isKnown = broken.has(invariant) || broken.size > FEW;
    broken.add(invariant);
    return isKnown;
  }

  hasStrayed(found: Found, small: Investigation): boolean {
    const { source } = small.finding;
    if (source === undefined || small.state === 'found') return false;
    const line = textOf(source);
    if (line === this.#lines.get(found)) return false;
    return (
      this.#knownLike(found)
        .get(line)
        ?.has(invariantOf(small.finding, cameAs(small))) === true
    );
  }

  #knownLike({ isByGuess }: Found): Map<string, Set<string>> {
    return isByGuess === true ? this.#guessed : this.#broken;
  }

  /** The packet alone shows it in most programs, and takes no time. */
  async #origin({ finding, case: shown }: Found): Promise<SourcePlaceWithText | undefined> {
    const { packet } = finding;
    const alone = { ...shown, stimuli: shown.stimuli.slice(packet, packet + 1) };
    return (
      (await originOf(this.#program, alone, { ...finding, packet: 0 })) ??
      (packet === 0 ? undefined : await originOf(this.#program, shown, finding))
    );
  }
}

function textOf({ file, line }: SourcePlaceWithText): string {
  return `${file}:${line}`;
}

function cameAs({ finding, case: shown }: Pick<Found, 'finding' | 'case'>): Uint8Array | undefined {
  return shown.stimuli[finding.packet]?.packet;
}

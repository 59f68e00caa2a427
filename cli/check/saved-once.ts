/**
 * One file for each finding. Every part of a check saves what it finds at once, before anybody can know that another part has
 * found it already: when all is done, cases that no finding names are removed. Packets are numbered in each run from 0, so what two runs
 * find may be called the same: the second gets a name of its own, or its case would take the place of the first.
 */
import { rm } from 'node:fs/promises';
import type { CheckFinding } from '../../verify/check/finding.ts';
import { ungrouped } from '../../verify/check/group.ts';
import type { Divergence, Saved } from '../../verify/report.ts';

type Save = (divergence: Divergence) => Promise<Saved>;

export class SavedOnce {
  readonly #save: Save;
  readonly #files = new Set<string>();
  /** By what a case is called after: the run that it is of. */
  readonly #runs = new Map<string, string | undefined>();

  constructor(save: Save) {
    this.#save = save;
  }

  /** Saves a case, and remembers where. */
  readonly save: Save = async (divergence) => {
    const { run, ...unnumbered } = divergence;
    const name = JSON.stringify([divergence.program, divergence.engines, divergence.field, divergence.seen]);
    if (!this.#runs.has(name)) this.#runs.set(name, run);
    const saved = await this.#save(this.#runs.get(name) === run ? unnumbered : divergence);
    if (saved.file !== undefined) this.#files.add(saved.file);
    return saved;
  };

  /** Removes what was saved and belongs to none of these findings. */
  async keepOnly(findings: readonly CheckFinding[]): Promise<void> {
    const named = new Set(ungrouped(findings).map(({ file }) => file));
    for (const file of this.#files) {
      // What cannot be removed is a case too many, and harms nobody.
      if (!named.has(file)) await rm(file, { force: true }).catch(() => undefined);
    }
  }
}

/**
 * One file for each finding. Every part of a check saves what it finds at once, before anybody can know that another part has
 * found it already: when all is done, cases that no finding names are removed.
 */
import { rm } from 'node:fs/promises';
import type { CheckFinding } from '../../verify/check/finding.ts';
import { ungrouped } from '../../verify/check/group.ts';
import type { Divergence, Saved } from '../../verify/report.ts';

type Save = (divergence: Divergence) => Promise<Saved>;

export class SavedOnce {
  readonly #save: Save;
  readonly #files = new Set<string>();

  constructor(save: Save) {
    this.#save = save;
  }

  /** Saves a case, and remembers where. */
  readonly save: Save = async (divergence) => {
    const saved = await this.#save(divergence);
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

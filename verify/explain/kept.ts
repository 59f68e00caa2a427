/** Where a divergence is kept, and what to do where it could not be saved. */
import type { Saved } from '../report.ts';

/** Longer files are not printed: `--json` has them. */
const MAX_PRINTED = 32 * 1024;
const WIDTH = 76;

/** Lines that say where the case is, without a newline. */
export function keptLines({ file, unsaved }: Saved): string[] {
  if (unsaved === undefined) return file === undefined ? [] : [`Saved in ${file}`];
  const why = `Not saved in ${unsaved.path}: ${unsaved.reason}`;
  if (file === unsaved.path) return [why, 'That file holds a larger case of the same divergence.'];
  if (file !== undefined) return [why, `Saved in ${file} instead: move it before it is cleaned away.`];
  const { base64 } = unsaved;
  if (base64 === undefined) return [why];
  if (base64.length > MAX_PRINTED) {
    return [
      why,
      `Nor in the temporary directory. Its ${base64.length} characters of base64 are in the output of --json.`,
    ];
  }
  const rows = base64.match(new RegExp(`.{1,${WIDTH}}`, 'g')) ?? [];
  return [
    why,
    'Nor in the temporary directory. To save it elsewhere:',
    "base64 -d > case.pcapng <<'END'",
    ...rows,
    'END',
  ];
}

/** Modules that define a program, with one thing about them that is wrong: for tests. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../kernel/package-file.ts';

export interface ModuleParts {
  /** Runs when the module is loaded. */
  readonly top?: string;
  /** The model's body; `n` counts packets from 1. Default: passes. */
  readonly model?: string;
  readonly worlds?: string;
  readonly maps?: string;
  /** A committed object; default: one that passes every packet. */
  readonly object?: string;
}

/** Writes the module. @returns its path */
export function writeModule(folder: string, name: string, parts: ModuleParts): string {
  const { top = '', model = '', maps = '[]', worlds = "[{ name: 'only', world: {} }]" } = parts;
  const path = join(folder, `${name}.model.mjs`);
  writeFileSync(
    path,
    `${top}
let n = 0;
export default {
  name: '${name}',
  summary: '',
  description: '',
  entries: [{ function: 'xdp_pass', hook: 'xdp', model: (context) => { n++; ${model}
    return 2; } }],
  object: ${JSON.stringify(packageFile(parts.object ?? 'bpf/built/xdp_pass.o'))},
  maps: ${maps},
  worlds: ${worlds},
  examples: [],
  hints: {},
};
`,
  );
  return path;
}

/** What has to be so after a kill. */
import { join } from 'node:path';
import { loadCase } from '../../corpus/cases/case.ts';
import { attachedTo } from '../../kernel/lab/attachments.ts';
import { ifindexOf } from '../../kernel/lab/environment.ts';
import { openOutside } from '../../kernel/lab/foundation.ts';
import { readState } from '../../kernel/lab/state.ts';
import type { Netns } from '../../kernel/network/netns.ts';
import type { Kill } from './kill.ts';
import { type AttackedEnd, looksCrashed, startRun } from './processes.ts';
import { DOCUMENTED, type Tally } from './tally.ts';
import { namesIn } from './traces.ts';

/** Of what starts on a machine that may be busy with other things. */
const PATIENCE = 60_000;

/** What a program that gets a signal ends with, as a shell shows it. */
const BY_SIGNAL: ReadonlySet<number> = new Set([129, 130, 137, 143]);

/** How did it end, and with what in its report? */
export function judge(
  ended: AttackedEnd,
  kill: Kill,
  signal: NodeJS.Signals,
  what: string,
  tally: Tally,
): void {
  const { target, folder, way } = kill;
  const { code, out } = ended;
  if (looksCrashed(ended)) {
    tally.fault('crashes', `${what}: ${code} ${ended.err.slice(0, 500)}`);
    return;
  }
  // A process that has not begun, or has ended, has no handler: a shell shows the same code.
  const isDocumented =
    code === null
      ? ended.signal === signal || way === 'part'
      : DOCUMENTED.has(code) || (target.passesSignals === true && BY_SIGNAL.has(code));
  if (!isDocumented) {
    tally.fault('undocumented codes', `${what}: ${code ?? ended.signal}`);
    return;
  }
  if (code === null || !target.args.includes('--json') || target.args[0] !== 'verify') return;
  const saved = namesIn(join(folder, 'report'), true).filter((name) => name.endsWith('.pcapng')).length;
  // It had not begun.
  if (out === '' && saved === 0) return;
  let programs: { divergences: { file?: string }[] }[];
  try {
    programs = JSON.parse(out).programs;
  } catch {
    // A second signal ends the process at once, in the middle of a line if need be.
    if (code !== 130 || way !== 'twice') {
      tally.fault('lost', `${what}: the report is no JSON: ${out.slice(-200)}`);
    }
    return;
  }
  const reported = programs.flatMap(({ divergences }) => divergences).length;
  if (reported < saved) tally.fault('lost', `${what}: ${saved} saved, ${reported} reported`);
}

/** What SIGKILL leaves behind, the next run removes. */
export async function nextRun(folder: string, mark: string, what: string, tally: Tally): Promise<void> {
  const options = { mark, cwd: folder, patience: PATIENCE };
  const next = await startRun(['lab', 'run', 'xdp_pass', '--in', 'kernel'], options).end;
  if (next.hung) tally.fault('hangs', `${what}: then the next run`);
  else if (next.code !== 0) {
    // What a scenario found is in its report, on standard output.
    const said = `${next.err.slice(0, 500)}\n${next.out.slice(-1500)}`;
    tally.fault('crashes', `${what}: then the next run: ${next.code} ${said}`);
  }
  const folders = ['.', ...namesIn(folder, true)].map((name) => join(folder, name));
  for (const one of folders.filter((path) => namesIn(path).some((name) => name.endsWith('.tmp')))) {
    await startRun(['corpus', 'generate', '--runs', '1', '--out', join(one, 'next.pcapng')], options).end;
  }
}

/** A lab in which a command was killed knows its programs, shows its status, and can be torn down to the last trace. */
export async function checkLab(
  { folder }: Kill,
  name: string,
  mark: string,
  what: string,
  tally: Tally,
): Promise<void> {
  const foreign = foreignPrograms(name);
  if (foreign.length > 0) tally.fault('lost', `${what}: not known as the lab’s own: ${foreign.join(', ')}`);
  for (const command of ['status', 'teardown']) {
    const args = ['lab', command, '--lab', name, '--json'];
    const ended = await startRun(args, { mark, cwd: folder, patience: PATIENCE }).end;
    const { code, err } = ended;
    // One that was removed in part has no status; the error says to tear it down.
    const isRight =
      code === 0 ||
      (command === 'teardown'
        ? code === 2 && err.includes('not set up')
        : code === 3 && err.includes('lab teardown'));
    if (ended.hung) tally.fault('hangs', `${what}: then lab ${command}`);
    else if (!isRight) tally.fault('crashes', `${what}: then lab ${command}: ${code} ${err.slice(0, 500)}`);
  }
}

function foreignPrograms(name: string): string[] {
  const state = readState(name);
  if (state === undefined || state.attachments.length === 0) return [];
  let outside: Netns;
  try {
    outside = openOutside(state);
  } catch {
    // A teardown had come so far.
    return [];
  }
  const known = new Set(state.attachments.map(({ id }) => id));
  try {
    return state.environments.flatMap((one) => {
      const ifindex = ifindexOf(outside, one.name);
      const attached = ifindex === 0 ? [] : attachedTo({ netns: outside, name: one.name, ifindex });
      return attached.filter(({ id }) => !known.has(id)).map((program) => `${program.name} on ${one.name}`);
    });
  } finally {
    outside.close();
  }
}

/** Whatever stands under its name is whole. */
export async function checkFiles(folder: string, what: string, tally: Tally): Promise<void> {
  for (const name of namesIn(join(folder, 'report'), true)) {
    if (!name.endsWith('.pcapng')) continue;
    try {
      await loadCase(join(folder, 'report', name));
    } catch (error) {
      tally.fault('lost', `${what}: ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

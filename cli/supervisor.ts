/**
 * Commands that compute run in a process of their own, which this one can end whatever it is doing: a program that
 * loops, a batch of millions of instructions, a call into libbpf. (`verify` has its own workers, since its report is
 * to be complete even then.)
 */
import { fork } from 'node:child_process';
import { unlinkSync } from 'node:fs';
import { EXIT } from './failure.ts';
import { handleSignals, ignoreSignals, interrupt, isInterruption } from './interrupt.ts';
import { reportLine } from './output.ts';
import { Patience, waitedForProcessor } from './patience.ts';
import { killTree } from './process-tree.ts';

/** Tells the process that it is the supervised one. */
const MARK = 'XDPSIM_SUPERVISED';

/** Milliseconds between two signs of life of a command that is about to end, and between two looks at it. */
const SIGN_EVERY = 100;
const LOOK_EVERY = 50;
/** Milliseconds that a process gets to be gone when it is killed. */
const LAST_PATIENCE = 100;

/** These end by themselves, start other programs that take the signals, or bring workers of their own. */
const UNSUPERVISED: ReadonlySet<string> = new Set([
  'verify',
  'checksum',
  'lab',
  'programs',
  'init',
  'doctor',
  'help',
]);

type Order = 'stop';
type News =
  | { readonly unfinished: string }
  | { readonly finished: string }
  /** It has heard that it is to end, and is at it. */
  | { readonly ending: true };

/** @param args of the command line, without node and script */
export function isSupervised(args: readonly string[]): boolean {
  const [command, subcommand] = args;
  if (command === undefined || command.startsWith('-') || args.includes('--help')) return false;
  // Mutants run in the process itself, not on workers.
  if (command === 'verify') return args.some((one) => one === '--mutants' || one.startsWith('--mutants='));
  return !UNSUPERVISED.has(command) || (command === 'lab' && subcommand === 'run');
}

/** Is this the process in which the command runs? If so, it obeys its supervisor from here on. */
export async function obeySupervisor(): Promise<boolean> {
  if (process.env[MARK] === undefined || process.send === undefined) return false;
  // Programs that the command starts are not supervised.
  delete process.env[MARK];
  const send = (news: News): void => void process.send!(news);
  process.on('message', (order: Order) => {
    if (order !== 'stop') return;
    const sign = (): void => send({ ending: true });
    sign();
    setInterval(sign, SIGN_EVERY).unref();
    interrupt('SIGINT');
  });
  // The channel must not keep a command alive that is done.
  process.channel?.unref();
  process.on('disconnect', () => process.exit(EXIT.interrupted));
  // Ctrl-C reaches the whole group; the supervisor passes it on.
  ignoreSignals();
  const [{ onUnfinishedFile }, { dieWithParent }] = await Promise.all([
    import('../corpus/files/atomic-file.ts'),
    import('../kernel/process/parent-death.ts'),
  ]);
  dieWithParent();
  onUnfinishedFile((path, isFinished) => send(isFinished ? { finished: path } : { unfinished: path }));
  return true;
}

/** Runs the command line in a process of its own. @returns the exit code */
export async function supervise(): Promise<number> {
  const script = process.argv[1]!;
  const child = fork(script, process.argv.slice(2), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  });
  const unfinished = new Set<string>();
  let patience: Patience | undefined;
  child.on('message', (news: News) => {
    if ('ending' in news) patience?.sign();
    else if ('unfinished' in news) unfinished.add(news.unfinished);
    else unfinished.delete(news.finished);
  });
  let isKilled = false;
  let onKill = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    clearInterval(timer);
    isKilled = true;
    killTree(child.pid!);
    onKill();
  };
  const release = handleSignals(() => {
    if (patience !== undefined) return kill();
    patience = new Patience(() => waitedForProcessor(child.pid!));
    timer = setInterval(() => {
      if (patience!.isOver) kill();
    }, LOOK_EVERY);
    if (child.connected) child.send('stop' satisfies Order, () => {});
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('exit', (...end) => resolve(end));
    child.on('error', reject);
    // The kernel may be busy with its end for a second: nobody waits for that.
    onKill = () => setTimeout(() => resolve([null, 'SIGKILL']), LAST_PATIENCE);
  });
  clearInterval(timer);
  release();
  if (code !== null) return code;
  child.unref();
  child.channel?.unref();
  await removeTraces(child.pid!, unfinished);
  // Ctrl-C goes to the whole group: a child that is still starting has no handler for it.
  if (isKilled || patience !== undefined || isInterruption(signal)) return EXIT.interrupted;
  return crashed(signal);
}

/** What a process does not remove that is ended by force. */
async function removeTraces(pid: number, unfinished: ReadonlySet<string>): Promise<void> {
  for (const path of unfinished) {
    try {
      unlinkSync(path);
    } catch {
      // It was finished, or is gone.
    }
  }
  const { removeThingsOf } = await import('../kernel/process/leftovers.ts');
  removeThingsOf(pid);
}

function crashed(signal: NodeJS.Signals | null): number {
  // V8 ends with one of the latter two.
  if (signal === 'SIGKILL' || signal === 'SIGABRT' || signal === 'SIGTRAP') {
    reportLine('xdpsim: not enough memory');
    reportLine('        Free some, or allow more: NODE_OPTIONS=--max-old-space-size=8192 (MB)');
    return EXIT.environment;
  }
  reportLine(`xdpsim: ended by ${signal}; this is a defect of xdpsim`);
  return EXIT.defect;
}

/** `xdpsim lab stats | maps | trace`: what programs have counted, stored and printed. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Lab } from '../../kernel/lab/lab.ts';
import { dumpMaps } from '../../kernel/lab/map-dump.ts';
import { ratesBetween, readCounters } from '../../kernel/lab/statistics.ts';
import { labLines, parseTraceLine } from '../../kernel/lab/trace.ts';
import { TraceInstance } from '../../kernel/lab/trace-instance.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson as printDocument, printLine, reportLine } from '../output.ts';
import { createTerminal } from '../terminal.ts';
import { type LabOptions, labCommand, printJson, withLab, withOutput } from './lab-command.ts';
import { mapLines, mapToJson } from './maps-text.ts';
import { ratesLines, ratesToJson } from './stats-text.ts';

/** Milliseconds to the first report: soon, so that one sees that it works. */
const FIRST = 250;
/** Milliseconds between the later ones. */
const PERIOD = 2000;
/** Milliseconds between two looks at the trace. */
const TRACE_PERIOD = 50;

interface StatsOptions extends LabOptions {
  readonly once?: boolean;
}

interface TraceOptions extends LabOptions {
  readonly all?: boolean;
}

export function registerObserving(lab: Command): void {
  withOutput(
    labCommand(lab, 'stats', 'show packets and bytes by action, and packets by protocol, until Ctrl-C')
      .argument('<name>', 'the environment')
      .option('--once', 'print one report, after a quarter of a second'),
  ).action(stats);

  withOutput(
    labCommand(lab, 'maps', 'show what the maps of the programs hold')
      .argument('<name>', 'the environment')
      .argument('[map]', 'default: all'),
  ).action((name: string, map: string | undefined, options: LabOptions) =>
    withLab(options, (opened) => {
      const dumps = dumpMaps(opened, name, map);
      if (options.json === true) printJson({ environment: name, maps: dumps.map(mapToJson) });
      else if (dumps.length === 0) printLine(`the programs on ${name} have no maps`);
      else
        for (const dump of dumps) for (const line of mapLines(dump, createTerminal(options))) printLine(line);
    }),
  );

  withOutput(
    labCommand(lab, 'trace', 'follow what the lab’s programs print, until Ctrl-C').option(
      '--all',
      'include what other programs print',
    ),
  ).action((options: TraceOptions) => withLab(options, (opened) => trace(opened, options)));
}

function stats(name: string, options: StatsOptions): Promise<void> {
  return withLab(options, async (lab) => {
    const terminal = createTerminal(options);
    const interrupt = onInterrupt();
    try {
      let before = readCounters(lab, name);
      for (let period = FIRST; await pause(period, interrupt.signal); period = PERIOD) {
        const now = readCounters(lab, name);
        const rates = ratesBetween(before, now);
        if (options.json === true) printJson({ environment: name, ...ratesToJson(rates) });
        else for (const line of [...ratesLines(rates), '']) terminal.print(line);
        if (options.once === true) return;
        before = now;
      }
    } finally {
      interrupt.release();
    }
  });
}

async function trace(lab: Lab, options: TraceOptions): Promise<void> {
  const interrupt = onInterrupt();
  const instance = new TraceInstance(lab.name);
  try {
    if (options.all !== true && labLines(lab) === undefined) {
      reportLine('The lines of this lab cannot be told from those of others: all are shown.');
    }
    do {
      const lines = instance.read();
      // Anew each time: programs come and go meanwhile.
      const ours = lines.length === 0 || options.all === true ? undefined : labLines(lab);
      for (const line of lines) {
        const parsed = parseTraceLine(line);
        if (ours !== undefined && (parsed === undefined || !ours(parsed.text))) continue;
        if (options.json === true) printDocument(parsed ?? { prefix: '', text: line });
        else printLine(line);
      }
    } while (await pause(TRACE_PERIOD, interrupt.signal));
  } finally {
    instance.close();
    interrupt.release();
  }
}

/** @returns false when Ctrl-C came first */
async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await wait(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/** `xdpsim doctor`: shows what works on this machine, what does not, and how to get it. */
import type { Command } from 'commander';
import { type Check, probeMachine } from '../../kernel/probe.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import { allEngines } from '../engines.ts';
import { printJson } from '../output.ts';
import { createTerminal, table } from '../terminal.ts';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('show what works on this machine, what does not, and how to get it')
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .action(run);
}

interface EngineState {
  readonly name: EngineName;
  readonly available: boolean;
  readonly note?: string;
  readonly reason?: string;
  readonly remedy?: string;
}

function run(options: { json?: boolean; color: boolean }): void {
  const engines: EngineState[] = allEngines().map((engine) => ({
    name: engine.name,
    ...engine.availability(),
  }));
  const checks = probeMachine();
  if (options.json === true) {
    printJson({ version: 1, engines, checks }, 2);
    return;
  }
  const terminal = createTerminal(options);
  const mark = (ok: boolean): string => (ok ? '✓' : '✗');
  terminal.print(terminal.style('bold', 'Engines'));
  const engineRows = engines.map((engine) => [
    mark(engine.available),
    engine.name,
    engine.available ? (engine.note ?? 'available') : (engine.reason ?? ''),
  ]);
  for (const line of table(engineRows)) terminal.print(`  ${line}`);
  terminal.print();
  terminal.print(terminal.style('bold', 'This machine'));
  for (const line of table(checks.map((check) => [mark(check.ok), check.name, check.detail]))) {
    terminal.print(`  ${line}`);
  }
  const missing = checks.filter((check) => !check.ok);
  terminal.print();
  if (missing.length === 0) {
    terminal.print(terminal.style('green', 'Everything that xdpsim can use is available.'));
    return;
  }
  terminal.print(terminal.style('bold', 'How to get what is missing'));
  for (const line of missing.flatMap(remedy)) terminal.print(line);
}

function remedy(check: Check): string[] {
  return [`  ${check.name}: ${check.remedy ?? ''}`, `    needed for ${check.neededFor}`];
}

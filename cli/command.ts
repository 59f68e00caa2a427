/** The command line: which commands there are, and how wrong usage ends. */
import { Command, CommanderError, Help, type Option } from 'commander';
import { runningKernel } from '../kernel/libbpf/kernel-facts.ts';
import { useKernel } from '../sim/engines/process-kernel.ts';
import { commandsFor } from './commands/index.ts';
import { settingsOf, useCompiler } from './compile/settings.ts';
import { EXIT } from './failure.ts';
import { requireApart } from './input/distinct-files.ts';
import { printText, reportLine, reportText } from './output.ts';
import { version } from './version.ts';

/** Columns in which the description of a command with a long usage (`corpus`) is still wrapped. */
const LEAST_WIDTH = 30;

/**
 * Runs what the arguments ask for.
 * @throws whatever ends the command early: `reportError` knows the exit code
 */
export async function runCommand(argv: readonly string[]): Promise<void> {
  useKernel(runningKernel);
  const program = new Command('xdpsim')
    .description(
      'Compares compiled XDP and TC programs with their models, in userspace and in the real kernel',
    )
    .version(version(), '-V, --version')
    .helpCommand(true)
    // Subcommands inherit what is configured.
    .configureHelp({ optionDescription: describeOption, minWidthToWrap: LEAST_WIDTH })
    .configureOutput({
      writeOut: printText,
      writeErr: reportText,
      outputError: (text) => reportLine(`xdpsim: ${messageOf(text)}`),
    })
    .exitOverride();
  for (const register of await commandsFor(argv[2])) register(program);
  program.hook('preAction', async (_, command) => {
    await requireApart(command);
    await setCompiler(command);
  });
  for (const command of [program, ...commandsBelow(program)]) {
    command.showHelpAfterError(`        see ${pathOf(command)} --help`);
    noteRepeated(command);
  }
  try {
    await program.parseAsync([...argv.slice(0, 2), ...withoutHelp(program, argv.slice(2))]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Its message is printed already; --help and --version end with code 0.
    process.exitCode = error.exitCode === 0 ? EXIT.agreed : EXIT.input;
  } finally {
    useKernel(undefined);
  }
}

/** The options of the command, and behind them, where a C source is named, the configuration file. */
async function setCompiler(command: Command): Promise<void> {
  const own = settingsOf(command.opts());
  useCompiler(own);
  // `check` reads the whole file by itself.
  const names = command.args.concat(command.opts().object ?? []);
  if (command.name() === 'check' || !names.some((name) => /\.c(:|$)/.test(name))) return;
  const { compilerOf, loadConfig } = await import('./config/load.ts');
  const loaded = await loadConfig(undefined);
  if (loaded !== undefined) useCompiler(compilerOf(loaded, [], own));
}

/** Commander's messages as one line: "unknown command 'verfy' (Did you mean verify?)". */
function messageOf(text: string): string {
  return text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ');
}

function commandsBelow(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...commandsBelow(one)]);
}

/**
 * `help corpus merge` as `corpus merge --help`, and `help nope` as `nope`: what is no command is said in the same words.
 * Commander looks at one word behind `help`, and prints its own usage where it does not know that.
 */
function withoutHelp(program: Command, words: readonly string[]): readonly string[] {
  const at = words.indexOf('help');
  if (at < 0 || at === words.length - 1) return words;
  const named = (command: Command | undefined, name: string): Command | undefined =>
    command?.commands.find((one) => one.name() === name);
  const before = words.slice(0, at);
  let command = before.reduce<Command | undefined>(named, program);
  if (command === undefined || command.commands.length === 0) return words;
  const known = [...before];
  for (const word of words.slice(at + 1)) {
    known.push(word);
    command = named(command, word);
    if (command === undefined) return known;
    if (command.commands.length === 0) break;
  }
  return [...known, '--help'];
}

/** "xdpsim corpus generate" */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/**
 * An option that takes one value counts as it was given last, as in other commands: whoever appends one to a command that
 * was printed to be repeated means that. It is not done in silence.
 */
function noteRepeated(command: Command): void {
  for (const option of command.options) {
    const mayRepeat = Array.isArray(option.defaultValue);
    if (mayRepeat || !(option.required || option.optional)) continue;
    let before: string | undefined;
    command.on(`option:${option.name()}`, (value: string | null) => {
      const now = value ?? '';
      if (before !== undefined && before !== now) {
        reportLine(`xdpsim: ${option.long} is given more than once: “${now}” counts, not “${before}”`);
      }
      before = now;
    });
  }
}

/** An option that may be repeated starts as an empty list, which is no default that a user could give. */
function describeOption(this: Help, option: Option): string {
  const isEmptyList = Array.isArray(option.defaultValue) && option.defaultValue.length === 0;
  const shown = isEmptyList ? Object.create(option, { defaultValue: { value: undefined } }) : option;
  return Help.prototype.optionDescription.call(this, shown);
}

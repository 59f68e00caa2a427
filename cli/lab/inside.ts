/** `xdpsim lab exec | enter | ping | tcpdump`: running things in the lab. */
import type { Command } from 'commander';
import type { Lab } from '../../kernel/lab/lab.ts';
import { INNER_DEVICE, subnetOf } from '../../kernel/lab/names.ts';
import type { Netns } from '../../kernel/network/netns.ts';
import { inputFailure } from '../failure.ts';
import { parseCount } from '../input/options.ts';
import { type LabOptions, labCommand, withLab } from './lab-command.ts';
import { runInside } from './run-inside.ts';

interface SideOptions extends LabOptions {
  readonly outer?: boolean;
  readonly inner?: boolean;
}

interface PingOptions extends LabOptions {
  readonly ipv4?: boolean;
  readonly count?: number;
}

interface CaptureOptions extends SideOptions {
  readonly write?: string;
}

export function registerInside(lab: Command): void {
  labCommand(lab, 'exec', 'run a command inside an environment; BPF pins stay visible')
    .usage('[options] <name> -- <command...>')
    .argument('<name>', 'the environment')
    .argument('<command...>', 'the command to run, after --')
    .option('--outer', 'run it outside instead, where the devices with the programs are')
    .action((name: string, command: readonly string[], options: SideOptions) =>
      withLab(options, async (opened) => {
        const [program, ...args] = command;
        const netns = side(opened, name, options.outer === true);
        process.exitCode = await runInside(netns, program!, args, variables(opened, name));
      }),
    );

  labCommand(lab, 'enter', 'start a shell inside an environment')
    .argument('<name>', 'the environment')
    .option('--outer', 'start it outside instead')
    .action((name: string, options: SideOptions) =>
      withLab(options, async (opened) => {
        const netns = side(opened, name, options.outer === true);
        const shell = process.env.SHELL ?? '/bin/sh';
        process.exitCode = await runInside(netns, shell, [], variables(opened, name));
      }),
    );

  labCommand(lab, 'ping', 'ping the outside from inside')
    .usage('[options] <name> [-- <ping’s options...>]')
    .argument('<name>', 'the environment')
    .argument('[options...]', 'options for ping, after --')
    .option('--ipv4', 'ping the IPv4 address')
    .option('-c, --count <n>', 'how many requests to send', parseCount('--count'))
    .action(ping);

  labCommand(lab, 'tcpdump', 'show the packets on the outer device')
    .usage('[options] <name> [-- <filter...>]')
    .argument('<name>', 'the environment')
    .argument('[filter...]', 'filter and options for tcpdump, after --')
    .option('--inner', 'capture on the inner device instead')
    .option('-w, --write <file>', 'write a capture')
    .action(tcpdump);
}

function ping(name: string, more: readonly string[], options: PingOptions): Promise<void> {
  return withLab(options, async (lab) => {
    const environment = lab.environment(name);
    if (options.ipv4 === true && !environment.ipv4) {
      throw inputFailure(`${name} has no IPv4 addresses`, `set it up with --ipv4`);
    }
    const { outer } = subnetOf(environment.number);
    const count = options.count === undefined ? [] : ['-c', String(options.count)];
    const to = options.ipv4 === true ? outer.ipv4 : outer.ipv6;
    process.exitCode = await runInside(lab.inside(name), 'ping', [...count, ...more, to]);
  });
}

function tcpdump(name: string, more: readonly string[], options: CaptureOptions): Promise<void> {
  return withLab(options, async (lab) => {
    const inner = options.inner === true;
    const device = inner ? INNER_DEVICE : lab.device(name).name;
    const netns = inner ? lab.inside(name) : lab.outside;
    // As root: tcpdump's own user may not write where the caller stands.
    const write =
      options.write === undefined ? ['-l', '-n', '-e'] : ['-Z', 'root', '-U', '-w', options.write];
    process.exitCode = await runInside(netns, 'tcpdump', ['-i', device, ...write, ...more]);
  });
}

/** What commands and shells in an environment find in theirs. */
function variables(lab: Lab, name: string): NodeJS.ProcessEnv {
  return { XDPSIM_LAB: `${lab.name}:${name}`, XDPSIM_PINS: lab.pinDirectory(name) };
}

function side(lab: Lab, name: string, outer: boolean): Netns {
  lab.environment(name);
  return outer ? lab.outside : lab.inside(name);
}

/** `xdpsim lab setup | teardown | reset | status`: the network itself. */
import type { Command } from 'commander';
import { Lab } from '../../kernel/lab/lab.ts';
import type { EnvironmentState } from '../../kernel/lab/lab-state.ts';
import { checkEnvironmentName, labOption, subnetsOf } from '../../kernel/lab/names.ts';
import { reset, setup, teardown } from '../../kernel/lab/setup.ts';
import { labNames } from '../../kernel/lab/state.ts';
import { labStatus } from '../../kernel/lab/status.ts';
import { printLine } from '../output.ts';
import { createTerminal } from '../terminal.ts';
import { exclusively, type LabOptions, labCommand, labName, printJson, withOutput } from './lab-command.ts';
import { statusLines } from './status-text.ts';

interface SetupFlags extends LabOptions {
  readonly ipv4?: boolean;
  readonly vlan?: boolean;
}

export function registerTopology(lab: Command): void {
  withOutput(
    labCommand(lab, 'setup', 'create an environment: a namespace with veth0 inside, its peer NAME outside')
      .argument(
        '[name]',
        'name of the environment and of its outer device, at most 15 characters; default: env1, env2, …',
      )
      .option('--ipv4', 'add IPv4 addresses to the IPv6 ones')
      .option('--vlan', 'add sub-interfaces for VLANs 1 and 2'),
  ).action(async (name: string | undefined, options: SetupFlags) => {
    const flags = { ipv4: options.ipv4 ?? false, vlan: options.vlan ?? false };
    if (name !== undefined) checkEnvironmentName(name, flags.vlan);
    const made = await exclusively(options, (lab) =>
      setup(lab, { ...(name === undefined ? {} : { name }), ...flags }),
    );
    if (options.json === true) printJson({ environment: environmentToJson(made) });
    else for (const line of setupLines(made)) printLine(line);
  });

  withOutput(
    labCommand(lab, 'teardown', 'remove an environment, or the whole lab').argument(
      '[name]',
      'default: everything',
    ),
  ).action(async (name: string | undefined, options: LabOptions) => {
    const removed = await exclusively(options, (lab) => teardown(lab, name));
    const names = removed.map((one) => one.name);
    if (options.json === true) printJson({ removed: names });
    else printLine(names.length === 0 ? 'the lab is removed' : `removed: ${names.join(', ')}`);
  });

  withOutput(
    labCommand(lab, 'reset', 'restore environments to what they were after setup').argument(
      '[name]',
      'default: all',
    ),
  ).action(async (name: string | undefined, options: LabOptions) => {
    const made = await exclusively(options, (lab) => reset(lab, name));
    if (options.json === true) printJson({ environments: made.map(environmentToJson) });
    else printLine(`as after setup: ${made.map((one) => one.name).join(', ') || 'nothing'}`);
  });

  withOutput(
    labCommand(lab, 'status', 'show environments, addresses and programs').argument(
      '[name]',
      'one environment; default: all',
    ),
  ).action(status);
}

function status(name: string | undefined, options: LabOptions): void {
  const wanted = labName(options);
  if (!labNames().includes(wanted) && name === undefined) {
    const others = labNames();
    if (options.json === true) printJson({ lab: null, others });
    else {
      const which = options.lab === undefined ? 'The lab' : `The lab “${wanted}”`;
      printLine(`${which} is not set up. Run \`xdpsim lab setup NAME${labOption(wanted)}\` first.`);
      for (const other of others) printLine(`Another lab is set up: xdpsim lab status${labOption(other)}`);
    }
    return;
  }
  const lab = new Lab(wanted);
  try {
    if (name !== undefined) lab.environment(name);
    const all = labStatus(lab);
    const environments = all.environments.filter((one) => name === undefined || one.name === name);
    const shown = { ...all, environments };
    if (options.json === true) printJson({ lab: shown });
    else for (const line of statusLines(shown, createTerminal(options))) printLine(line);
  } finally {
    lab.close();
  }
}

function environmentToJson(environment: EnvironmentState): object {
  const [{ outer, inner }] = subnetsOf(environment) as [ReturnType<typeof subnetsOf>[number]];
  const end = ({ mac, ipv6, ipv4 }: typeof outer): object => ({
    mac,
    ipv6,
    ...(environment.ipv4 ? { ipv4 } : {}),
  });
  return { ...environment, outer: end(outer), inner: end(inner) };
}

function setupLines(environment: EnvironmentState): string[] {
  const { name, namespace, ipv4 } = environment;
  return subnetsOf(environment).flatMap(({ vlan, outer, inner }) => {
    const tag = vlan === undefined ? '' : `.${vlan}`;
    const addresses = (end: typeof outer): string => (ipv4 ? `${end.ipv6}, ${end.ipv4}` : end.ipv6);
    return [
      `outside ${name}${tag}: ${addresses(outer)}`,
      `inside  veth0${tag} in namespace ${namespace}: ${addresses(inner)}`,
    ];
  });
}

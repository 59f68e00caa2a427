/** The lab as a table. */
import type { EnvironmentStatus, LabStatus, ProgramStatus } from '../../kernel/lab/status.ts';
import { type Terminal, table } from '../terminal.ts';

export function statusLines(lab: LabStatus, terminal: Terminal): string[] {
  const where = lab.namespace === 'host' ? 'in the host’s own namespace' : `in namespace ${lab.namespace}`;
  const lines = [`${terminal.style('bold', `lab ${lab.name}`)} ${where}, maps pinned in ${lab.pinRoot}`];
  for (const environment of lab.environments) lines.push('', ...environmentLines(environment, terminal));
  for (const { device, programs } of lab.devices) {
    lines.push('', terminal.style('bold', device), ...programLines(programs));
  }
  if (lab.environments.length === 0 && lab.devices.length === 0) lines.push('', 'no environments');
  return lines;
}

function environmentLines(environment: EnvironmentStatus, terminal: Terminal): string[] {
  const { name, namespace, outer, inner, programs, broken } = environment;
  const rows = [
    ...outer.map((one) => ['outside', one] as const),
    ...inner.map((one) => ['inside', one] as const),
  ].map(([side, { device, ifindex, mac, state, addresses }]) => [
    side,
    device,
    `ifindex ${ifindex}`,
    mac,
    state,
    addresses.join(' '),
  ]);
  return [
    `${terminal.style('bold', name)} (namespace ${namespace})`,
    ...(broken === undefined
      ? []
      : [`  ${terminal.style('red', `broken: ${broken}`)}; xdpsim lab reset ${name} mends it`]),
    ...table(rows).map((line) => `  ${line}`),
    ...programLines(programs),
  ];
}

function programLines(programs: readonly ProgramStatus[]): string[] {
  const rows = programs.map(({ function: name, hook, mode, id, object }) => [
    name,
    hook,
    mode,
    `id ${id}`,
    object ?? 'not loaded by the lab',
  ]);
  return rows.length === 0 ? ['  no program'] : table(rows).map((line) => `  ${line}`);
}

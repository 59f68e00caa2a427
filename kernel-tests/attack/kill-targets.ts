/** What is killed: all commands that make something, with what has to be there for them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../../kernel/lab/lab.ts';
import { type LoadOptions, load } from '../../kernel/lab/load.ts';
import { setup } from '../../kernel/lab/setup.ts';
import { packageFile } from '../../kernel/package-file.ts';

export interface Target {
  readonly args: readonly string[];
  /** Milliseconds until the last moment at which it is killed; default: a few seconds. */
  readonly latest?: number;
  /** Its lab, which stands before and is torn down after. */
  readonly lab?: string;
  /** Makes what the command needs. */
  readonly prepare?: () => void;
  /** Passes signals on to another program, and ends with its code. */
  readonly passesSignals?: boolean;
}

const capture = (name: string): string => packageFile(`corpus/captures/${name}.pcapng`);
const object = (name: string): string => packageFile(`bpf/built/${name}.o`);
const source = (name: string): string => packageFile(`bpf/${name}.bpf.c`);

/**
 * @param folder where it may write; beside it stands the module `rarely.model.mjs`
 * @param lab a name that no other lab has
 */
export function killTargets(folder: string, lab: string): readonly Target[] {
  return [...computing(folder).map((args) => ({ args })), ...labTargets(folder, lab)];
}

function computing(folder: string): readonly (readonly string[])[] {
  const rarely = join(folder, '..', 'rarely.model.mjs');
  const verify = (...args: string[]): string[] => [
    ...['verify', ...args, '--report', join(folder, 'report'), '--max-divergences', '99', '--json'],
    ...['--junit', join(folder, 'junit.xml'), '--coverage', join(folder, 'lcov.info')],
  ];
  return [
    verify('router', '--runs', '100M'),
    verify(rarely, '--time', '1h'),
    verify(rarely, '--time', '1h', '--workers', '2'),
    verify('router', '--runs', '100M', '--live'),
    verify('icmp_echo', '--runs', '100M', '--engines', 'model,vm,wasm,testrun,veth', '--workers', '3'),
    verify(object('port_filter'), '--runs', '100M', '--workers', '2'),
    verify('--time', '1s'),
    ['corpus', 'generate', '--out', join(folder, 'all.pcapng'), '--runs', '100M'],
    ['corpus', 'merge', capture('ping'), capture('tcp'), capture('udp'), '--out', join(folder, 'merged')],
    ['corpus', 'minimize', 'router', capture('ping'), capture('icmp-errors'), '--out', join(folder, 'fewer')],
    verify(source('port_filter'), '--runs', '100M', '--packets', capture('tcp')),
    ['verify', 'router', '--mutants', '--json'],
    [
      ...['check', object('icmp_echo'), source('port_filter'), '--runs', '10M', '--json', '--no-config'],
      ...['--junit', join(folder, 'check.xml'), '--sarif', join(folder, 'check.sarif')],
      ...['--report', join(folder, 'checked')],
    ],
    [
      'diff',
      object('port_filter'),
      object('tcp_filter'),
      '--runs',
      '10M',
      '--report',
      join(folder, 'classes'),
    ],
    ['prove', object('icmp_echo'), '--json', '--report', join(folder, 'refuted')],
    ['corpus', 'convert', capture('tcp'), '--out', join(folder, 'packets.json')],
    ['checksum', capture('tcp'), '--fix', join(folder, 'fixed.pcapng')],
    ['world', 'init', object('router'), '--out', join(folder, 'world.json')],
    ['run', 'router', capture('tcp'), '--write', join(folder, 'out.pcapng')],
    ['run', 'router', capture('tcp'), '--engine', 'testrun', '--write', join(folder, 'out.pcapng')],
    ['run', 'icmp_echo', capture('ping'), '--engine', 'veth', '--write', join(folder, 'out.pcapng')],
    ['checksum', ...['ping', 'tcp', 'udp', 'icmp-errors'].map(capture), '--json'],
    ['lab', 'run', 'router', '--in', 'both'],
    ['lab', 'run', 'icmp_echo', '--in', 'kernel', '--json'],
    ['bench', '--only', 'veth/c,testrun/c'],
    ['bench', '--only', 'pipeline/c,wasm/kernel'],
    ['doctor', '--json'],
  ];
}

function labTargets(folder: string, name: string): Target[] {
  const target = (args: readonly string[], prepare: () => void, more: Partial<Target> = {}): Target => ({
    args: ['lab', ...args, '--lab', name],
    lab: name,
    latest: 1500,
    prepare,
    ...more,
  });
  const after = (...environments: string[]) => {
    return (): void => {
      for (const one of environments) setup(name, { name: one, ipv4: true });
    };
  };
  const loaded = (program: string) => () => {
    after('left', 'right')();
    const lab = new Lab(name);
    try {
      for (const one of ['left', 'right']) load(lab, one, { ...built(program), mode: 'native' });
    } finally {
      lab.close();
    }
  };
  const waiting = { latest: 4000, passesSignals: true };
  return [
    target(['setup', 'left', '--ipv4', '--vlan'], () => {}),
    target(['setup', 'right'], after('left')),
    target(['reset'], after('left', 'right')),
    target(['teardown'], loaded('layer_coop')),
    target(['teardown', 'left'], loaded('layer_coop')),
    target(['load', 'left', 'layer_coop'], after('left')),
    target(['load', 'left', 'icmp_echo', '--replace'], loaded('layer_coop')),
    target(['load', 'left', 'layer_coop', '--replace', '--mode', 'generic'], loaded('icmp_echo')),
    target(['unload', 'left'], loaded('layer_coop')),
    target(['redirect', 'left', 'right'], loaded('redirect_map')),
    target(['stats', 'left'], loaded('account'), { latest: 4000 }),
    target(['trace', '--all'], loaded('layer_coop'), { latest: 4000 }),
    target(['tcpdump', 'left', '--write', join(folder, 'seen.pcap')], after('left'), waiting),
    target(['ping', 'left'], after('left'), waiting),
    {
      ...target([], after('left'), waiting),
      args: ['lab', 'exec', '--lab', name, 'left', '--', 'sleep', '99'],
    },
  ];
}

function built(program: string): Pick<LoadOptions, 'object' | 'file'> {
  return { object: new Uint8Array(readFileSync(object(program))), file: `${program}.o` };
}

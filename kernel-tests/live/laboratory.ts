/**
 * A lab of its own for each live scenario, and what is done in it: programs loaded, pings, captures, and sockets in
 * processes of their own. Nothing here sleeps: what has to happen is waited for, and fails when it never does.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach } from 'vitest';
import { Lab } from '../../kernel/lab/lab.ts';
import type { AttachmentState } from '../../kernel/lab/lab-state.ts';
import { type LoadOptions, load } from '../../kernel/lab/load.ts';
import { dumpMaps } from '../../kernel/lab/map-dump.ts';
import { type Subnet, subnetOf } from '../../kernel/lab/names.ts';
import { connect, type Filled } from '../../kernel/lab/redirect.ts';
import { type SetupOptions, setup, teardown } from '../../kernel/lab/setup.ts';
import { readCounters } from '../../kernel/lab/statistics.ts';
import type { Netns } from '../../kernel/network/netns.ts';
import { disposeOnExit } from '../../kernel/process/cleanup.ts';
import { toJson } from '../../sim/ebpf/btf-value.ts';
import { programByName } from '../../sim/programs/index.ts';
import { removeDeadLabs } from '../test-support/dead-labs.ts';
import { type PingOptions, type PingResult, ping, Talker } from './tools.ts';

let counter = 0;

/**
 * A fresh lab for each test of the suite that calls this, torn down after it.
 * @param environments their names, all with IPv4
 */
export function useLaboratory(environments: readonly string[]): () => Laboratory {
  let laboratory: Laboratory | undefined;
  beforeEach(() => {
    laboratory = new Laboratory(environments);
  });
  afterEach(async () => {
    await laboratory?.close();
    laboratory = undefined;
  });
  return () => laboratory!;
}

export class Laboratory {
  readonly lab: Lab;
  readonly #children: Talker[] = [];
  readonly #keepOnExit: () => void;

  constructor(environments: readonly string[], options: SetupOptions = { ipv4: true }) {
    removeDeadLabs();
    const name = `live-${process.pid}-${counter++}`;
    this.#keepOnExit = disposeOnExit(() => teardown(name));
    for (const environment of environments) setup(name, { ...options, name: environment });
    this.lab = new Lab(name);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
    this.lab.close();
    this.#keepOnExit();
    teardown(this.lab.name);
  }

  /** Loads a built-in program. */
  load(environment: string, program: string, options: Partial<LoadOptions> = {}): AttachmentState[] {
    const file = new URL(`../../bpf/built/${program}.o`, import.meta.url);
    return load(this.lab, environment, {
      object: new Uint8Array(readFileSync(file)),
      file: `${program}.o`,
      register: programByName(program)?.entries ?? [],
      ...options,
    });
  }

  connect(a: string, b: string): Filled[] {
    return connect(this.lab, a, b);
  }

  /** Addresses and MACs of an environment. */
  net(environment: string): Subnet {
    return subnetOf(this.lab.environment(environment).number);
  }

  ifindex(environment: string): number {
    return this.lab.device(environment).ifindex;
  }

  /** Packets by action; actions without any are left out. */
  actions(environment: string): Record<string, number> {
    const rows = readCounters(this.lab, environment).actions ?? [];
    return Object.fromEntries(rows.filter((row) => row.packets > 0).map((row) => [row.action, row.packets]));
  }

  /** Packets by protocol number. */
  protocols(environment: string): Record<number, number> {
    const rows = readCounters(this.lab, environment).protocols ?? [];
    return Object.fromEntries(rows.map((row) => [row.protocol, row.packets]));
  }

  /** A map's keys and values, typed; of a per-CPU map the sums. */
  entries(environment: string, map: string): { key: unknown; value: unknown }[] {
    const [dump] = dumpMaps(this.lab, environment, map);
    const { btf, key, value } = dump!.types!;
    return dump!.entries!.map((entry) => ({
      key: toJson(btf, key, entry.key),
      value: toJson(btf, value, entry.value),
    }));
  }

  /** Pings from inside, to the end. */
  ping(environment: string, to: string, options: PingOptions = {}): PingResult {
    return ping(this.lab.inside(environment), to, options);
  }

  /** Starts a process that talks in lines. */
  start(netns: Netns, command: string, args: readonly string[]): Talker {
    const child = new Talker(netns, command, args);
    this.#children.push(child);
    return child;
  }

  /** A server that sends back whatever it gets, ready to be connected to. */
  async echoServer(netns: Netns, port: number): Promise<Talker> {
    const server = this.start(netns, process.execPath, ['-e', SERVER, String(port)]);
    await server.line((line) => line === 'ready');
    return server;
  }

  /** Connects; the first line says `connected`. What is said to it goes out, what comes in are its lines. */
  connectTcp(netns: Netns, host: string, port: number): Talker {
    return this.start(netns, process.execPath, ['-e', CLIENT, host, String(port)]);
  }

  /** Captures, ready for frames. */
  async tcpdump(netns: Netns, device: string, filter: string): Promise<Talker> {
    const options = ['-i', device, '-n', '-e', '-v', '-l', '--immediate-mode', filter];
    const capture = this.start(netns, 'tcpdump', options);
    await capture.line((line) => line.includes(`listening on ${device}`));
    return capture;
  }
}

const SERVER = `
  require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.pipe(socket); })
    .listen(Number(process.argv[1]), '::', () => console.log('ready'));
`;

const CLIENT = `
  const socket = require('node:net').connect(Number(process.argv[2]), process.argv[1], () => {
    console.log('connected');
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
  socket.on('error', (error) => console.log('error ' + error.code));
`;

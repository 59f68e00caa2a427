/** Filling the maps of the redirecting programs: whom they send to. */
import { EngineError } from '../../sim/engines/engine.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import type { BpfMap } from '../libbpf/map.ts';
import { withMaps } from './device-maps.ts';
import type { Lab } from './lab.ts';
import { subnetOf } from './names.ts';

/** What was written into one environment's maps. */
export interface Filled {
  readonly environment: string;
  readonly program: 'redirect_map' | 'router';
  /** Environments that it can send to now. */
  readonly to: readonly string[];
}

/**
 * Where both environments have `redirect_map` loaded: each sends what comes from its own inner device to the other's,
 * and back. Where they have `router`: every environment's device becomes one that it may send through; then so it
 * does for every router of the lab.
 * @throws {EngineError} `input`, where an environment has neither program
 */
export function connect(lab: Lab, a: string, b: string): Filled[] {
  return lab.exclusively(() => fillMaps(lab, a, b));
}

function fillMaps(lab: Lab, a: string, b: string): Filled[] {
  for (const name of [a, b]) lab.environment(name);
  if (a === b) throw new EngineError('input', `${a} cannot be connected with itself`);
  const kinds = [a, b].map((name) => kindOf(lab, name));
  if (kinds[0] !== kinds[1]) {
    throw new EngineError('input', `${a} has ${kinds[0]} loaded and ${b} ${kinds[1]}`, {
      remedy: 'load the same program on both',
    });
  }
  if (kinds[0] === 'redirect_map') return [fillRedirect(lab, a, b), fillRedirect(lab, b, a)];
  const all = lab.state.environments.map((one) => one.name);
  return all.filter((name) => tryKindOf(lab, name) === 'router').map((name) => fillRouter(lab, name, all));
}

function kindOf(lab: Lab, name: string): Filled['program'] {
  const kind = tryKindOf(lab, name);
  if (kind !== undefined) return kind;
  throw new EngineError('input', `no program on ${name} has the maps of redirect_map or router`, {
    remedy: `load one first: xdpsim lab load ${name} redirect_map`,
  });
}

function tryKindOf(lab: Lab, name: string): Filled['program'] | undefined {
  return withMaps(lab, name, (maps) => {
    const definition = (map: string) => maps.find((one) => one.map.name === map)?.map.definition;
    const port = definition('tx_port');
    const parameters = definition('redirect_params');
    if (parameters?.keySize === 6 && parameters.valueSize === 6 && port?.type === 'DEVMAP')
      return 'redirect_map';
    return port?.type === 'DEVMAP_HASH' ? 'router' : undefined;
  });
}

/** Frames from this inner device go out through the other's outer device, addressed to the other's inner one. */
function fillRedirect(lab: Lab, from: string, to: string): Filled {
  const mac = (name: string): Uint8Array => macFromText(subnetOf(lab.environment(name).number).inner.mac);
  fill(lab, from, (map) => {
    map('redirect_params').update(mac(from), mac(to));
    map('tx_port').update(u32(0), u32(lab.device(to).ifindex));
  });
  return { environment: from, program: 'redirect_map', to: [to] };
}

function fillRouter(lab: Lab, name: string, all: readonly string[]): Filled {
  fill(lab, name, (map) => {
    for (const other of all) {
      const ifindex = u32(lab.device(other).ifindex);
      map('tx_port').update(ifindex, ifindex);
    }
  });
  return { environment: name, program: 'router', to: all };
}

function fill(lab: Lab, name: string, write: (map: (name: string) => BpfMap) => void): void {
  withMaps(lab, name, (maps) => {
    // A device map's entries are devices of the thread's namespace (kernel/bpf/devmap.c, `dev_map_update_elem`).
    lab.outside.enter(() => write((wanted) => maps.find((one) => one.map.name === wanted)!.map));
  });
}

function u32(number: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(number).buffer);
}

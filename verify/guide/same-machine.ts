/** Which worlds one machine can have one after the other. */
import { MANY_ENTRIES } from '../../sim/ebpf/machine.ts';
import type { World } from '../../sim/runtime/world.ts';

/** Can one machine have both worlds? Maps, clock and chance are set anew before each run. */
export function isSameMachine(a: World, b: World): boolean {
  return (
    a.devices === b.devices &&
    a.routes === b.routes &&
    a.neighbours === b.neighbours &&
    a.sockets === b.sockets &&
    a.globals === b.globals &&
    a.slots === b.slots &&
    a.hashSeed === b.hashSeed &&
    a.stackFill === b.stackFill &&
    a.kernelFill === b.kernelFill &&
    haveSameLargeMaps(a, b)
  );
}

/** A machine remembers what fills a map with many entries. */
function haveSameLargeMaps(a: World, b: World): boolean {
  const names = new Set([...Object.keys(a.maps ?? {}), ...Object.keys(b.maps ?? {})]);
  return [...names].every((name) => {
    const [x, y] = [a.maps?.[name] ?? [], b.maps?.[name] ?? []];
    return x === y || (x.length < MANY_ENTRIES && y.length < MANY_ENTRIES);
  });
}

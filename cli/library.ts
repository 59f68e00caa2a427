/** What `import … from 'xdpsim'` gives: what a program's definition is written with. */

export * from '../sim/packet/bytes.ts';
export * as checksum from '../sim/packet/checksum.ts';
export * from '../sim/runtime/actions.ts';
export type { Frame, ModelContext, SkbFields } from '../sim/runtime/context.ts';
export * from '../sim/runtime/fib.ts';
export type { MapDefinition, MapType } from '../sim/runtime/maps.ts';
export { addU64, BPF_ANY, BPF_EXIST, BPF_NOEXIST, type ModelMap } from '../sim/runtime/model-map.ts';
export type {
  Example,
  GeneratorHints,
  ModelEntry,
  NamedWorld,
  PacketKind,
  ProgramDefinition,
} from '../sim/runtime/program.ts';
export type { Device, MapEntry, Neighbour, Route, World } from '../sim/runtime/world.ts';
export type { Config } from './config/shape.ts';

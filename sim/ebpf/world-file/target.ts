import type { BpfObject } from '../bpf-object.ts';

/** What a world is written for: the maps, types and functions of an object, or the maps of a definition. */
export type WorldTarget = Pick<BpfObject, 'maps' | 'btf' | 'programs'>;

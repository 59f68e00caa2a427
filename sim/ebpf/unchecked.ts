/** What the kernel's verifier refuses and the machine runs all the same. */

/** Kinds of faults, each as a report names it after "not checked:". */
export const UNCHECKED = {
  paths: 'anything on paths that no packet took',
  bounds: 'indexes and sizes that nothing limits, as long as they stay in bounds',
  loops: 'loops whose end the verifier cannot see, and programs too complex for it',
  pointerArithmetic: 'arithmetic that the verifier does not allow on pointers',
  packetComparison:
    'packet bytes inside the frame that were compared with data_end through another pointer only',
  nullTest:
    'a missing null test after a lookup in an array, of skb->sk or of bpf_per_cpu_ptr, and one of the lower half only',
  sockets: 'fields of skb->sk that only full sockets have',
  neighbours: 'accesses that miss their map value and hit another one',
  spills: 'pointers on the stack that are overwritten or read in part',
  constants: 'sizes that have to be constants',
  references: 'ring buffer samples and sockets that are never released',
  frames: 'pointers into the stack of a function that has returned',
} as const;

export type Unchecked = keyof typeof UNCHECKED;

/** By engine: every line stands for cases of the suite that it is known to let pass. */
export const UNCHECKED_BY: Readonly<Record<'vm' | 'wasm', readonly Unchecked[]>> = {
  vm: ['paths', 'bounds', 'loops', 'spills'],
  wasm: [
    'paths',
    'bounds',
    'loops',
    'pointerArithmetic',
    'packetComparison',
    'nullTest',
    'sockets',
    'neighbours',
    'spills',
    'constants',
    'references',
    'frames',
  ],
};

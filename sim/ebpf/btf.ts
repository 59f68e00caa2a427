/** BTF: the types of an object or of the kernel. */
export interface Btf {
  /** Number of types, the void type 0 included. */
  readonly count: number;
}

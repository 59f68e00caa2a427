/** What programs may do with their context, field by field. */

/** What a permitted access yields. */
export const ACCESS = {
  /** Not permitted. */
  refused: 0,
  scalar: 1,
  /** A pointer to the packet's first byte. */
  data: 2,
  /** A pointer behind the packet's last byte. */
  dataEnd: 3,
  /** A pointer to the first byte of metadata. */
  dataMeta: 4,
  /** A pointer to a socket, or null. */
  socket: 5,
} as const;

export type Access = (typeof ACCESS)[keyof typeof ACCESS];

/** A context as the verifier sees it; what is stored at its fields is what a load gives. */
export interface ContextLayout {
  /** The struct's name. */
  readonly name: 'xdp_md' | '__sk_buff';
  /** Bytes. */
  readonly size: number;
  /** Offsets of the three packet pointers (u32 each). */
  readonly data: number;
  readonly dataEnd: number;
  readonly dataMeta: number;
  /**
   * @param offset bytes from the context's begin
   * @param size bytes: 1, 2, 4 or 8
   * @param signExtending is it a sign-extending load?
   */
  read(offset: number, size: number, signExtending: boolean): Access;
  write(offset: number, size: number): boolean;
  /** The name of the field at `offset`, for messages. */
  field(offset: number): string;
  /**
   * Bits of a field that keep what is written: some fields are narrower in the kernel than in the struct.
   * A 32-bit mask; -1 for all.
   */
  writeMask(offset: number): number;
  /** From this value on, what is written to the field is not: it stays as it was. Infinite for nearly all. */
  writeLimit(offset: number): number;
}

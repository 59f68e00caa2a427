/** What brings frames of one device, and takes them there. */

/** The longest frame that is ever sent or taken: what a page holds, and a VLAN tag. */
export const LONGEST_FRAME = 4096;

/** One device's frames as they come; what is sent is not received. */
export interface FrameSource {
  /**
   * Sends one frame.
   * @throws {Error} where the kernel refuses it (too long) or has dropped it at once
   */
  send(arena: Buffer, offset: number, length: number): void;
  /** Hands over what has arrived meanwhile, if it does not do so by itself. */
  poll?(): void;
  close(): void;
}

/** Called with each frame that arrives: `buffer` holds it until the call returns. */
export type OnFrame = (buffer: Buffer, length: number) => void;

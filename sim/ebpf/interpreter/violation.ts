/**
 * What stops a program: it did, on this packet, what the kernel's verifier forbids on any. Thrown inside the
 * interpreter, caught by it; not an `Error`, since a stack trace of ours says nothing about the program and costs
 * more than the packet.
 */
export class Violation {
  /** Phrased as the verifier phrases it, where it has a phrase for it. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

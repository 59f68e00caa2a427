/** What the machine could not do on packets of a check, though a kernel can: where it ends, nothing was judged. */
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import type { BatchReport } from '../batch-report.ts';
import { of } from './verdict.ts';

export class MachineGaps {
  /** Packets, by what the machine says. */
  readonly #packets = new Map<string, number>();

  /** @param report the machine's */
  observe({ output }: Pick<BatchReport, 'output'>): void {
    for (const [packet, { message, instruction }] of output.notes) {
      // Without an instruction the packet was refused: nothing of the program ran.
      if (output.status[packet] !== STATUS.fault || instruction === undefined) continue;
      this.#packets.set(message, (this.#packets.get(message) ?? 0) + 1);
    }
  }

  /** A sentence for each. */
  lines(): string[] {
    return [...this.#packets].map(
      ([message, packets]) => `the machine ran ${of(packets, 'packet')} no further than ${message}`,
    );
  }
}

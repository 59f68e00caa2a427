/** What is left of the verifier's work where no kernel took part in a run: for its report. */
import { UNCHECKED, UNCHECKED_BY } from '../../ebpf/unchecked.ts';
import { type EngineName, isMachine } from '../register.ts';

/** Names what an engine of the machine runs though the verifier would refuse it; nothing for the other engines. */
export function uncheckedBy(engine: EngineName): readonly string[] {
  return isMachine(engine) ? UNCHECKED_BY[engine].map((kind) => UNCHECKED[kind]) : [];
}

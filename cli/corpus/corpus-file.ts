/** Where the corpora of the built-in programs lie. */
import { packageFile } from '../../kernel/package-file.ts';

export function corpusFile(program: string): string {
  return packageFile(`corpus/packets/${program}.pcapng`);
}

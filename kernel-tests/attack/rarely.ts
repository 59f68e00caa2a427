/** A model that is rarely wrong: divergences come one by one, as long as it runs. */
import { writeModule } from '../../cli/test-support/user-modules.ts';

const RARELY = `const data = context.frame.bytes.subarray(context.frame.data, context.frame.dataEnd);
    if (data.length > 20 && data[18] === 0x17) return 1;
    if (data.length > 20 && data[18] === 0x99) return 3;`;

/** @returns the path of the module */
export function writeRarely(folder: string): string {
  return writeModule(folder, 'rarely', { model: RARELY });
}

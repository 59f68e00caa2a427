/** Which version of xdpsim this is. */
import { readFileSync } from 'node:fs';
import { packageFile } from '../kernel/package-file.ts';

export function version(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}

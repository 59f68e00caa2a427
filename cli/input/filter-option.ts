/** `--filter`: which packets a command looks at. */
import { compileFilter, type PacketFilter } from '../../corpus/filter/filter.ts';
import { FilterError } from '../../corpus/filter/filter-error.ts';
import { EXIT, Failure } from '../failure.ts';

export function parseFilterOption(text: string): PacketFilter {
  try {
    return compileFilter(text);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new Failure(EXIT.input, error.message, {
      log: error.excerpt,
      remedy: 'docs/filters.md lists all names.',
    });
  }
}

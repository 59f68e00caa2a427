/** Options of every command that generates packets: how many, for how long, from which seed, and how small examples are made. */
import { Option } from 'commander';
import { MANY, parseCount, parseDuration, parseDurationOrOff, parseText } from './options.ts';

/** `--runs` */
export function runsOption(usual: number): Option {
  return new Option('--runs <n>', `packets to generate for each program (default: ${usual})`).argParser(
    parseCount('--runs', MANY),
  );
}

/** `--time` */
export function timeOption(): Option {
  return new Option('--time <time>', 'how long to generate for each program, like 60s').argParser(
    parseDuration('--time'),
  );
}

/** `--seed` */
export function seedOption(): Option {
  return new Option('--seed <seed>', 'any text; the same seed gives the same packets').argParser(
    parseText('--seed'),
  );
}

/** `--shrink-time` @param what "a packet" @param seconds the default */
export function shrinkTimeOption(what: string, seconds: number): Option {
  return new Option('--shrink-time <time>', `stop making ${what} smaller after this long; 0: do not shrink`)
    .default(seconds)
    .argParser(parseDurationOrOff('--shrink-time'));
}

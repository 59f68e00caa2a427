/**
 * Which lines of the kernel's trace are this lab's. A line names the process that was running when a packet came,
 * and that can be any; what can be told by is its text: the formats that the lab's programs print with lie in
 * their read-only data.
 */
import { attachedTo } from './attachments.ts';
import { withMaps } from './device-maps.ts';
import type { Lab } from './lab.ts';

/** Says of a line that was printed (without what the kernel puts before it) whether the lab's programs can have printed it. */
export type LineFilter = (text: string) => boolean;

/**
 * @returns undefined where it cannot be told: nothing is loaded, or a program has no formats where they can be seen
 */
export function labLines(lab: Lab): LineFilter | undefined {
  const devices = new Set([
    ...lab.state.environments.map((one) => one.name),
    ...lab.state.attachments.map((one) => one.device),
  ]);
  const patterns: RegExp[] = [];
  for (const device of devices) {
    if (attachedTo(lab.device(device)).length === 0) continue;
    const formats = withMaps(lab, device, (maps) =>
      maps
        .filter((one) => one.map.name.startsWith('.rodata'))
        .flatMap((one) => one.map.entries().flatMap((entry) => textsIn(entry.value))),
    );
    patterns.push(...formats.map(patternOf));
  }
  if (patterns.length === 0) return undefined;
  return (text) => patterns.some((pattern) => pattern.test(text));
}

/** What a trace line says and what the kernel wrote before it: process, CPU, flags, time and event. */
export interface TraceLine {
  readonly prefix: string;
  readonly text: string;
}

/** `<idle>-0 [001] ..s2. 5123.000001: bpf_trace_printk: the text`; undefined for what is no printed line. */
export function parseTraceLine(line: string): TraceLine | undefined {
  const match = /^(.*?: bpf_trace_printk: )(.*)$/.exec(line);
  return match === null ? undefined : { prefix: match[1]!, text: match[2]! };
}

/** Texts of at least two characters between zeros; binary data hardly ever looks so. */
export function textsIn(bytes: Uint8Array): string[] {
  const texts: string[] = [];
  let start = 0;
  for (let at = 0; at <= bytes.length; at++) {
    if (at < bytes.length && bytes[at] !== 0) continue;
    const run = bytes.subarray(start, at);
    start = at + 1;
    if (
      run.length >= 2 &&
      run.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09)
    ) {
      texts.push(new TextDecoder().decode(run));
    }
  }
  return texts;
}

/** A printf format as the pattern of what it prints: each conversion is any text. */
export function patternOf(format: string): RegExp {
  const parts = format
    .replace(/\n+$/, '')
    // %%, or: flags, width, precision, length, conversion; %p takes letters and digits behind it.
    .split(/(%%|%[-+ #0]*\d*(?:\.\d+)?(?:hh|ll|[hlzt])?(?:p\w*|[diuxXcs]))/)
    .map((part, index) => (index % 2 === 0 ? literal(part) : part === '%%' ? '%' : '.*'));
  return new RegExp(`^${parts.join('')}$`, 's');
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

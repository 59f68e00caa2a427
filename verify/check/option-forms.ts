/**
 * Bytes of another header in place of IPv4 options: as much of them as options leave room for, which say first what they are, and
 * how long (RFC 791 §3.1).
 */

/** An option for experiments: whoever does not know it goes past (RFC 4727 §3.4). */
export const EXPERIMENT = 0x1e;

/** `option`: an option holds the bytes, but for its own first two; `mended`: but for one length; `whole`: all of them. */
export type FormName = 'option' | 'mended' | 'whole';

interface OptionForm {
  readonly name: FormName;
  readonly bytes: Uint8Array;
  /** Does everybody take these for options? */
  readonly isSound: boolean;
}

const END = 0;
const NOTHING = 1;
/** Of these the kernel wants more than a length (`__ip_options_compile`): routes, time stamps, labels, alerts. */
const STRICT: ReadonlySet<number> = new Set([7, 68, 131, 134, 137, 148]);

/** The usual form first; others where they hold something else. @param bytes as long as the options */
export function optionForms(bytes: Uint8Array): OptionForm[] {
  const option = bytes.slice();
  option.set([EXPERIMENT, bytes.length]);
  const forms: OptionForm[] = [{ name: 'option', bytes: option, isSound: true }];
  const wrong = firstWrong(bytes);
  if (wrong !== undefined && !STRICT.has(bytes[wrong]!) && wrong + 2 <= bytes.length) {
    const mended = bytes.slice();
    mended[wrong + 1] = bytes.length - wrong;
    forms.push({ name: 'mended', bytes: mended, isSound: true });
  }
  forms.push({ name: 'whole', bytes, isSound: wrong === undefined });
  return forms;
}

/** Where an option begins that nobody takes; undefined where all are right. */
function firstWrong(bytes: Uint8Array): number | undefined {
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === END) return undefined;
    if (bytes[at] === NOTHING) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (STRICT.has(bytes[at]!) || length < 2 || at + length > bytes.length) return at;
    at += length;
  }
  return undefined;
}

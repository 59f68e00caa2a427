import { InputError } from '../runtime/input-error.ts';
import { visibleLine } from '../runtime/visible-text.ts';

/** The malformed or unusable object file: one clear line, and its parts. */
export class ObjectError extends InputError {
  /** The place: section and byte offset in it, or the name of what it is about. */
  readonly where: string;
  readonly expected: string;
  readonly found: string;

  constructor(where: string, expected: string, found: string) {
    super(visibleLine(`${where}: expected ${expected}, found ${found}`));
    this.name = 'ObjectError';
    this.where = where;
    this.expected = expected;
    this.found = found;
  }
}

/** Devices, routes or sockets of the world do not fit each other, whatever the object. */
export class WorldError extends ObjectError {
  constructor(expected: string, found: string) {
    super('the world', expected, found);
  }
}

/** The object needs something that came only after the kernel which the machine is asked to be. */
export class NewerKernelError extends ObjectError {
  /** @param what "helper bpf_loop (number 181)" */
  constructor(where: string, what: string, since: string, asked: string) {
    super(where, `what Linux ${asked} has`, what);
    this.message = visibleLine(`${where}: Linux ${asked} has no ${what}: it came with Linux ${since}`);
  }
}

/** The object asks for what the kernel may well have and the machine lacks: no fault of the object's. */
export class LackingError extends ObjectError {
  /** @param what it asks for: "helper", "map type" */
  constructor(where: string, what: string, name: string) {
    super(where, `a ${what} that the machine has`, name);
    this.message = visibleLine(`${where}: the machine lacks the ${what} ${name}`);
  }
}

/**
 * Bad input: a file, an object, a capture, a definition or an instruction that is not what it should be. The message is
 * complete: the place, what was expected and what was there. Everything that a person can get wrong and that is no
 * option of a command derives from this; whoever catches one need not know which reader it came from.
 */
export class InputError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InputError';
  }
}

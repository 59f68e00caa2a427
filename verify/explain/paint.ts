/** Colour for explanations. It never carries meaning alone: the text says the same without it. */
import { styleText } from 'node:util';

export type Tone = 'strong' | 'dim' | 'good' | 'bad';
export type Paint = (tone: Tone, text: string) => string;

const STYLES = { strong: 'bold', dim: 'dim', good: 'green', bad: 'red' } as const;

export function painter(colour: boolean): Paint {
  return colour
    ? (tone, text) => styleText(STYLES[tone], text, { validateStream: false })
    : (_tone, text) => text;
}

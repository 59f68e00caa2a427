/** Colour for explanations. It never carries meaning alone: the text says the same without it. */
export type Tone = 'strong' | 'dim' | 'good' | 'bad';
export type Paint = (tone: Tone, text: string) => string;

const STYLES = { strong: 'bold', dim: 'dim', good: 'green', bad: 'red' } as const;

/** Puts text into one of `util.styleText`'s styles; the caller decides how, and whether at all. */
export type Style = (style: (typeof STYLES)[Tone], text: string) => string;

export function painter(style: Style | undefined): Paint {
  return style === undefined ? (_tone, text) => text : (tone, text) => style(STYLES[tone], text);
}

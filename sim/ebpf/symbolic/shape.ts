/** What conditions look like once their unknowns are numbered as they come: the same for all that ask the same. */
import type { Term } from './term.ts';

export interface Shape {
  readonly key: string;
  /** In the order of their numbers. */
  readonly unknowns: readonly Term[];
}

export function shapeOf(conditions: readonly Term[]): Shape {
  const numbers = new Map<Term, number>();
  const unknowns: Term[] = [];
  const lines: string[] = [];
  const visit = (term: Term): number => {
    const known = numbers.get(term);
    if (known !== undefined) return known;
    const operands = term.operands.map(visit);
    let line: string = `${term.operation}${term.width}`;
    if (term.operation === 'const') line += `:${term.value}`;
    else if (term.operation === 'sum') line += `:${term.value}:${term.factors.join(',')}`;
    else if (term.operation === 'extract') line += `@${term.low}`;
    else if (term.operation === 'var') unknowns.push(term);
    const number = numbers.size;
    numbers.set(term, number);
    lines.push(`${line}(${operands.join(',')})`);
    return number;
  };
  const roots = conditions.map(visit);
  return { key: `${lines.join(';')}|${roots.join(',')}`, unknowns };
}

/**
 * Mutants as alternatives within one text ("mutant schemata", Untch 1993): `a < b` becomes `(__mutant(17)?a <= b:a < b)`,
 * so that sources are transformed and loaded once, and a mutant is put in and taken out by a number.
 *
 * `__mutant(N)` is a global (`switch.ts`): it notes that the place was reached, and says whether mutant N is in.
 */
import ts from 'typescript';
import type { Mutant } from './mutants.ts';

export interface Numbered {
  readonly id: number;
  readonly mutant: Mutant;
}

/** Ends a loop that a mutant made endless by an error, so that few processes have to be killed from outside. */
const GUARD = '__mutation.pass();';

/** The smallest statement, body or expression that the change can be made an alternative of. */
function placeOf(source: ts.SourceFile, { start, end, mutator }: Mutant): ts.Node {
  let place: ts.Node = source;
  const visit = (node: ts.Node): void => {
    if (node.getStart() > start || node.end < end) return;
    const whole = node.getStart() === start && node.end === end;
    if (
      mutator === 'statement' || mutator === 'block'
        ? whole && (ts.isBlock(node) || ts.isStatement(node))
        : ts.isExpression(node)
    )
      place = node;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return place;
}

/** The file with all of its mutants in it, none of them active; its loops are counted. */
export function withAlternatives(file: string, text: string, mutants: readonly Numbered[]): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const places = new Map<ts.Node, Numbered[]>();
  for (const numbered of mutants) {
    const place = placeOf(source, numbered.mutant);
    places.set(place, [...(places.get(place) ?? []), numbered]);
  }

  /** The node's text with what its children became. */
  function inside(node: ts.Node): string {
    let out = '';
    let from = node.getStart();
    const loop = ts.isIterationStatement(node, false) ? node.statement : undefined;
    ts.forEachChild(node, (child) => {
      const start = child.getStart();
      // A short property `{ a }` is its name and its value at once.
      if (start < from) return;
      out += text.slice(from, start) + (child === loop ? `{${GUARD}${whole(child)}}` : whole(child));
      from = child.end;
    });
    return out + text.slice(from, node.end);
  }

  function whole(node: ts.Node): string {
    const here = places.get(node);
    if (here === undefined) return inside(node);
    if (!ts.isExpression(node)) return statement(node, here);
    const alternatives = here.map(({ id, mutant }) => {
      const changed =
        text.slice(node.getStart(), mutant.start) + mutant.replacement + text.slice(mutant.end, node.end);
      return `__mutant(${id})?(${changed}):`;
    });
    return `(${alternatives.join('')}(${inside(node)}))`;
  }

  /** Statements and bodies are only ever left out. */
  function statement(node: ts.Node, here: readonly Numbered[]): string {
    const active = here.map(({ id }) => `__mutant(${id})`).join('||');
    if (!ts.isFunctionLike(node.parent)) return `{if(!(${active})){${inside(node)}}}`;
    return `{if(${active})return;${inside(node).slice(1)}`;
  }

  return inside(source);
}

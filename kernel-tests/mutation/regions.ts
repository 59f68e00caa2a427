/**
 * Regions of a source file: the module, the bodies of functions, branches, loops and cases. A region is the unit in
 * which it is recorded what a test reaches: a mutant is tried with the tests that reach the innermost region around it.
 */
import ts from 'typescript';

interface Region {
  readonly start: number;
  readonly end: number;
  /** Statements may be inserted at `start`, or the whole of it is an expression. */
  readonly kind: 'statements' | 'expression';
}

const parse = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);

/** In the order of their starts; region 0 is the module. */
export function regionsOf(file: string, text: string): Region[] {
  const regions: Region[] = [{ start: 0, end: text.length, kind: 'statements' }];
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node)) regions.push({ start: node.getStart() + 1, end: node.end, kind: 'statements' });
    else if (ts.isArrowFunction(node) && !ts.isBlock(node.body))
      regions.push({ start: node.body.getStart(), end: node.body.end, kind: 'expression' });
    else if (ts.isCaseOrDefaultClause(node) && node.statements.length > 0)
      regions.push({ start: node.statements[0]!.getStart(), end: node.end, kind: 'statements' });
    ts.forEachChild(node, visit);
  };
  visit(parse(file, text));
  return regions;
}

/** The number of the innermost region around a position. */
export function regionAt(regions: readonly Region[], position: number): number {
  let found = 0;
  for (const [index, { start, end }] of regions.entries())
    if (start <= position && position < end && start >= regions[found]!.start) found = index;
  return found;
}

export interface Insertion {
  readonly at: number;
  readonly text: string;
}

export function insert(text: string, insertions: readonly Insertion[]): string {
  const ordered = insertions.map((insertion, order) => ({ ...insertion, order }));
  ordered.sort((a, b) => a.at - b.at || a.order - b.order);
  let out = '';
  let from = 0;
  for (const { at, text: added } of ordered) {
    out += text.slice(from, at) + added;
    from = at;
  }
  return out + text.slice(from);
}

/** The file, marking `NAME[region]` wherever a region is entered; NAME is a global. */
export function marked(file: string, text: string, name: string): string {
  const insertions: Insertion[] = [];
  for (const [index, { start, end, kind }] of regionsOf(file, text).entries()) {
    if (kind === 'statements') insertions.push({ at: start, text: `${name}[${index}]=1;` });
    else insertions.push({ at: start, text: `(${name}[${index}]=1,` }, { at: end, text: ')' });
  }
  return insert(text, insertions);
}

/** Passes of all loops of the mutated file that no test needs. */
const ENDLESS = 300_000_000;

/** Insertions that end a file's endless loops with an error, so that no test has to be killed from outside. */
export function loopGuards(file: string, text: string): Insertion[] {
  const guard = `if(++globalThis.__mutationLoops>${ENDLESS})throw new Error('endless loop');`;
  const insertions: Insertion[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIterationStatement(node, false)) {
      const body = node.statement;
      if (ts.isBlock(body)) insertions.push({ at: body.getStart() + 1, text: guard });
      else insertions.push({ at: body.getStart(), text: `{${guard}` }, { at: body.end, text: '}' });
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(file, text));
  return insertions;
}

/**
 * The paths of a program as a tree of conditions: what they share is said once, and what differs by a number only, too. What ends
 * at once comes first, as a guard does in C, and the rest of it stands below in the same column: of the lines in one column the
 * first one that holds is meant.
 */
import { areOpposite, joinWords, type Word } from '../../verify/prove/words.ts';

export interface TreePath {
  readonly words: readonly Word[];
  /** What stands at the end of its line. */
  readonly end: string;
}

interface Node {
  readonly words: Word[];
  children: Node[];
  end: string | undefined;
  /** Paths below. */
  paths: number;
}

/**
 * Lines of the tree.
 * @param isWhole are these all paths? Of a condition that is met one way or the other nothing is said then.
 */
export function treeLines(paths: readonly TreePath[], isWhole: boolean = true): string[] {
  const root: Node = { words: [], children: [], end: undefined, paths: 0 };
  for (const path of paths) insert(root, path);
  collapse(root);
  merge(root, isWhole);
  guard(root);
  const lines: string[] = [];
  if (root.words.length > 0 || root.end !== undefined) print({ ...root }, '', true, lines);
  else
    for (const [index, child] of root.children.entries())
      print(child, '', index === root.children.length - 1, lines);
  return lines;
}

function insert(root: Node, { words, end }: TreePath): void {
  let node = root;
  node.paths++;
  for (const word of words) {
    let child = node.children.find((one) => one.words[0]!.text === word.text);
    if (child === undefined) {
      child = { words: [word], children: [], end: undefined, paths: 0 };
      node.children.push(child);
    }
    child.paths++;
    node = child;
  }
  node.end = node.end === undefined || node.end === end ? end : `${node.end} or ${end}`;
}

/** Nodes with one child only become one. */
function collapse(node: Node): void {
  while (node.children.length === 1 && node.end === undefined) {
    const [only] = node.children as [Node];
    node.words.push(...only.words);
    node.children = only.children;
    node.end = only.end;
  }
  for (const child of node.children) collapse(child);
}

/** Siblings that differ in the number of one equality become one line, and none where it is every number that there is. */
function merge(node: Node, isWhole: boolean): void {
  for (const child of node.children) merge(child, isWhole);
  const merged: Node[] = [];
  const kinds = new Map<string, Node>();
  for (const child of node.children) {
    const kind = kindOf(child);
    const same = kinds.get(kind);
    if (same === undefined) {
      kinds.set(kind, child);
      merged.push(child);
      continue;
    }
    same.paths += child.paths;
    const word = same.words[0]!;
    const more = child.words[0]!;
    same.words[0] = {
      text: `${word.text
        .replace(/ == /, ' in ')
        .replace(/ in ([^{].*)$/, ' in {$1}')
        .slice(0, -1)}, ${more.shown ?? more.value}}`,
    };
  }
  const [only] = merged;
  if (isWhole && only !== undefined && merged.length < node.children.length && merged.length === 1) {
    node.words.push(...only.words.slice(1));
    node.children = only.children;
    node.end = only.end;
  } else node.children = merged;
}

/** Of two ways one of which ends at once, that one first, and behind it, in the place of the other, what the other leads to. */
function guard(node: Node): void {
  for (const child of node.children) guard(child);
  const [one, other] = node.children;
  if (node.children.length !== 2 || one === undefined || other === undefined) return;
  const [leaf, rest] = isLeaf(one) ? [one, other] : [other, one];
  const [word, ...words] = rest.words;
  if (!isLeaf(leaf) || isLeaf(rest) || leaf.words.length !== 1 || !areOpposite(leaf.words[0]!, word!)) return;
  node.children = [leaf, ...(words.length === 0 ? rest.children : [{ ...rest, words }])];
}

function isLeaf({ children, end }: Node): boolean {
  return children.length === 0 && end !== undefined;
}

function kindOf(node: Node): string {
  const [first, ...rest] = node.words as [Word, ...Word[]];
  const subject =
    first.relation === '==' || / in \{/.test(first.text) ? first.text.split(/ == | in /)[0]! : undefined;
  const head = subject === undefined ? first.text : `${subject} ==`;
  const below = node.children.map(
    (one) => `${one.words.map((word) => word.text).join(';')}|${one.end}|${one.children.length}`,
  );
  return [head, ...rest.map((one) => one.text), node.end, ...below].join('\n');
}

function print(node: Node, indent: string, isLast: boolean, lines: string[]): void {
  const count =
    node.end === undefined && node.paths > 1
      ? `  (${node.paths} paths)`
      : node.paths > 1
        ? `  (${node.paths} paths)`
        : '';
  const condition = joinWords(node.words) || 'always';
  lines.push(
    `${indent}${isLast ? '└ ' : '├ '}${condition}${node.end === undefined ? '' : `  → ${node.end}`}${count}`,
  );
  const below = `${indent}${isLast ? '  ' : '│ '}`;
  for (const [index, child] of node.children.entries()) {
    print(child, below, index === node.children.length - 1, lines);
  }
}

/**
 * The mutants of a source file: small changes that a test should notice, found in its syntax tree.
 *
 * Left alone: types, imports, text (string and template literals: messages are not behaviour that this measures), names of
 * properties, and what reference models hold for tests: their example packets, and what the generator is to aim at.
 */
import ts from 'typescript';

export interface Mutant {
  readonly file: string;
  /** Characters `start` to `end` of the file become `replacement`. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly mutator: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The whole line, without its indentation. */
  readonly source: string;
  /** What becomes what, in one line. */
  readonly change: string;
}

const S = ts.SyntaxKind;

/** Operator tokens and what they become; the first list names the mutator. */
const OPERATORS: ReadonlyMap<ts.SyntaxKind, readonly (readonly [mutator: string, replacement: string])[]> =
  new Map([
    [S.LessThanToken, [['boundary', '<=']]],
    [S.LessThanEqualsToken, [['boundary', '<']]],
    [S.GreaterThanToken, [['boundary', '>=']]],
    [S.GreaterThanEqualsToken, [['boundary', '>']]],
    [S.EqualsEqualsEqualsToken, [['equality', '!==']]],
    [S.ExclamationEqualsEqualsToken, [['equality', '===']]],
    [S.AmpersandAmpersandToken, [['logical', '||']]],
    [S.BarBarToken, [['logical', '&&']]],
    [S.PlusToken, [['arithmetic', '-']]],
    [S.MinusToken, [['arithmetic', '+']]],
    [S.AsteriskToken, [['arithmetic', '/']]],
    [S.SlashToken, [['arithmetic', '*']]],
    [S.PercentToken, [['arithmetic', '*']]],
    [S.LessThanLessThanToken, [['bitwise', '>>']]],
    [S.GreaterThanGreaterThanToken, [['bitwise', '<<']]],
    [S.GreaterThanGreaterThanGreaterThanToken, [['bitwise', '>>']]],
    [S.AmpersandToken, [['bitwise', '|']]],
    [S.BarToken, [['bitwise', '&']]],
    [S.CaretToken, [['bitwise', '&']]],
    [S.PlusEqualsToken, [['assignment', '-=']]],
    [S.MinusEqualsToken, [['assignment', '+=']]],
    [S.AsteriskEqualsToken, [['assignment', '/=']]],
    [S.BarEqualsToken, [['assignment', '&=']]],
    [S.AmpersandEqualsToken, [['assignment', '|=']]],
    [S.CaretEqualsToken, [['assignment', '|=']]],
    [S.LessThanLessThanEqualsToken, [['assignment', '>>=']]],
    [S.GreaterThanGreaterThanEqualsToken, [['assignment', '<<=']]],
    [S.GreaterThanGreaterThanGreaterThanEqualsToken, [['assignment', '<<=']]],
  ]);

/** Properties of a program's definition that are input for tests. */
const FOR_TESTS: ReadonlySet<string> = new Set(['examples', 'hints']);

function isText(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isText(node.expression);
  if (ts.isBinaryExpression(node)) return isText(node.left) || isText(node.right);
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}

/** A number that is one more, in the base in which it is written. */
function nextNumber(text: string): string {
  const digits = text.replaceAll('_', '');
  if (digits.endsWith('n')) return `${BigInt(digits.slice(0, -1)) + 1n}n`;
  const next = Number(digits) + 1;
  return /^0x/i.test(digits) ? `0x${next.toString(16)}` : `${next}`;
}

export function mutantsOf(file: string, text: string): Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lines = text.split('\n');
  const mutants: Mutant[] = [];

  function add(mutator: string, node: { getStart(): number; end: number }, replacement: string): void {
    const start = node.getStart();
    const { line, character } = source.getLineAndCharacterOfPosition(start);
    const short = (code: string): string => {
      const one = code.replace(/\s+/g, ' ').trim();
      return one.length > 70 ? `${one.slice(0, 67)}...` : one;
    };
    mutants.push({
      file,
      start,
      end: node.end,
      replacement,
      mutator,
      line: line + 1,
      column: character + 1,
      source: lines[line]!.trim(),
      change: `${short(text.slice(start, node.end))} → ${short(replacement) || '(nothing)'}`,
    });
  }

  function condition(node: ts.Expression | undefined, values: readonly string[]): void {
    if (node === undefined || node.kind === S.TrueKeyword || node.kind === S.FalseKeyword) return;
    for (const value of values) add('condition', node, value);
  }

  function emptied(node: ts.Statement | undefined): void {
    if (node !== undefined && ts.isBlock(node) && node.statements.length > 0) add('block', node, '{}');
  }

  function mutate(node: ts.Node): void {
    if (ts.isBinaryExpression(node)) {
      const operator = node.operatorToken;
      const concatenates = operator.kind === S.PlusToken || operator.kind === S.PlusEqualsToken;
      if (operator.kind === S.QuestionQuestionToken) add('fallback', node, node.left.getText());
      if (!(concatenates && isText(node)))
        for (const [mutator, replacement] of OPERATORS.get(operator.kind) ?? [])
          add(mutator, operator, replacement);
    } else if (ts.isPrefixUnaryExpression(node)) {
      if (node.operator === S.PlusPlusToken) add('update', node, `--${node.operand.getText()}`);
      else if (node.operator === S.MinusMinusToken) add('update', node, `++${node.operand.getText()}`);
      else add('unary', node, node.operand.getText());
    } else if (ts.isPostfixUnaryExpression(node)) {
      const other = node.operator === S.PlusPlusToken ? '--' : '++';
      add('update', node, `${node.operand.getText()}${other}`);
    } else if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)) {
      add('constant', node, nextNumber(node.getText()));
    } else if (node.kind === S.TrueKeyword) add('constant', node, 'false');
    else if (node.kind === S.FalseKeyword) add('constant', node, 'true');
    else if (ts.isIfStatement(node)) {
      condition(node.expression, ['true', 'false']);
      emptied(node.elseStatement);
    } else if (ts.isConditionalExpression(node)) condition(node.condition, ['true', 'false']);
    else if (ts.isWhileStatement(node) || ts.isDoStatement(node)) condition(node.expression, ['false']);
    else if (ts.isForStatement(node)) condition(node.condition, ['false']);
    else if (ts.isForOfStatement(node) || ts.isForInStatement(node)) emptied(node.statement);
    else if (ts.isExpressionStatement(node)) {
      const call = ts.isCallExpression(node.expression) ? node.expression.expression : undefined;
      if (call?.kind !== S.SuperKeyword) add('statement', node, ';');
    } else if (
      ts.isThrowStatement(node) ||
      ts.isBreakStatement(node) ||
      ts.isContinueStatement(node) ||
      (ts.isReturnStatement(node) && node.expression === undefined)
    )
      add('statement', node, ';');
    else if (ts.isFunctionLike(node) && 'body' in node && !ts.isConstructorDeclaration(node)) {
      const body = (node as ts.FunctionLikeDeclaration).body;
      if (body !== undefined && ts.isBlock(body)) emptied(body);
    }
  }

  function visit(node: ts.Node): void {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isImportDeclaration(node) ||
      ts.isExportDeclaration(node) ||
      (ts.isPropertyAssignment(node) && FOR_TESTS.has(node.name.getText()))
    )
      return;
    mutate(node);
    ts.forEachChild(node, (child) => {
      const isName = 'name' in node && node.name === child;
      if (!(isName && (ts.isNumericLiteral(child) || ts.isStringLiteral(child)))) visit(child);
    });
  }
  visit(source);
  return mutants;
}

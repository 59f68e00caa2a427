/** An example that is not kept, in one line: what it says, what came, and who is to blame. */
import { type EngineName, isModel } from '../../sim/engines/register.ts';
import type { Finding, HeldExample } from '../finding.ts';

/** "example “drops runts”: action: expected XDP_DROP, got XDP_PASS (model): the program does what it says, the model does not" */
export function exampleText({ field }: Finding, example: HeldExample, expected: string, got: string): string {
  const by = listed(example.differing);
  return `example “${example.name}”: ${field}: expected ${expected}, got ${got} (${by}): ${blameText(example)}`;
}

function blameText({ differing, keeping }: HeldExample): string {
  const wrong = subjects(differing, keeping);
  if (keeping.length > 0) {
    const right = subjects(keeping, differing);
    return `${listed(right)} ${right.length === 1 ? 'does' : 'do'} what it says, ${listed(wrong)} ${wrong.length === 1 ? 'does' : 'do'} not`;
  }
  if (wrong.length === 1) return `${wrong[0]} is wrong, or the example is`;
  return `${listed(wrong)} agree with each other: both are wrong, or the example is`;
}

/** "the model", "the program"; where engines make different things of a program, their names. */
function subjects(engines: readonly EngineName[], others: readonly EngineName[]): string[] {
  const own = engines.filter((name) => !isModel(name));
  const isDivided = others.some((name) => !isModel(name));
  return [
    ...(engines.some(isModel) ? ['the model'] : []),
    ...(own.length === 0 ? [] : isDivided ? own : ['the program']),
  ];
}

function listed(names: readonly string[]): string {
  return names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

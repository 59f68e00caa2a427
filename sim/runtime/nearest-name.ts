/** What somebody may have meant by a name that there is not. */

/**
 * The candidate that differs in the fewest letters, if it is close enough to be a slip: case, `-` and `_` aside, at
 * most a third of its letters.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  // No slip of the pen, and costly to compare.
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(plain(name), plain(candidate));
    if (distance < least && distance <= Math.max(1, candidate.length / 3)) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Damerau–Levenshtein with adjacent letters swapped (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, before[j - 2]! + 1);
      }
      row.push(distance);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

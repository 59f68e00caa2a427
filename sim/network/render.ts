/** What came of a scenario, for people and as JSON. */
import { toHex } from '../packet/bytes.ts';
import { decodeTree } from '../packet/tree.ts';
import type { ScenarioDifference } from './compare.ts';
import type { NetworkEvent } from './network.ts';
import type { Hop } from './path.ts';
import type { ScenarioRun, StepRun } from './run.ts';
import { placeText, type Scenario, type Step } from './scenario.ts';

/**
 * One step as lines, a wire crossing a line and what happens in between below it:
 *
 * ```
 * client:veth0 → server:veth0  98 bytes: 10.11.1.2 → 10.11.1.1, Echo
 *     server:veth0 xdp icmp_echo: XDP_TX
 * server:veth0 → client:veth0  98 bytes: 10.11.1.1 → 10.11.1.2, Echo Reply
 * ```
 */
export function stepText({ events }: StepRun): string[] {
  const lines: string[] = [];
  for (const [index, event] of events.entries()) {
    const next = events[index + 1];
    switch (event.kind) {
      case 'program': {
        const target = event.target === undefined ? '' : ` to ${event.target}`;
        const outcome = event.fault === undefined ? `${event.action}${target}` : `stopped: ${event.fault}`;
        lines.push(`    ${placeText(event)} ${event.hook} ${event.function}: ${outcome}`);
        for (const line of event.trace) lines.push(`        ${line}`);
        break;
      }
      case 'note': {
        const who = event.device === undefined ? event.namespace : `${event.namespace}:${event.device}`;
        lines.push(`    ${who} ${event.text}`);
        break;
      }
      case 'hop':
        if (event.direction === 'out' && next?.kind === 'hop' && next.direction === 'in') {
          lines.push(`${placeText(event)} → ${placeText(next)}  ${frameText(event)}`);
        } else if (event.direction === 'up' && isChanged(event, events, index)) {
          lines.push(`    ${placeText(event)} passes up ${frameText(event)}`);
        }
        break;
    }
  }
  return lines.length === 0 ? ['nothing leaves any device'] : lines;
}

/** Has XDP changed the frame that it passes? */
function isChanged(hop: Hop, events: readonly NetworkEvent[], index: number): boolean {
  for (let at = index - 1; at >= 0; at--) {
    const event = events[at]!;
    if (event.kind !== 'hop' || event.direction !== 'in' || placeText(event) !== placeText(hop)) continue;
    return toHex(event.bytes) !== toHex(hop.bytes);
  }
  return true;
}

/** Layers whose summary does not say what they are. */
const PORTS_ALONE = /^(udp|tcp)/;

/** `98 bytes: 10.11.1.2 → 10.11.1.1, Echo`. */
function frameText({ bytes, mark }: Hop): string {
  const layers = decodeTree(bytes).filter((layer) => !['payload', 'padding', 'data'].includes(layer.name));
  const inner = layers.length > 1 ? layers.slice(1) : layers;
  const summary = inner.map(({ name, text }) => (PORTS_ALONE.test(name) ? `${name} ${text}` : text));
  return `${bytes.length} bytes${mark === 0 ? '' : `, mark ${mark}`}: ${summary.filter((text) => text !== '').join(', ')}`;
}

/** Which runs a document shows, by where they took place. */
export type Runs = Readonly<Partial<Record<'sim' | 'kernel', ScenarioRun>>>;

/** A JSON document of all that is known: bytes in hexadecimal, maps as keys and values. */
export function runsToJson(
  scenario: Scenario,
  runs: Runs,
  difference: ScenarioDifference | undefined,
  unexpected: readonly string[],
): object {
  return {
    version: 1,
    scenario: scenario.name,
    description: scenario.description,
    ...(runs.sim !== undefined && runs.kernel !== undefined ? { agree: difference === undefined } : {}),
    ...(difference === undefined ? {} : { difference }),
    unexpected,
    steps: scenario.steps.map((step: Step, index) => ({
      name: step.name,
      ...Object.fromEntries(
        Object.entries(runs).map(([where, run]) => [
          where,
          { path: run.steps[index]!.path.map(hopToJson), events: run.steps[index]!.events.map(eventToJson) },
        ]),
      ),
    })),
    maps: Object.fromEntries(Object.entries(runs).map(([where, run]) => [where, run.maps.map(mapsToJson)])),
  };
}

function hopToJson({ namespace, device, direction, bytes, mark }: Hop): object {
  return { namespace, device, direction, bytes: toHex(bytes), ...(mark === 0 ? {} : { mark }) };
}

function eventToJson(event: NetworkEvent): object {
  return event.kind === 'hop' ? { kind: 'hop', ...hopToJson(event) } : event;
}

function mapsToJson({ namespace, program, maps }: ScenarioRun['maps'][number]): object {
  return {
    namespace,
    program,
    maps: maps.map((map) => ({
      name: map.definition.name,
      type: map.definition.type,
      entries: map.list().map(({ key, value }) => ({ key: toHex(key), value: toHex(value) })),
    })),
  };
}

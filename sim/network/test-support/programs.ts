/** Small scenarios for tests. */

import type { Scenario } from '../scenario.ts';
import { scenarioFromJson } from '../scenario-json.ts';

/** A device's MAC in tests: `mac(1, 2)` is host 2 on network 1. */
export function mac(network: number, host: number): string {
  return `02:00:00:00:0${network}:0${host}`;
}

/** Two hosts and a wire, as JSON; `client` and `server` add to their devices. */
export function pairJson(
  steps: readonly object[],
  server: object = {},
  client: object = {},
  namespaces: { readonly server?: object; readonly client?: object } = {},
): Record<string, unknown> {
  const device = (host: number, more: object): object => ({
    name: 'veth0',
    ifindex: 10 * host,
    mac: mac(1, host),
    addresses: [`10.11.1.${host}/24`, `fc00:dead:cafe:1::${host}/64`],
    ...more,
  });
  return {
    name: 'pair',
    description: 'two hosts',
    namespaces: {
      client: { devices: [device(2, client)], ...namespaces.client },
      server: { devices: [device(1, server)], ...namespaces.server },
    },
    wires: [['client:veth0', 'server:veth0']],
    steps,
  };
}

/** The same as a scenario. */
export function pair(...parameters: Parameters<typeof pairJson>): Scenario {
  return scenarioFromJson(pairJson(...parameters), 'test');
}

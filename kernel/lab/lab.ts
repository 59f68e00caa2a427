/** A lab that stands: its namespaces, its devices, and what is attached to them. */
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import type { Netns } from '../network/netns.ts';
import type { Device } from './attachments.ts';
import { ifindexOf, openInside } from './environment.ts';
import { openOutside, requireRights } from './foundation.ts';
import type { AttachmentState, EnvironmentState, LabState } from './lab-state.ts';
import { locked } from './lock.ts';
import { notSetUp, setupCommand } from './names.ts';
import { readState, writeState } from './state.ts';

/** Opened for one command; namespaces are opened as they are needed. */
export class Lab {
  readonly name: string;
  #outside: Netns;
  readonly #inside = new Map<string, Netns>();
  #state: LabState;
  #exclusive = false;

  /** @throws {EngineError} `input`, when there is no such lab or its namespace is gone */
  constructor(name: string) {
    requireRights();
    const state = readState(name);
    if (state === undefined) {
      throw new EngineError('input', notSetUp(name), { remedy: setupCommand(name, 'NAME') });
    }
    this.name = name;
    this.#state = state;
    this.#outside = openOutside(state);
  }

  /** Where the outer devices stand. */
  get outside(): Netns {
    return this.#outside;
  }

  get state(): LabState {
    return this.#state;
  }

  /** @throws {EngineError} `input`, naming those that there are */
  environment(name: string): EnvironmentState {
    const found = this.#state.environments.find((one) => one.name === name);
    if (found !== undefined) return found;
    const known = this.#state.environments.map((one) => one.name).join(', ') || 'none';
    throw new EngineError('input', `no environment “${name}”; available: ${known}`, {
      remedy: setupCommand(this.name, name),
    });
  }

  /** The namespace of an environment. */
  inside(name: string): Netns {
    let netns = this.#inside.get(name);
    if (netns === undefined) {
      netns = openInside(this.environment(name));
      this.#inside.set(name, netns);
    }
    return netns;
  }

  /**
   * The outer device of an environment; in the host's lab, any device of the host.
   * @throws {EngineError} `input`, where there is none of that name
   */
  device(name: string): Device {
    if (this.#state.namespace !== 'host') this.environment(name);
    const ifindex = ifindexOf(this.outside, name);
    if (ifindex !== 0) return { netns: this.outside, name, ifindex };
    throw new EngineError('input', `no device “${name}”`, {
      remedy: this.#state.environments.some((one) => one.name === name)
        ? `The environment is broken. Repair it: xdpsim lab reset ${name}`
        : setupCommand(this.name, name),
    });
  }

  /** Does the host's default route go through this device? */
  carriesDefaultRoute(device: string): boolean {
    return ['-4', '-6'].some((family) => {
      const routes = JSON.parse(this.outside.run('ip', ['-json', family, 'route', 'show', 'default'])) as {
        dev?: string;
        nexthops?: { dev?: string }[];
      }[];
      return routes.some(
        (route) => route.dev === device || route.nexthops?.some((hop) => hop.dev === device),
      );
    });
  }

  /**
   * Calls `change` while no other command changes a lab, with the lab as it is then: another command may have changed
   * it since it was opened. Devices are to be asked for anew. May be called within itself.
   * @throws {EngineError} `input`, where the lab was torn down meanwhile
   */
  exclusively<T>(change: () => T): T {
    if (this.#exclusive) return change();
    return locked(() => {
      this.#reopen();
      this.#exclusive = true;
      try {
        return change();
      } finally {
        this.#exclusive = false;
      }
    });
  }

  #reopen(): void {
    const state = readState(this.name);
    if (state === undefined) throw new EngineError('input', `the lab ${this.name} was torn down meanwhile`);
    // A lab that was torn down and set up again has the same names and other namespaces; the others stay open, for
    // whoever holds one from before.
    if (!this.#outside.isCurrent()) {
      const outside = openOutside(state);
      this.#outside.close();
      this.#outside = outside;
    }
    for (const [name, netns] of this.#inside) {
      if (netns.isCurrent()) continue;
      netns.close();
      this.#inside.delete(name);
    }
    this.#state = state;
  }

  /** What the lab has attached to a device. */
  attachments(device: string): AttachmentState[] {
    return this.#state.attachments.filter((one) => one.device === device);
  }

  /** Replaces the note of what is attached to a device. */
  noteAttachments(device: string, attached: readonly AttachmentState[]): void {
    this.exclusively(() => {
      const others = this.#state.attachments.filter((one) => one.device !== device);
      this.#state = { ...this.#state, attachments: [...others, ...attached] };
      writeState(this.#state);
    });
  }

  /** Where a device's maps are pinned. */
  pinDirectory(device: string): string {
    return join(this.#state.pinRoot, device);
  }

  /** Lets go of the namespaces; the lab stays. */
  close(): void {
    for (const netns of this.#inside.values()) netns.close();
    this.#inside.clear();
    this.#outside.close();
  }
}

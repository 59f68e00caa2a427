/** Loading an object onto a device of the lab, and taking it off again. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadObject } from '../../sim/ebpf/object.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import type { ProgramEntry } from '../../sim/runtime/program.ts';
import { requireBpfElf } from '../libbpf/check-elf.ts';
import { BpfObject } from '../libbpf/object.ts';
import { removePins } from '../process/leftovers.ts';
import { attach, attachedTo, type Device, detach } from './attachments.ts';
import { makePinRoot } from './foundation.ts';
import { chooseEntries } from './hooks.ts';
import { pin, programId } from './kernel-objects.ts';
import type { Lab } from './lab.ts';
import type { AttachMode, AttachmentState } from './lab-state.ts';

export interface LoadOptions {
  /** The ELF file. */
  readonly object: Uint8Array;
  /** How messages call it. */
  readonly file: string;
  /** Default: all functions of the object, if each has a hook of its own. */
  readonly function?: string;
  /** Hooks of functions whose sections do not say. */
  readonly register?: readonly ProgramEntry[];
  /** For XDP; default native. */
  readonly mode?: 'native' | 'generic';
  /** Take off what is there, whichever mode it is in. */
  readonly replace?: boolean;
  /** Read-only globals by variable name. */
  readonly globals?: Readonly<Record<string, Uint8Array>>;
}

/**
 * Loads an object, pins its maps in the device's directory and attaches it.
 *
 * The maps are always new: what a program before this one has counted went with it.
 * @returns what is attached now
 * @throws {EngineError} `input`: not an object that loads (with the verifier's log), or the device has a program
 *   already and `replace` was not asked for
 */
export function load(lab: Lab, name: string, options: LoadOptions): AttachmentState[] {
  const { file, object } = options;
  requireBpfElf(object, file);
  const entries = chooseEntries(file, loadObject(object), options.function, options.register ?? []);
  return lab.exclusively(() => replace(lab, name, entries, options));
}

function replace(
  lab: Lab,
  name: string,
  entries: readonly ProgramEntry[],
  options: LoadOptions,
): AttachmentState[] {
  const { file, object } = options;
  const device = lab.device(name);
  const inTheWay = conflicts(lab, device, entries);
  if (inTheWay.length > 0 && options.replace !== true) {
    const what = inTheWay.map((one) => `${one.name} (${one.hook}, ${one.mode})`).join(', ');
    throw new EngineError('input', `${name} has a program already: ${what}`, {
      remedy: 'Use --replace to attach the new one instead.',
    });
  }
  // Loaded before anything is taken off: a program that the verifier refuses leaves the old one attached.
  const loaded = new BpfObject(object, {
    name: entries[0]!.function,
    file,
    entries,
    ...(options.globals === undefined ? {} : { globals: options.globals }),
  });
  try {
    const mode = options.mode ?? 'native';
    // In the same mode the kernel swaps one program for the other, and no packet goes by in between.
    const swapped = entries.some((entry) => entry.hook === 'xdp');
    for (const one of inTheWay) {
      if (!(swapped && one.hook === 'xdp' && one.mode === mode)) detach(device, one);
    }
    pinMaps(lab, loaded, name);
    // Written down before it is attached, and what was there stays written down until all of it is gone, so that a
    // command that is killed in between leaves nothing unknown.
    const before = lab.attachments(name);
    const attached: AttachmentState[] = [];
    for (const program of loaded.programs) {
      const noted = (how: AttachMode): AttachmentState => ({
        device: name,
        function: program.name,
        hook: program.hook,
        mode: how,
        id: programId(program.fd),
        object: file,
      });
      lab.noteAttachments(name, [...before, ...attached, noted(program.hook === 'xdp' ? mode : 'tcx')]);
      attached.push(noted(attach(device, program.hook, program.fd, { mode })));
    }
    lab.noteAttachments(name, attached);
    return lab.attachments(name);
  } catch (error) {
    undo(lab, name);
    throw error;
  } finally {
    loaded.close();
  }
}

/**
 * Takes off what the lab has attached to a device, and removes its pins.
 * @returns what was attached
 */
export function unload(lab: Lab, name: string): AttachmentState[] {
  return lab.exclusively(() => {
    const device = lab.device(name);
    const noted = lab.attachments(name);
    const gone: AttachmentState[] = [];
    for (const there of attachedTo(device)) {
      const ours = noted.find((one) => one.id === there.id);
      if (ours === undefined) continue;
      detach(device, there);
      gone.push({ ...ours, mode: there.mode });
    }
    removePins(lab.pinDirectory(name));
    lab.noteAttachments(name, []);
    return gone;
  });
}

/** What went wrong is told, not what went wrong in clearing it away. */
function undo(lab: Lab, name: string): void {
  try {
    unload(lab, name);
  } catch {
    // The device is gone, or the lab is: nothing is left to take off.
  }
}

/** What has to go first: everything of the lab's own, and any XDP program, of which a device holds only one. */
function conflicts(
  lab: Lab,
  device: Device,
  entries: readonly ProgramEntry[],
): ReturnType<typeof attachedTo> {
  const own = new Set(lab.attachments(device.name).map((one) => one.id));
  const wantsXdp = entries.some((entry) => entry.hook === 'xdp');
  return attachedTo(device).filter((one) => own.has(one.id) || (wantsXdp && one.hook === 'xdp'));
}

function pinMaps(lab: Lab, object: BpfObject, device: string): void {
  const directory = lab.pinDirectory(device);
  makePinRoot(lab.state.pinRoot);
  removePins(directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Names with dots are reserved in a bpffs; libbpf writes them so, too (`sanitize_pin_path`).
  for (const map of object.maps) pin(map.fd, join(directory, map.name.replaceAll('.', '_')));
}

import { existsSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { attach, attachedTo, detach } from '../kernel/lab/attachments.ts';
import { withMaps } from '../kernel/lab/device-maps.ts';
import { load, unload } from '../kernel/lab/load.ts';
import { readCounters } from '../kernel/lab/statistics.ts';
import { labStatus } from '../kernel/lab/status.ts';
import { BpfObject } from '../kernel/libbpf/object.ts';
import { built, make, open, tearDownAfterEach } from './test-support/lab.ts';
import { describeKernel } from './test-support/require-kernel.ts';

tearDownAfterEach();

describeKernel('programs in a lab', ['root', 'libbpf'], () => {
  it('stay when the command that loaded them has ended', () => {
    const lab = make();
    load(lab, 'left', built('icmp_echo'));
    lab.close();
    const again = open(lab.name);
    expect(attachedTo(again.device('left')).map((one) => one.name)).toEqual(['icmp_echo']);
    again.inside('left').run('ping', ['-c', '1', '-W', '5', 'fc00:dead:cafe:1::1']);
    const tx = readCounters(again, 'left').actions?.find((row) => row.action === 'XDP_TX');
    expect(tx).toEqual({ action: 'XDP_TX', packets: 1, bytes: 118 });
  });

  it('have their maps pinned, device by device, until they are unloaded', () => {
    const lab = make(['left', 'right']);
    load(lab, 'left', built('redirect_map'));
    load(lab, 'right', built('redirect_map'));
    for (const device of ['left', 'right']) {
      expect(readdirSync(lab.pinDirectory(device)).sort()).toEqual([
        'redirect_params',
        'tx_port',
        'xdp_stats_map',
      ]);
    }
    expect(unload(lab, 'left').map((one) => one.function)).toEqual(['redirect_map']);
    expect(existsSync(lab.pinDirectory('left'))).toBe(false);
    expect(existsSync(lab.pinDirectory('right'))).toBe(true);
    expect(unload(lab, 'left')).toEqual([]);
  });

  it('are not replaced unless that is asked for, and then in either mode', () => {
    const lab = make();
    const hung = (): unknown => attachedTo(lab.device('left')).map(({ name, mode }) => [name, mode]);
    load(lab, 'left', built('xdp_pass'));
    for (const mode of ['native', 'generic'] as const) {
      expect(() => load(lab, 'left', { ...built('xdp_drop'), mode })).toThrow(
        expect.objectContaining({ kind: 'input', remedy: 'Use --replace to attach the new one instead.' }),
      );
    }
    expect(hung()).toEqual([['xdp_pass', 'native']]);
    load(lab, 'left', { ...built('xdp_drop'), mode: 'generic', replace: true });
    expect(hung()).toEqual([['xdp_drop', 'generic']]);
    load(lab, 'left', { ...built('xdp_pass'), mode: 'native', replace: true });
    expect(hung()).toEqual([['xdp_pass', 'native']]);
  });

  it('take their TC half with them', () => {
    const lab = make();
    const register = [{ function: 'layer_coop_tx', hook: 'tc-egress' } as const];
    load(lab, 'left', { ...built('layer_coop'), register });
    load(lab, 'left', { ...built('xdp_pass'), replace: true });
    expect(attachedTo(lab.device('left')).map((one) => one.name)).toEqual(['xdp_pass']);
    load(lab, 'left', { ...built('account'), replace: true });
    // XDP and TC live side by side only when they come together.
    expect(attachedTo(lab.device('left')).map((one) => one.hook)).toEqual(['tc-ingress', 'tc-egress']);
    unload(lab, 'left');
    expect(attachedTo(lab.device('left'))).toEqual([]);
  });

  it('keep their place when the new one does not load', () => {
    const lab = make();
    load(lab, 'left', built('xdp_pass'));
    const globals = { nothing: Uint8Array.of(1) };
    expect(() => load(lab, 'left', { ...built('port_filter'), replace: true, globals })).toThrow('nothing');
    expect(() => load(lab, 'left', { object: new Uint8Array(100), file: 'zeros.o', replace: true })).toThrow(
      'zeros.o: ELF header +0x0: expected the magic',
    );
    expect(attachedTo(lab.device('left')).map((one) => one.name)).toEqual(['xdp_pass']);
  });

  it('begin with empty maps', () => {
    const lab = make();
    load(lab, 'left', built('icmp_echo'));
    lab.inside('left').run('ping', ['-c', '1', '-W', '5', '10.11.1.1']);
    load(lab, 'left', { ...built('icmp_echo'), replace: true });
    expect(readCounters(lab, 'left').actions?.every((row) => row.packets === 0)).toBe(true);
  });

  it('are seen when somebody else has attached them, with their maps', () => {
    const lab = make();
    const object = new BpfObject(built('icmp_echo').object, {
      name: 'foreign',
      file: 'icmp_echo.o',
      entries: [{ function: 'icmp_echo', hook: 'xdp' }],
    });
    attach(lab.device('left'), 'xdp', object.programs[0]!.fd);
    object.close();
    expect(labStatus(lab).environments[0]?.programs).toMatchObject([
      { function: 'icmp_echo', object: undefined },
    ]);
    expect(withMaps(lab, 'left', (maps) => maps.map((one) => one.map.name))).toEqual(['xdp_stats_map']);
    // What the lab has not loaded it does not unload.
    expect(unload(lab, 'left')).toEqual([]);
    expect(attachedTo(lab.device('left')).length).toBe(1);
  });

  it('run by clsact where the kernel has no tcx', () => {
    const lab = make();
    const device = lab.device('left');
    const object = new BpfObject(built('account').object, {
      name: 'account',
      file: 'account.o',
      entries: [
        { function: 'account_ingress', hook: 'tc-ingress' },
        { function: 'account_egress', hook: 'tc-egress' },
      ],
    });
    try {
      for (const { hook, fd } of object.programs) {
        expect(attach(device, hook, fd, { tc: 'clsact' })).toBe('clsact');
      }
      lab.inside('left').run('ping', ['-c', '5', '-i', '0.005', '-W', '5', '10.11.1.1']);
      const bytes = object
        .map('acc_map')!
        .entries()
        .map((entry) => Buffer.from(entry.value).readUInt32LE(0));
      expect(bytes).toEqual([490, 490]);
      const found = attachedTo(device);
      expect(found.map(({ hook, mode }) => `${hook} ${mode}`)).toEqual([
        'tc-ingress clsact',
        'tc-egress clsact',
      ]);
      for (const one of found) detach(device, one);
      expect(attachedTo(device)).toEqual([]);
    } finally {
      object.close();
    }
  });
});

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { withNamespace } from '../../src/linux/netns.js';
import {
  ALL_OFFLOADS,
  closeTap,
  hardwareAddress,
  openTap,
  removeTap,
  setCarrier,
  setHardwareAddress,
  setPersistent,
  type TapOptions,
  TunOffload,
  tapInfo,
} from '../../src/linux/tun.js';
import { freshNamespace, ip, isRoot, link } from './linux-support.js';

function tapIn(namespace: string, options: Partial<TapOptions> = {}) {
  return withNamespace(namespace, () => openTap({ name: 'eth0', mode: 'create', ...options }));
}

function code(expected: string) {
  return expect.objectContaining({ code: expected });
}

describe.skipIf(!isRoot)('TAP', () => {
  it('is made under its name in the namespace, and goes with its descriptor', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns);
    expect(link(ns, 'eth0')).toMatchObject({
      ifindex: tap.index,
      linkinfo: { info_kind: 'tun', info_data: { type: 'tap', persist: false, vnet_hdr: true } },
    });
    expect(tap).toMatchObject({ name: 'eth0', headerBytes: 12 });
    closeTap(tap);
    expect(link(ns, 'eth0')).toBeUndefined();
  });

  it('persists, with its addresses, and is taken up again', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns);
    setPersistent(tap.fd, true);
    ip('-n', ns, 'addr', 'add', '10.99.0.1/24', 'dev', 'eth0');
    closeTap(tap);
    expect(link(ns, 'eth0')?.linkinfo?.info_data?.persist).toBe(true);
    const again = tapIn(ns, { mode: 'take-up' });
    expect(again.index).toBe(tap.index);
    expect(tapInfo(again.fd)).toMatchObject({ name: 'eth0', persistent: true });
    expect(ip('-n', ns, '-br', 'addr', 'show', 'eth0')).toContain('10.99.0.1/24');
    const start = performance.now();
    expect(() => tapIn(ns, { mode: 'take-up', busyMs: 50 })).toThrow(code('INTERFACE_BUSY'));
    expect(performance.now() - start).toBeGreaterThanOrEqual(50);
    closeTap(again);
    withNamespace(ns, () => removeTap('eth0'));
    expect(link(ns, 'eth0')).toBeUndefined();
  });

  it('is exclusive when created', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns);
    expect(() => tapIn(ns)).toThrow(code('INTERFACE_EXISTS'));
    expect(() => tapIn(ns, { name: 'lo' })).toThrow(code('INTERFACE_EXISTS'));
    setPersistent(tap.fd, true);
    closeTap(tap);
    expect(() => tapIn(ns)).toThrow(code('INTERFACE_EXISTS'));
    expect(link(ns, 'eth0')).toBeDefined();
  });

  it('is taken up only where it is, and where it is a TAP', () => {
    const ns = freshNamespace();
    expect(() => tapIn(ns, { mode: 'take-up' })).toThrow(code('INTERFACE_NOT_FOUND'));
    expect(() => tapIn(ns, { mode: 'take-up', name: 'lo' })).toThrow(code('INTERFACE_NOT_TAP'));
    ip('-n', ns, 'tuntap', 'add', 'tun0', 'mode', 'tun');
    expect(() => tapIn(ns, { mode: 'take-up', name: 'tun0' })).toThrow(code('INTERFACE_NOT_TAP'));
    expect(link(ns, 'eth0')).toBeUndefined();
  });

  it('takes up what ip tuntap made', () => {
    const ns = freshNamespace();
    ip('-n', ns, 'tuntap', 'add', 'tap7', 'mode', 'tap');
    const tap = tapIn(ns, { mode: 'take-up', name: 'tap7' });
    expect(tapInfo(tap.fd).persistent).toBe(true);
    closeTap(tap);
  });

  it.each([
    '',
    '.',
    '..',
    'a/b',
    'a b',
    'eth0:1',
    'tap%d',
    'all',
    'default',
    'sixteen-bytes-16',
    'ünïcödé-näme',
  ])('refuses the name %j', (name) => {
    expect(() => openTap({ name, mode: 'create' })).toThrow(code('INTERFACE_NAME_INVALID'));
  });

  it('gets its offloads from the kernel, as ethtool shows them', ({ skip }) => {
    if (!hasEthtool()) skip('needs ethtool');
    const ns = freshNamespace();
    const features = () => ip('netns', 'exec', ns, 'ethtool', '-k', 'eth0');
    const tap = tapIn(ns);
    expect(tap.offloads & TunOffload.TUN_F_TSO4).not.toBe(0);
    expect(features()).toMatch(/tx-tcp-segmentation: on/);
    expect(features()).toMatch(/tx-tcp6-segmentation: on/);
    expect(/tx-udp-segmentation: on/.test(features())).toBe((tap.offloads & TunOffload.TUN_F_USO4) !== 0);
    closeTap(tap);
    const plain = tapIn(ns, { offloads: 0 });
    expect(plain.offloads).toBe(0);
    expect(features()).toMatch(/tx-checksumming: off/);
    closeTap(plain);
  });

  it('accepts fewer offloads than asked for', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns, { offloads: ALL_OFFLOADS & ~TunOffload.TUN_F_USO6 });
    expect(tap.offloads).toBe(ALL_OFFLOADS & ~(TunOffload.TUN_F_USO4 | TunOffload.TUN_F_USO6));
    closeTap(tap);
  });

  it('has the MAC it is given', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns);
    setHardwareAddress(tap.fd, Uint8Array.of(0x02, 0x00, 0x5e, 0x10, 0xfe, 0x01));
    expect(link(ns, 'eth0')?.address).toBe('02:00:5e:10:fe:01');
    ip('-n', ns, 'link', 'set', 'eth0', 'address', '02:00:00:00:00:77');
    expect([...hardwareAddress(tap.fd)]).toEqual([2, 0, 0, 0, 0, 0x77]);
    closeTap(tap);
  });

  it('shows the pod a carrier only when told to, and none without a reader', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns, { noCarrier: true });
    setPersistent(tap.fd, true);
    ip('-n', ns, 'link', 'set', 'eth0', 'up');
    expect(link(ns, 'eth0')?.flags).not.toContain('LOWER_UP');
    setCarrier(tap.fd, true);
    expect(link(ns, 'eth0')?.flags).toContain('LOWER_UP');
    setCarrier(tap.fd, false);
    expect(link(ns, 'eth0')?.flags).not.toContain('LOWER_UP');
    setCarrier(tap.fd, true);
    closeTap(tap);
    expect(link(ns, 'eth0')?.flags).not.toContain('LOWER_UP');
  });

  it('gives each worker a queue of its own', () => {
    const ns = freshNamespace();
    const first = tapIn(ns, { multiQueue: true });
    const second = tapIn(ns, { multiQueue: true, mode: 'take-up' });
    expect(second.index).toBe(first.index);
    expect(() => tapIn(ns, { mode: 'take-up' })).toThrow(code('INTERFACE_NOT_TAP'));
    closeTap(second);
    closeTap(first);
  });

  it('follows a rename', () => {
    const ns = freshNamespace();
    const tap = tapIn(ns, { name: 'before' });
    ip('-n', ns, 'link', 'set', 'before', 'name', 'after');
    expect(tapInfo(tap.fd).name).toBe('after');
    closeTap(tap);
  });

  it('fails plainly on a descriptor that is no TAP', () => {
    expect(() => setPersistent(0, true)).toThrow(/^ioctl TUNSETPERSIST: (ENOTTY|EINVAL|EBADFD)/);
  });
});

function hasEthtool(): boolean {
  try {
    execFileSync('ethtool', ['--version']);
    return true;
  } catch {
    return false;
  }
}

import { describe, expect, it } from 'vitest';
import { installSettings } from '../../../../src/cli/install-cni/settings.js';
import { podwire } from '../support.js';

describe('installSettings', () => {
  it('has the places where containerd and the kubelet look', () => {
    expect(installSettings({}, '/run/podwire/podwire.sock')).toEqual({
      binDir: '/opt/cni/bin',
      confDir: '/etc/cni/net.d',
      confName: '10-podwire.conflist',
      name: 'podwire',
      network: 'default',
      socket: '/run/podwire/podwire.sock',
      portmap: 'auto',
      withNode: false,
      force: false,
      waitMs: 60_000,
    });
  });

  it('makes what is relative absolute, since a runtime starts the plugin elsewhere', () => {
    const settings = installSettings({ binDir: 'bin', confDir: './conf/' }, 'podwire.sock');
    expect(settings.binDir).toBe(`${process.cwd()}/bin`);
    expect(settings.confDir).toBe(`${process.cwd()}/conf`);
    expect(settings.socket).toBe(`${process.cwd()}/podwire.sock`);
  });

  it('does not wait with --no-wait', () => {
    expect(installSettings({ wait: false, timeout: '5' }, '/s').waitMs).toBe(0);
    expect(installSettings({ wait: true, timeout: '5' }, '/s').waitMs).toBe(5000);
  });
});

describe('a wrong command line', () => {
  it.each([
    [
      ['--conf-name', '../x.conflist'],
      '--conf-name ../x.conflist: must be a file name that ends in .conflist',
    ],
    [['--conf-name', '10-podwire.conf'], '--conf-name 10-podwire.conf: must be'],
    [['--name', 'a/b'], '--name a/b: must be letters'],
    [['--network', 'A'], '--network A: must be the name of a Network'],
    [['--portmap', 'yes'], '--portmap yes: must be auto, on or off'],
    [['--timeout', '0'], '--timeout 0: must be a whole number of seconds'],
    [['--timeout', '1m'], '--timeout 1m: must be'],
    [['--bin-dir', ''], '--bin-dir: must be a folder'],
    [['--print', '--uninstall'], '--print and --uninstall contradict'],
    [['-o', 'yaml'], '-o yaml: install-cni prints table, json'],
    [['--server', 'http://x'], '--server: install-cni runs on this machine'],
    [['extra'], "too many arguments for 'install-cni'"],
  ])('%j', async (words, message) => {
    const { out, err, status } = await podwire('install-cni', ...words);
    expect(err).toContain(`error: USAGE: ${message}`);
    expect({ out, status }).toEqual({ out: '', status: 2 });
  });
});

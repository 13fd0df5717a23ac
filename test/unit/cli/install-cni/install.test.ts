/** The installation into folders of its own, with the real plugin of this package, beside a daemon's API that a test plays. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { fakeApi, podwire } from '../support.js';

let root: string;
let places: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'podwire-install-'));
  places = ['--bin-dir', join(root, 'bin'), '--conf-dir', join(root, 'net.d')];
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
});

const plugin = () => join(root, 'bin', 'podwire-cni');
const conflist = () => join(root, 'net.d', '10-podwire.conflist');

/** `installed updated` for the files of the answer, in order. */
async function outcomes(...words: string[]): Promise<string> {
  const { out, err } = await podwire('install-cni', ...places, '-o', 'json', ...words);
  expect(err).toBe('');
  const { files } = JSON.parse(out) as { files: { outcome: string }[] };
  return files.map(({ outcome }) => outcome).join(' ');
}

/** A plugin of somebody else in the folder, which answers VERSION. */
function neighbour(name: string, ...versions: string[]): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  const path = join(root, 'bin', name);
  writeFileSync(path, `#!/bin/sh\necho '${JSON.stringify({ supportedVersions: versions })}'\n`);
  chmodSync(path, 0o755);
}

function conf(name: string, text: string): string {
  mkdirSync(join(root, 'net.d'), { recursive: true });
  writeFileSync(join(root, 'net.d', name), text);
  return join(root, 'net.d', name);
}

const written = () => JSON.parse(readFileSync(conflist(), 'utf8'));

describe('install-cni', () => {
  it('installs both files, then changes nothing, then what is different, then removes them', async () => {
    expect(await outcomes('--no-wait')).toBe('installed installed');
    expect(statSync(plugin()).mode & 0o777).toBe(0o755);
    expect(statSync(conflist()).mode & 0o777).toBe(0o644);
    expect(await outcomes('--no-wait')).toBe('unchanged unchanged');
    chmodSync(plugin(), 0o644);
    expect(await outcomes('--no-wait', '--network', 'backend')).toBe('updated updated');
    expect(written().plugins[0].network).toBe('backend');
    expect(readdirSync(join(root, 'net.d'))).toEqual(['10-podwire.conflist']);
    expect(await outcomes('--uninstall')).toBe('removed removed');
    expect([...readdirSync(join(root, 'bin')), ...readdirSync(join(root, 'net.d'))]).toEqual([]);
    expect(await outcomes('--uninstall')).toBe('absent absent');
  });

  it('keeps the plugin while another conflist has it, and says which', async () => {
    await outcomes('--no-wait', '--portmap', 'off');
    const second = ['--conf-name', '20-backend.conflist'];
    const installed = await podwire(
      'install-cni',
      ...places,
      '--no-wait',
      '--portmap',
      'off',
      '--name',
      'b',
      ...second,
    );
    expect(installed.err).toContain(`${conflist()} comes before`);
    expect(installed.err).not.toContain('remove it');
    const kept = await podwire('install-cni', ...places, ...second, '--uninstall');
    expect(kept).toMatchObject({
      out: expect.stringMatching(/20-backend.conflist +removed\n.*podwire-cni +kept\n$/),
      err: expect.stringContaining(`${plugin()} stays: ${conflist()} needs it`),
      status: 0,
    });
    expect(existsSync(plugin())).toBe(true);
    expect(await outcomes('--uninstall')).toBe('removed removed');
  });

  it('prints the conflist that it would write, and writes nothing', async () => {
    const words = [...places, '--name', 'pods', '--socket', '/run/x.sock', '--print'];
    const { out } = await podwire('install-cni', ...words);
    expect(JSON.parse(out)).toEqual({
      cniVersion: '1.0.0',
      cniVersions: ['1.0.0', '1.1.0'],
      name: 'pods',
      plugins: [
        {
          type: 'podwire-cni',
          socket: '/run/x.sock',
          network: 'default',
          capabilities: { ips: true, mac: true, bandwidth: true, aliases: true, portMappings: true },
        },
      ],
    });
    expect(readdirSync(root)).toEqual([]);
  });

  it('chains portmap where that is asked for, and offers CNI 1.1 only where the whole chain speaks it', async () => {
    neighbour('portmap', '0.4.0', '1.0.0');
    await outcomes('--no-wait', '--portmap', 'on');
    expect(written().plugins[0].capabilities.portMappings).toBe(false);
    expect(written().plugins[1]).toEqual({ type: 'portmap', capabilities: { portMappings: true } });
    expect(written().cniVersions).toBeUndefined();
    neighbour('portmap', '1.0.0', '1.1.0');
    await outcomes('--no-wait', '--portmap', 'on');
    expect(written().cniVersions).toEqual(['1.0.0', '1.1.0']);
    await outcomes('--no-wait');
    expect(written().plugins).toHaveLength(1);
  });

  it('needs portmap with --portmap on, and not without', async () => {
    expect(await podwire('install-cni', ...places, '--no-wait', '--portmap', 'on')).toMatchObject({
      err: expect.stringContaining('error: INSTALL_FAILED: --portmap on: '),
      status: 1,
    });
    expect(existsSync(conflist())).toBe(false);
    const { err, status } = await podwire('install-cni', ...places, '--no-wait');
    expect({ err, status }).toEqual({ err: '', status: 0 });
  });

  it('leaves alone what others have written, except with --force', async () => {
    conf('10-podwire.conflist', '{"name":"x","plugins":[{"type":"bridge"}]}');
    const refused = {
      err: expect.stringContaining(`error: INSTALL_REFUSED: ${conflist()} stays`),
      status: 1,
    };
    expect(await podwire('install-cni', ...places, '--no-wait')).toMatchObject(refused);
    expect(await podwire('install-cni', ...places, '--uninstall')).toMatchObject(refused);
    expect(existsSync(plugin())).toBe(false);
    expect(await outcomes('--no-wait', '--force')).toBe('installed updated');
    neighbour('podwire-cni', '1.0.0');
    expect(await podwire('install-cni', ...places, '--no-wait')).toMatchObject({
      err: expect.stringContaining(`error: INSTALL_REFUSED: ${plugin()} stays`),
      status: 1,
    });
  });

  it('warns of what runtimes would take instead, and of names given twice', async () => {
    neighbour('portmap', '1.0.0');
    const first = conf('05-bridge.conf', '{"name":"b","type":"bridge"}');
    const twice = conf('20-other.conflist', '{"name":"podwire","plugins":[{"type":"bridge"}]}');
    const ours = conf('30-podwire.conflist', '{"name":"old","plugins":[{"type":"podwire-cni"}]}');
    for (const name of ['40-broken.json', '41-odd.conf', '01-notes.txt']) conf(name, '{"plugins":7');
    const { err, out } = await podwire('install-cni', ...places, '--no-wait', '-o', 'json');
    expect(err).toBe('');
    expect(JSON.parse(out).warnings).toEqual([
      expect.stringContaining(`${first} comes before ${conflist()}`),
      expect.stringContaining(`${twice} has the name podwire too`),
      expect.stringContaining(`${ours} is of podwire too`),
    ]);
  });

  it('sweeps what a killed installation has left, not what one beside it is writing', async () => {
    const [old, fresh] = ['1', '2'].map((pid) => conf(`.10-podwire.conflist.${pid}.podwire-tmp`, '{'));
    utimesSync(old!, 0, 0);
    await outcomes('--no-wait');
    expect([existsSync(old!), existsSync(fresh!)]).toEqual([false, true]);
  });

  it('says what the file system says', async () => {
    writeFileSync(join(root, 'bin'), '');
    const { err, status } = await podwire('install-cni', ...places, '--no-wait');
    expect({ err, status }).toEqual({
      err: expect.stringMatching(/error: INSTALL_FAILED: .*ENOTDIR|EEXIST/),
      status: 1,
    });
  });
});

describe('the daemon', () => {
  const ready = { body: { ok: true } };

  it('is waited for before the conflist is written; the plugin is there before', async () => {
    const { socket } = await fakeApi({ 'GET /readyz': { status: 503, body: { ok: false } } });
    const run = await podwire('install-cni', ...places, '--socket', socket, '--timeout', '1');
    expect(run).toMatchObject({ err: expect.stringContaining('error: NOT_READY: '), status: 1 });
    expect([existsSync(plugin()), existsSync(conflist())]).toEqual([true, false]);
  });

  it('that is not there leaves an earlier conflist in force', async () => {
    await outcomes('--no-wait');
    const before = readFileSync(conflist(), 'utf8');
    const words = ['--socket', join(root, 'none.sock'), '--timeout', '1'];
    expect(await podwire('install-cni', ...places, ...words)).toMatchObject({ status: 1 });
    expect(readFileSync(conflist(), 'utf8')).toBe(before);
  });

  it('has to have the network', async () => {
    const { socket } = await fakeApi({ 'GET /readyz': ready, 'GET /v1/networks/default': { body: {} } });
    expect(await outcomes('--socket', socket)).toBe('installed installed');
    expect(written().plugins[0].socket).toBe(socket);
    const run = await podwire('install-cni', ...places, '--socket', socket, '--network', 'gone');
    expect(run).toMatchObject({
      err: expect.stringContaining('error: NOT_FOUND: --network gone: '),
      status: 1,
    });
    expect(written().plugins[0].network).toBe('default');
  });
});

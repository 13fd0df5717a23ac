import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { closeFile } from '../../src/linux/libc.js';
import { namespaceIdentity, namespacePath, openNamespace, withNamespace } from '../../src/linux/netns.js';
import { closeTap, openTap, tapInfo } from '../../src/linux/tun.js';
import { freshNamespace, ip, isRoot } from './linux-support.js';

/** The namespace of a child process started here and now, as stat(1) sees it. */
function childIdentity(): string {
  return execFileSync('stat', ['-L', '-c', '%d:%i', '/proc/self/ns/net']).toString().trim();
}

describe('namespace names', () => {
  it('resolves names as iproute2 does, and leaves absolute paths', () => {
    expect(namespacePath('blue')).toBe('/run/netns/blue');
    expect(namespacePath('/proc/1/ns/net')).toBe('/proc/1/ns/net');
  });

  it.each(['', '.', '..', 'a/b', '../etc', 'a\0b'])('refuses %j', (name) => {
    expect(() => namespacePath(name)).toThrow(expect.objectContaining({ code: 'NETNS_INVALID' }));
  });

  it('says that there is none of a name', () => {
    expect(() => openNamespace('podwire-none')).toThrow(
      expect.objectContaining({
        code: 'NETNS_NOT_FOUND',
        message: expect.stringContaining('/run/netns/podwire-none'),
      }),
    );
    expect(() => openNamespace('/proc/self/ns/nothing')).toThrow(
      expect.objectContaining({ code: 'NETNS_NOT_FOUND' }),
    );
  });

  it('tells a namespace from a file, a FIFO, a directory and a namespace of another kind', () => {
    const directory = mkdtempSync(join(tmpdir(), 'podwire-ns-'));
    const file = join(directory, 'file');
    const fifo = join(directory, 'fifo');
    writeFileSync(file, '');
    execFileSync('mkfifo', [fifo]);
    for (const path of [file, fifo, directory, '/dev/null', '/proc/self/ns/uts']) {
      expect(() => openNamespace(path)).toThrow(
        expect.objectContaining({
          code: 'NETNS_INVALID',
          message: expect.stringContaining('is not a network namespace'),
        }),
      );
    }
    rmSync(directory, { recursive: true });
  });

  it('identifies a namespace as stat(1) does', () => {
    const stat = execFileSync('stat', ['-L', '-c', '%d:%i', `/proc/${process.pid}/ns/net`])
      .toString()
      .trim();
    expect(namespaceIdentity()).toBe(stat);
    expect(namespaceIdentity(`/proc/${process.pid}/ns/net`)).toBe(stat);
  });
});

describe.skipIf(!isRoot)('withNamespace', () => {
  it('takes the thread and its children there, and back', () => {
    const name = freshNamespace();
    const home = childIdentity();
    const [own, child, links] = withNamespace(name, () => [
      namespaceIdentity(),
      childIdentity(),
      execFileSync('ip', ['-br', 'link']).toString(),
    ]);
    expect([own, child]).toEqual([namespaceIdentity(name), namespaceIdentity(name)]);
    expect(own).not.toBe(home);
    expect(links).toMatch(/^lo\s[^\n]*\n$/);
    expect([namespaceIdentity(), childIdentity()]).toEqual([home, home]);
  });

  it('nests, and takes descriptors', () => {
    const first = freshNamespace();
    const second = freshNamespace();
    const fd = openNamespace(second);
    const seen = withNamespace(first, () => [
      namespaceIdentity(),
      withNamespace(fd, () => namespaceIdentity()),
      namespaceIdentity(),
    ]);
    closeFile(fd);
    expect(seen).toEqual([namespaceIdentity(first), namespaceIdentity(second), namespaceIdentity(first)]);
  });

  it('returns when the function throws, or is asynchronous', () => {
    const name = freshNamespace();
    const home = namespaceIdentity();
    const fail = () => {
      throw new RangeError('inside');
    };
    expect(() => withNamespace(name, fail)).toThrow(new RangeError('inside'));
    expect(namespaceIdentity()).toBe(home);
    expect(() => withNamespace(name, async () => 1)).toThrow(TypeError);
    expect(namespaceIdentity()).toBe(home);
  });

  it('leaks no descriptor', () => {
    const name = freshNamespace();
    const namespaces = /net:\[|\/netns\/|null/;
    // By this process itself: another, such as ls, finds descriptors gone that a thread of vitest has closed meanwhile.
    const count = () => {
      const links = readdirSync('/proc/self/fd').map((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return '';
        }
      });
      return links.filter((link) => namespaces.test(link)).length;
    };
    const before = count();
    for (let i = 0; i < 20; i++) {
      withNamespace(name, () => undefined);
      expect(() => withNamespace('podwire-none', () => undefined)).toThrow('no network namespace');
      expect(() => withNamespace('/dev/null', () => undefined)).toThrow('not a network namespace');
    }
    expect(count()).toBe(before);
  });

  it('is not enough to delete a namespace whose TAP is still open', () => {
    const name = `podwire-p${process.pid}`;
    ip('netns', 'add', name);
    const tap = withNamespace(name, () => openTap({ name: 'eth0', mode: 'create' }));
    ip('netns', 'del', name);
    expect(tapInfo(tap.fd)).toMatchObject({ name: 'eth0', persistent: false });
    closeTap(tap);
  });
});

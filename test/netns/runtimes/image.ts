/**
 * An image for container runtimes, made here, since tests ask no registry: Debian's busybox, which is linked
 * statically, and a file for each of its names. It is written as `docker save` writes images, which both
 * `podman load` and `ctr images import` read: manifest.json, a configuration, and one layer.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';

/** The name, as runtimes call it; `localhost/` keeps them from looking for it elsewhere. */
export const IMAGE = 'localhost/podwire-test:1';
const BUSYBOX = '/bin/busybox';
/** Node's names of architectures that differ from the image format's. */
const ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64' };

/** Why there can be no image, or undefined. */
export function imageMissing(): string | undefined {
  const linked = spawnSync('ldd', [BUSYBOX], { encoding: 'utf8' });
  if (linked.error || linked.stdout.includes('=>')) return 'busybox-static';
  return spawnSync(BUSYBOX).error ? 'busybox-static' : undefined;
}

/** Writes the image below `directory` and answers the path of its archive. */
export function writeImage(directory: string): string {
  const parts = join(directory, 'image');
  writeRoot(join(parts, 'root'));
  const layer = join(parts, 'layer.tar');
  pack(layer, join(parts, 'root'), '.');
  const digest = createHash('sha256').update(readFileSync(layer)).digest('hex');
  writeFileSync(join(parts, 'config.json'), JSON.stringify(configuration(digest)));
  const manifest = [{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }];
  writeFileSync(join(parts, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(directory, 'image.tar');
  pack(archive, parts, 'manifest.json', 'config.json', 'layer.tar');
  return archive;
}

function writeRoot(root: string): void {
  for (const folder of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'run', 'root', 'www']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  const names = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of names) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
}

function configuration(layerDigest: string) {
  return {
    architecture: ARCHITECTURES[arch()] ?? arch(),
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['sleep', '100000'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created_by: "podwire's tests" }],
  };
}

function pack(archive: string, folder: string, ...names: string[]): void {
  execFileSync('tar', ['-C', folder, '--owner=0', '--group=0', '--numeric-owner', '-cf', archive, ...names]);
}

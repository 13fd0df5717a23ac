// Run after `npm install`: completes package-lock.json with the optional packages of other platforms.
//
// npm leaves an optional package out of the lock file when the registry that it asked does not have it, and then
// `npm ci` refuses the file, on every platform. Version, os and cpu follow from what is there: such packages have
// exact versions, and their names end in OS-CPU[-LIBC]. There is no integrity hash to add.
import { readFileSync, writeFileSync } from 'node:fs';

const PLATFORM = /-(android|darwin|freebsd|linux|win32)-(arm64|arm|ia32|x64)(?:-(musl|glibc|gnu))?$/;

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const { packages } = lock;
const added = [];
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = PLATFORM.exec(name);
    if (path === '' || platform === null || packages[`node_modules/${name}`] !== undefined) continue;
    const [, os, cpu, libc] = platform;
    packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc: [libc === 'gnu' ? 'glibc' : libc] } : {}),
      optional: true,
      os: [os],
    };
    added.push(name);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'package-lock.json is complete' : `added ${added.join(', ')}`);

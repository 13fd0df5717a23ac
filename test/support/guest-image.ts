/**
 * What a virtual machine of tests boots: a kernel of Debian's, and an initial RAM disk made here, of busybox, the modules
 * that virtio network cards need, and an init that does as it is told on the kernel's command line.
 *
 * The kernel is that of an installed linux-image-cloud-amd64, or of one taken apart (`apt-get download`, `dpkg -x`) in
 * the folder PODWIRE_TEST_KERNEL.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const BUSYBOX = '/bin/busybox';

/** Which of them needs which differs between kernels of one series: init asks for all twice. */
const MODULES = [
  'virtio/virtio',
  'virtio/virtio_ring',
  'virtio/virtio_pci_modern_dev',
  'virtio/virtio_pci_legacy_dev',
  'virtio/virtio_pci',
  'core/failover',
  'net/net_failover',
  'net/virtio_net',
] as const;

/**
 * `NAME=value` words of the command line are its environment. Prints what it finds, then serves /www until it is ended:
 * `file`, of a mebibyte that is the same for everybody.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${[...MODULES, ...MODULES].map((name) => basename(name)).join(' ')}; do insmod /modules/$module.ko 2>/dev/null; done
ip link set lo up
ip link set eth0 mtu $mtu up
ip address add $ip4 dev eth0
ip -6 address add $ip6 dev eth0
while ip -6 address show dev eth0 | grep -q tentative; do sleep 1; done
ip route add default via $gw4
ip -6 route add default via $gw6
yes podwire | head -c 1048576 >/www/file
httpd -h /www
echo "mac $(cat /sys/class/net/eth0/address)"
ping -c 3 -W 5 $pod4 >/dev/null && echo "ping $pod4"
ping -6 -c 3 -W 5 $pod6 >/dev/null && echo "ping $pod6"
echo "fetched $(wget -q -O - http://$pod4:8080/file | sha256sum | cut -d' ' -f1)"
echo "ready"
while true; do sleep 1000; done
`;

export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** Why none can be made, or undefined. */
export function guestImageMissing(): string | undefined {
  if (process.arch !== 'x64') return 'a processor of x86-64';
  const linked = spawnSync('ldd', [BUSYBOX], { encoding: 'utf8' });
  if (linked.error || linked.stdout.includes('=>')) return 'busybox-static';
  return findKernel() ? undefined : 'linux-image-cloud-amd64, installed or in PODWIRE_TEST_KERNEL';
}

/** Makes it below a directory, readable for everybody. */
export function makeGuestImage(directory: string): GuestImage {
  const found = findKernel();
  if (!found) throw new Error('there is no kernel');
  const root = join(directory, 'root');
  for (const folder of ['bin', 'modules', 'proc', 'sys', 'dev', 'www'])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  for (const module of MODULES)
    copyFileSync(moduleFile(found.modules, module)!, join(root, 'modules', `${basename(module)}.ko`));
  writeFileSync(join(root, 'init'), INIT);
  chmodSync(join(root, 'init'), 0o755);
  const [kernel, initrd] = [join(directory, 'kernel'), join(directory, 'initrd')];
  copyFileSync(found.kernel, kernel);
  execFileSync('sh', ['-c', 'find . | busybox cpio -o -H newc >"$0" 2>/dev/null', initrd], { cwd: root });
  for (const file of [kernel, initrd]) chmodSync(file, 0o644);
  chmodSync(directory, 0o755);
  return { kernel, initrd };
}

function findKernel(): { kernel: string; modules: string } | undefined {
  const root = process.env.PODWIRE_TEST_KERNEL ?? '/';
  const boot = join(root, 'boot');
  if (!existsSync(boot)) return undefined;
  const kernels = readdirSync(boot).filter((name) => /^vmlinuz-.*-cloud-amd64$/.test(name));
  return kernels
    .map((name) => ({
      kernel: join(boot, name),
      modules: join(root, 'lib/modules', name.slice('vmlinuz-'.length), 'kernel'),
    }))
    .find(({ modules }) => MODULES.every((module) => moduleFile(modules, module)));
}

function moduleFile(modules: string, module: string): string | undefined {
  const folder = module.startsWith('core/') ? 'net' : 'drivers';
  const file = join(modules, folder, `${module}.ko`);
  return existsSync(file) ? file : undefined;
}

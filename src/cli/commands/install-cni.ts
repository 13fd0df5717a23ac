/**
 * `podwire install-cni`: tells container runtimes of this host about podwire, by the plugin's executable and a conflist.
 * Doing it again changes nothing, or what is different; each file is replaced in one rename.
 */
import { Command } from 'commander';
import { outputFormat, print, printJson, refuseServer, socketPath } from '../context.js';
import { usage } from '../errors.js';
import type { InstallResult } from '../install-cni/install.js';
import { DEFAULTS, type InstallFlags, installSettings } from '../install-cni/settings.js';
import { paletteFor } from '../output/style.js';
import { pad } from '../output/table.js';

export function installCniCommand(): Command {
  return new Command('install-cni')
    .description('install the CNI plugin and its conflist for the container runtimes of this host')
    .option('--bin-dir <DIR>', `where runtimes look for plugins (default: ${DEFAULTS.binDir})`)
    .option('--conf-dir <DIR>', `where they look for conflists (default: ${DEFAULTS.confDir})`)
    .option(
      '--conf-name <FILE>',
      `name of the conflist; the first in order counts (default: ${DEFAULTS.confName})`,
    )
    .option('--name <NAME>', `name of the network as runtimes list it (default: ${DEFAULTS.name})`)
    .option('--network <NETWORK>', `podwire's network (default: ${DEFAULTS.network})`)
    .option(
      '--portmap <auto|on|off>',
      'on: the portmap plugin publishes ports, chained behind (default: podwire does)',
    )
    .option('--with-node', 'copy node and the plugin beside it, for a host without Node')
    .option(
      '--timeout <SECONDS>',
      `how long to wait for the daemon to be ready (default: ${DEFAULTS.timeout})`,
    )
    .option('--no-wait', 'write the conflist whether or not the daemon is ready')
    .option('--force', 'replace or remove files of these names that are not of podwire')
    .option('--uninstall', 'remove what was installed; remove the containers first')
    .option('--print', 'print the conflist and change nothing')
    .action(async (flags: InstallFlags, self: Command) => {
      refuseServer(self);
      const settings = installSettings(flags, socketPath(self));
      if (flags.print && flags.uninstall) throw usage('--print and --uninstall contradict each other');
      const format = outputFormat(self, flags.print ? ['json'] : ['table', 'json']);
      const { conflistOf, install, uninstall } = await import('../install-cni/install.js');
      if (flags.print) return print(conflistOf(settings));
      const result = flags.uninstall ? uninstall(settings) : await install(settings);
      if (format === 'json') printJson(result);
      else printResult(result);
    });
}

/** What happened to standard output; what somebody should look at to standard error. */
function printResult({ files, warnings }: InstallResult): void {
  const width = Math.max(...files.map(({ path }) => path.length));
  for (const { path, outcome } of files) print(`${pad(path, width)}   ${outcome}\n`);
  const palette = paletteFor(process.stderr);
  for (const text of warnings) process.stderr.write(`${palette.warn('warning:')} ${text}\n`);
}

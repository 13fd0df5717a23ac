/**
 * `podwire daemon`: runs the switch in this process until a signal. Prints nothing of its own: what happens
 * is in the log on standard error. A service manager that has set NOTIFY_SOCKET is told when it is ready, and when it
 * stops. SIGINT and SIGTERM stop it cleanly, pods keep their interfaces; a second
 * signal ends it at once.
 */
import { Command } from 'commander';
import { DAEMON_OPTIONS, type DaemonOptions, parseDaemonOptions } from '../../control/options.js';
import { refuseOutputFormat, refuseServer } from '../context.js';
import { environmentName, mergeSettings, type Settings } from '../daemon-settings.js';
import { asUsage, ExitStatus, errorLine } from '../errors.js';

const NAMES = DAEMON_OPTIONS.map((option) => option.name);
/** Options of every command. */
const SHARED = ['socket', 'token-file', 'tls-cert', 'tls-key', 'tls-ca'];

export function daemonCommand(): Command {
  const command = new Command('daemon').description('run the switch on this node');
  for (const { name, value, help, default: fallback } of DAEMON_OPTIONS) {
    if (SHARED.includes(name)) continue;
    command.option(`--${name} <${value}>`, fallback === undefined ? help : `${help} (default: ${fallback})`);
  }
  return command
    .option('--config <FILE>', 'YAML file with the same names')
    .addHelpText(
      'after',
      `\nEvery flag is also an environment variable, ${environmentName('pod-cidr')} for --pod-cidr.\n` +
        'A flag wins over the environment, which wins over the file.',
    )
    .action(async (_options: unknown, self: Command) => {
      refuseOutputFormat(self);
      refuseServer(self);
      await runDaemon(daemonOptions(self));
    });
}

function daemonOptions(command: Command): DaemonOptions {
  const given = command.optsWithGlobals<Record<string, string | undefined>>();
  const flags: Settings = {};
  for (const name of NAMES) flags[name] = given[camelCase(name)];
  try {
    return parseDaemonOptions(mergeSettings(NAMES, flags, process.env, given.config));
  } catch (error) {
    throw asUsage(error);
  }
}

/** The key under which commander keeps a flag. */
function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

async function runDaemon(options: DaemonOptions): Promise<void> {
  const signal = firstSignal();
  const { startDaemon } = await import('../../control/daemon.js');
  const tell = await serviceManager();
  const daemon = await startDaemon(options);
  tell('READY', `${options.name} forwards`);
  const failed = await Promise.race([signal, daemon.failed]);
  tell('STOPPING', 'interfaces of pods stay');
  await daemon.stop();
  if (failed !== undefined) process.stderr.write(`${errorLine(failed)}\n`);
  process.exit(failed === undefined ? ExitStatus.DONE : ExitStatus.FAILED);
}

/** The environment variable goes, since it is not meant for the programs that the daemon starts. */
async function serviceManager(): Promise<(state: 'READY' | 'STOPPING', status: string) => void> {
  const { NOTIFY_SOCKET: socket } = process.env;
  if (!socket) return () => undefined;
  delete process.env.NOTIFY_SOCKET;
  const { notifyService, ServiceState } = await import('../../linux/service-notify.js');
  return (state, status) => {
    try {
      notifyService(ServiceState[state], status, socket);
    } catch (error) {
      process.stderr.write(`${errorLine(error)}\n`);
    }
  };
}

/** Resolves at the first SIGINT or SIGTERM; the second one ends the process, for a stop that hangs. */
function firstSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = () => {
      if (stopping) process.exit(ExitStatus.FAILED);
      stopping = true;
      resolve(undefined);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

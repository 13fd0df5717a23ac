/**
 * `podwire replay CAPTURE`: what forwarding would do with captured packets, in the state of a daemon or of a file, and how that differs
 * in a candidate state. Forwards in this process; needs no privilege, and with --running no daemon.
 */
import { Command } from 'commander';
import type { Resource } from '../../control/api/types.js';
import type { StateAnswer } from '../../control/api/what-if-types.js';
import type { ReplayState } from '../../control/replay/types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { CliError, failure } from '../errors.js';
import { readManifests } from '../manifests.js';
import { packetLine, passedOverLine, renderReplay, replayJson } from '../output/replay.js';

interface ReplayFlags {
  readonly state?: string;
  readonly running?: string;
  readonly port?: string;
  readonly write?: string;
  readonly explain?: true;
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('put a capture through forwarding, and show what a change of policies would do to it')
    .argument('<CAPTURE>', 'pcap or pcapng file: Ethernet, raw IP, or of tcpdump -i any')
    .option('--state <FILE>', 'manifests that would be applied: shows whose verdict they would change')
    .option(
      '--running <FILE>',
      'the state to begin with, as podwire state prints it; without it the daemon’s',
    )
    .option('--port <POD>', 'every packet comes from this pod: NAME or NAMESPACE/NAME')
    .option('-w, --write <FILE>', 'pcap file for what comes out')
    .option('--explain', 'one line for each packet')
    .action(async (capture: string, flags: ReplayFlags, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const parts = await load();
      const running = await runningState(self, flags.running, parts);
      const candidate =
        flags.state === undefined ? undefined : await candidateState(running, flags.state, parts);
      await replayFile(capture, { running, candidate, flags, format }, parts);
    });
}

/** The engine and what it forwards by: half a megabyte of program that no other command needs. */
async function load() {
  const [{ readAnyCapture }, { PcapWriter }, { Replay }, { LINK_TYPES }, documents, policies, states] =
    await Promise.all([
      import('../../dataplane/devices/pcapng-capture.js'),
      import('../../dataplane/devices/pcap-writer.js'),
      import('../../control/replay/replay.js'),
      import('../../control/replay/captured-packet.js'),
      import('../../control/what-if/documents.js'),
      import('../../control/what-if/policy-state.js'),
      import('../../control/what-if/state-document.js'),
    ]);
  return { readAnyCapture, PcapWriter, Replay, LINK_TYPES, ...documents, ...policies, ...states };
}

type Parts = Awaited<ReturnType<typeof load>>;

async function runningState(
  command: Command,
  path: string | undefined,
  { readState }: Parts,
): Promise<ReplayState> {
  if (path === undefined) return readState([await daemonState(command)]);
  return placed(path, async () => readState(await readManifests(path)));
}

async function daemonState(command: Command): Promise<StateAnswer> {
  try {
    return await clientFor(command).get<StateAnswer>('/v1/state');
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'DAEMON_UNREACHABLE') throw error;
    throw failure('DAEMON_UNREACHABLE', `${error.message}; or give a state with --running FILE`);
  }
}

/** The running state with the file applied to it. */
function candidateState(
  running: ReplayState,
  path: string,
  { parseDocuments, withDocuments }: Parts,
): Promise<ReplayState> {
  return placed(path, async () => {
    const apply: Resource[] = parseDocuments(await readManifests(path), 'documents');
    return withDocuments(running, apply);
  });
}

/** Says which file it was. */
async function placed<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { asPodwireError } = await import('../../control/errors.js');
    const { code, message } = asPodwireError(error);
    throw new CliError(code, `${path}: ${message}`);
  }
}

interface Job {
  readonly running: ReplayState;
  readonly candidate: ReplayState | undefined;
  readonly flags: ReplayFlags;
  readonly format: string;
}

async function replayFile(
  path: string,
  { running, candidate, flags, format }: Job,
  parts: Parts,
): Promise<void> {
  const capture = await pcapErrors(() => parts.readAnyCapture(path, parts.LINK_TYPES));
  const writer =
    flags.write === undefined ? undefined : await pcapErrors(async () => new parts.PcapWriter(flags.write!));
  let time = 0;
  const explain = flags.explain === true && format === 'table';
  const replay = new parts.Replay(capture, {
    running,
    ...(candidate && { candidate }),
    ...(flags.port !== undefined && { port: flags.port }),
    ...(writer && {
      taker: (memory: DataView, at: number, length: number) => void writer.append(memory, at, length, time),
    }),
    observer: {
      begin: (at) => {
        time = at;
      },
      packet: (report) => {
        if (explain) print(packetLine(report, capture.time[0] ?? 0));
      },
      passedOver: (number, at, why) => {
        if (explain) print(passedOverLine(number, at - (capture.time[0] ?? 0), why));
      },
    },
  });
  const result = replay.run();
  await pcapErrors(async () => writer?.close());
  if (format === 'json') printJson(replayJson(replay, result));
  else print(renderReplay(replay, result, { isCompared: candidate !== undefined, explain }));
}

/** Errors of capture files have codes of their own. */
async function pcapErrors<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Error && error.name === 'PcapError' && 'code' in error)
      throw new CliError(String(error.code), error.message);
    throw error;
  }
}

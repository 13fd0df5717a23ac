/**
 * The executable that a runtime starts: a few lines for /bin/sh, which become node in the same process (exec), because
 * the PATH of a runtime may have no node, and a link would find neither. The second line is how it is recognised.
 *
 * With `--with-node` what it starts lies in a folder beside it, which is found from where the wrapper itself was started: the
 * folder may have another path for whoever installs, in a container, than for the host.
 */
import { VERSION } from '../../control/version.js';
import { readIfThere } from './files.js';
import { NODE_FOLDERS, type NodeFolder } from './node-folder.js';

/** The folder of the script, by the shell's own means. */
const HERE = `here=\${0%/*}`;

const MARK = '# podwire-cni';

/** What the runtime's environment says to other programs in Node is not for the plugin, and costs its start. */
const FORGET = 'unset NODE_OPTIONS NODE_EXTRA_CA_CERTS';

/** @param node absolute path of the node that runs now @param program absolute path of bin/podwire-cni */
export function wrapperOfHost(node: string, program: string): string {
  return script([
    `node=${quote(node)}`,
    '# A node that was upgraded may have moved.',
    '[ -x "$node" ] || node=node',
    `exec "$node" ${quote(program)} "$@"`,
  ]);
}

/** For a host without Node: the loader is started by name, so that the host's own C library does not matter. */
export function wrapperOfFolder(binDir: string, { id, loader }: NodeFolder): string {
  return script([
    HERE,
    `[ -d "$here/${NODE_FOLDERS}" ] || here=${quote(binDir)}`,
    `run="$here/${NODE_FOLDERS}/${id}"`,
    loader === undefined
      ? 'exec "$run/node" "$run/bin/podwire-cni" "$@"'
      : `exec "$run/lib/${loader}" --library-path "$run/lib" "$run/node" "$run/bin/podwire-cni" "$@"`,
  ]);
}

/** Whether the file is a wrapper of ours; undefined: there is no file. */
export function isWrapper(path: string): boolean | undefined {
  const text = readIfThere(path);
  return text === undefined ? undefined : (text.split('\n', 2)[1] ?? '').startsWith(MARK);
}

/** The folder that a wrapper starts from, if it is one of those. */
export function folderOf(path: string): string | undefined {
  const text = isWrapper(path) ? readIfThere(path) : undefined;
  return new RegExp(`^run="\\$here/${NODE_FOLDERS.replace('.', '\\.')}/([^"/]+)"$`, 'm').exec(
    text ?? '',
  )?.[1];
}

function script(lines: readonly string[]): string {
  const head = ['#!/bin/sh', `${MARK} ${VERSION}, written by: podwire install-cni`, FORGET];
  return `${[...head, ...lines].join('\n')}\n`;
}

/** One word of the shell, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

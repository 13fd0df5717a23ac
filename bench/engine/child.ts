/** The process that measures one scenario: isolated.ts starts it and hears what it says. */
import { tuneCompiler } from '../../src/dataplane/worker/compiler.js';
import { SCALE_MEASURES } from '../scale/measures.js';
import type { Message, Request } from './isolated.js';
import { MEASURES } from './measures.js';

const { name, budget } = JSON.parse(process.argv[2]) as Request;

function tell(message: Message): void {
  process.send?.(message);
}

// As in the thread that forwards.
tuneCompiler();
/** Waits until what was told is on its way: nothing is sent while a synchronous measurement runs. */
const figures = await { ...MEASURES, ...SCALE_MEASURES }[name](budget, (text) => tell({ say: text }));
process.send?.({ figures } satisfies Message, () => process.disconnect());

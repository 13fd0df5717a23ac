/**
 * What policies have decided about a connection, as its flow has it. A flow that is translated has no room for the rules: they
 * are asked for again, of what holds at the moment.
 */
import type { FlowRow } from '../../dataplane/flows/flow-reader.js';
import { DECISION } from '../../dataplane/translation/chooser.js';
import type { FlowPolicy, FlowRule } from '../api/flow-types.js';
import { ruleText } from '../policies/note-text.js';
import type { PolicyAnswer, PolicyNote, PolicyQuestion } from '../policies/types.js';
import { addressText, hasPorts } from './flow-entry.js';

export interface FlowPolicyParts {
  noteOf(note: number): PolicyNote | undefined;
  judge(question: PolicyQuestion): PolicyAnswer;
}

/** null: no policy was asked, or the decision is just being made. */
export function flowPolicy(row: FlowRow, parts: FlowPolicyParts): FlowPolicy | null {
  const { kind, generation } = row.decision;
  if (generation < 0 || (kind & (DECISION.ADMIT | DECISION.REFUSE)) === 0) return null;
  const verdict = (kind & DECISION.REFUSE) === 0 ? 'allowed' : 'refused';
  const { egress, ingress } = (kind & DECISION.TRANSLATE) === 0 ? noted(row, parts) : judged(row, parts);
  return { verdict, egress: asRule(egress), ingress: asRule(ingress) };
}

interface Notes {
  readonly egress: PolicyNote | undefined;
  readonly ingress: PolicyNote | undefined;
}

function noted({ decision: { target, argument } }: FlowRow, parts: FlowPolicyParts): Notes {
  return { egress: parts.noteOf(target), ingress: parts.noteOf(argument) };
}

function judged({ protocol, original, reply }: FlowRow, parts: FlowPolicyParts): Notes {
  const { egress, ingress } = parts.judge({
    from: { address: addressText(original.source) },
    to: { address: addressText(reply.source) },
    protocol,
    ...(hasPorts(protocol) && { port: reply.sourcePort }),
  });
  return { egress: egress.note, ingress: ingress.note };
}

function asRule(note: PolicyNote | undefined): FlowRule | null {
  return note ? { rule: ruleText(note), note } : null;
}

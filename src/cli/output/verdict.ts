/** What policies say of a connection, in the words of tables. */
import type { FlowVerdict } from '../../control/api/what-if-types.js';
import { ruleText } from '../../control/policies/note-text.js';
import type { PolicyVerdict } from '../../control/policies/types.js';

/** `refused: ingress, no rule of NetworkPolicy shop/db`, `allowed: nothing selects it`. */
export function verdictText({
  allowed,
  egress,
  ingress,
}: Pick<FlowVerdict, 'allowed' | 'egress' | 'ingress'>) {
  if (allowed) return `allowed: ${reasonsText(egress, ingress)}`;
  const way = egress.allowed ? 'ingress' : 'egress';
  return `refused: ${way}, ${reasonText(egress.allowed ? ingress : egress)}`;
}

/** Of both directions, where both say something. */
function reasonsText(egress: PolicyVerdict, ingress: PolicyVerdict): string {
  const said = [
    ...(egress.note === undefined ? [] : [`egress, ${ruleText(egress.note)}`]),
    ...(ingress.note === undefined ? [] : [`ingress, ${ruleText(ingress.note)}`]),
  ];
  if (said.length > 0) return said.join('; ');
  const known = [egress, ingress].find(({ reason }) => reason === 'own-node' || reason === 'self');
  return reasonText(known ?? egress);
}

function reasonText({ reason, note }: PolicyVerdict): string {
  if (note !== undefined) return ruleText(note);
  if (reason === 'own-node') return 'a pod and its own node';
  if (reason === 'self') return 'a pod and itself';
  return reason === 'policy' ? 'no rule decides' : 'nothing selects it';
}

/** /v1/drops. */
import { invalid } from '../errors.js';
import { RECENT_DROPS } from '../policies/drops.js';
import type { DropsAnswer, RecentDropsAnswer } from './drop-types.js';
import type { Route } from './routes.js';

export interface DropsSource {
  drops(): DropsAnswer;
  /** @param limit how many at most. */
  recentDrops(limit: number): RecentDropsAnswer;
}

export function dropRoutes(source: () => DropsSource): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/drops',
      summary: 'dropped packets by reason and port, those that policies refused by rule too',
      answer: 'Drops',
      handle: () => ({ body: source().drops() }),
    },
    {
      method: 'GET',
      path: '/v1/drops/recent',
      summary: 'the last packets that policies refused, the latest first',
      query: { limit: `how many at most: 1 to ${RECENT_DROPS.most}, without it ${RECENT_DROPS.usual}` },
      answer: 'RecentDrops',
      handle: ({ query }) => ({ body: source().recentDrops(limitOf(query.get('limit'))) }),
    },
  ];
}

function limitOf(text: string | null): number {
  if (text === null) return RECENT_DROPS.usual;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= RECENT_DROPS.most) return number;
  throw invalid('limit', `'${text}' is not a number from 1 to ${RECENT_DROPS.most}`);
}

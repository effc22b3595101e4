import { against, type Case, CONTENT, type Opinion } from './opinion.ts';
import type { Rules } from './types.ts';
import { matchesAny } from './wildcard.ts';

/** By where the configuration takes the repository from; nothing in an image can say anything about that. */
export function judgeRegistry(rule: Rules['registries'], { registry }: Case): Opinion {
  if (!rule) return CONTENT;
  if (registry !== undefined && matchesAny(rule.allow, registry)) return CONTENT;
  return against('registries', `images of ${registry ?? 'an unknown registry'} are not allowed here`);
}

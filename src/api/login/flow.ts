import { z } from 'zod';
import type { Seal } from '../../auth/index.ts';

/** A sign-in that a browser went to a provider for. It is kept, sealed, by that browser alone. */
const flowShape = z.strictObject({
  /** The provider's id: an answer of another one is not taken (mix-up, RFC 9700 chapter 4.4). */
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  next: z.string(),
  untilMs: z.number(),
});
export type Flow = z.infer<typeof flowShape>;

/** Bound to its purpose, so that nothing else we seal can be shown in its place. */
const PURPOSE = 'sign-in by a provider';

export function sealFlow(seal: Seal, flow: Flow): string {
  return Buffer.from(seal.close(JSON.stringify(flow), PURPOSE)).toString('base64url');
}

/** @returns `undefined` when there is none, it was not sealed by us, it is of another provider, or too old. */
export function openFlow(
  seal: Seal,
  cookie: string | undefined,
  { provider, nowMs }: { readonly provider: string; readonly nowMs: number },
): Flow | undefined {
  const flow = cookie === undefined ? undefined : unseal(seal, cookie);
  if (!flow || flow.provider !== provider || flow.untilMs <= nowMs) return undefined;
  return flow;
}

function unseal(seal: Seal, cookie: string): Flow | undefined {
  try {
    const value: unknown = JSON.parse(seal.open(Buffer.from(cookie, 'base64url').toString(), PURPOSE));
    return flowShape.parse(value);
  } catch {
    // Not sealed by us, or changed.
    return undefined;
  }
}

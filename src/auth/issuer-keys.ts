import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { type Clock, createSingleFlight, MINUTE_MS, SECOND_MS } from '../base/index.ts';

/**
 * Port: a JSON document over https, of bounded size and time and without redirects; implemented by `app/`.
 * @throws whatever keeps it from being had.
 */
export type FetchDocument = (url: string) => Promise<unknown>;

/** The public keys of one issuer of workload tokens. */
export interface IssuerKeys {
  /**
   * @param kid of the token that is to be checked: one that is not known is looked for anew, but not more often
   *   than every 30 seconds whoever asks.
   * @throws whatever keeps the keys from being had, when there are none that are new enough.
   */
  find(kid: string | undefined): Promise<JWTVerifyGetKey>;
}

/** Keys are read again after so long. */
const FRESH_MS = 10 * MINUTE_MS;
/** While the issuer is away, keys are used for so long. */
const USABLE_MS = 24 * 60 * MINUTE_MS;
const FETCH_EVERY_MS = 30 * SECOND_MS;
const KEYS_MAX = 100;

interface Held {
  readonly keys: JSONWebKeySet;
  readonly atMs: number;
}

/** @see OpenID Connect Discovery 1.0, chapter 4: the document's `issuer` must be the one that was asked. */
export function createIssuerKeys(
  issuer: string,
  parts: { readonly fetchDocument: FetchDocument; readonly clock: Clock },
): IssuerKeys {
  const { fetchDocument, clock } = parts;
  const alone = createSingleFlight<void>();
  let held: Held | undefined;
  let triedAtMs = Number.NEGATIVE_INFINITY;

  async function fetchKeys(): Promise<void> {
    if (clock.monotonicMs() - triedAtMs < FETCH_EVERY_MS) return;
    triedAtMs = clock.monotonicMs();
    const document = await fetchDocument(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    if (textIn(document, 'issuer') !== issuer) throw new Error('the discovery document names another issuer');
    const url = textIn(document, 'jwks_uri');
    if (url === undefined) throw new Error('the discovery document names no keys');
    held = { keys: publicKeys(await fetchDocument(url)), atMs: clock.monotonicMs() };
  }

  return {
    async find(kid) {
      const ageMs = held === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() - held.atMs;
      const isKnown = held?.keys.keys.some((key) => key.kid === kid) === true;
      if (ageMs >= FRESH_MS || !isKnown) {
        await alone('keys', fetchKeys).catch((error: unknown) => {
          // What is held still verifies: an issuer that is away for an hour must not stop every build.
          if (held === undefined || ageMs >= USABLE_MS) throw error;
        });
      }
      if (held === undefined || clock.monotonicMs() - held.atMs >= USABLE_MS) {
        throw new Error('the keys of the issuer could not be read');
      }
      return createLocalJWKSet(held.keys);
    },
  };
}

/** Only public, asymmetric signing keys: a secret in a published set would let whoever reads it sign (T-02). */
function publicKeys(document: unknown): JSONWebKeySet {
  const list =
    typeof document === 'object' && document !== null && 'keys' in document ? document.keys : undefined;
  if (!Array.isArray(list)) throw new Error('the key set holds no keys');
  const keys = list.slice(0, KEYS_MAX).filter((key) => {
    const kty = textIn(key, 'kty');
    return (kty === 'RSA' || kty === 'EC' || kty === 'OKP') && textIn(key, 'd') === undefined;
  });
  return { keys };
}

function textIn(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  const found: unknown = Reflect.get(value, key);
  return typeof found === 'string' ? found : undefined;
}

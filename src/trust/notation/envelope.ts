import { flattenedVerify } from 'jose';
import { type JsonValue, parseStrictJson } from '../../oci/index.ts';
import { memberOf, textOf } from '../members.ts';
import { algorithmOf, type Chain, readChain } from './chain.ts';

/** What an envelope says whose signature is whole. Who made it is not decided yet. */
export interface Envelope {
  readonly chain: Chain;
  readonly scheme: 'notary.x509' | 'notary.x509.signingAuthority';
  /** As the signer says, in milliseconds; of a signing authority it is believed. */
  readonly atMs: number;
  /** The signer's "best by use". */
  readonly expiryMs: number | undefined;
  readonly payload: JsonValue;
}

const CONTENT_TYPE = 'application/vnd.cncf.notary.payload.v1+json';
const PREFIX = 'io.cncf.notary.';
const SCHEME = `${PREFIX}signingScheme`;
const EXPIRY = `${PREFIX}expiry`;
const AUTHENTIC_TIME = `${PREFIX}authenticSigningTime`;
const UNDERSTOOD = [SCHEME, EXPIRY, AUTHENTIC_TIME];
const MEMBERS: ReadonlySet<string> = new Set(['payload', 'protected', 'header', 'signature']);
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Reads a JWS envelope, and verifies its signature by the first certificate that it brings.
 *
 * @throws {Error} anything is not as the specification has it, or does not verify; says what.
 * @see notaryproject/specifications, signature-envelope-jws.md and signing-scheme.md.
 */
export async function openEnvelope(bytes: Uint8Array): Promise<Envelope> {
  const jws = jsonOf(bytes);
  if (typeof jws !== 'object' || jws === null || !Object.keys(jws).every((key) => MEMBERS.has(key))) {
    throw new Error('it is no JWS of one signature');
  }
  const payload = textOf(memberOf(jws, 'payload')) ?? '';
  const protectedPart = textOf(memberOf(jws, 'protected')) ?? '';
  const signature = textOf(memberOf(jws, 'signature')) ?? '';
  const header = jsonOf(Buffer.from(protectedPart, 'base64url'));
  const chain = readChain(certificatesOf(memberOf(jws, 'header', 'x5c')));
  const algorithm = algorithmOf(chain[0]);
  // The library knows "b64" as well, which here nobody may ask for; so the list is looked at before.
  const attributes = readAttributes(header);
  const verified = await flattenedVerify(
    { payload, protected: protectedPart, signature },
    chain[0].x509.publicKey,
    { algorithms: [algorithm], crit: Object.fromEntries(UNDERSTOOD.map((name) => [name, true])) },
  );
  return { chain, ...attributes, payload: jsonOf(verified.payload) };
}

/** What is signed beside the payload. Any attribute that must be understood and is not fails the whole (threat V-33). */
function readAttributes(header: JsonValue): Omit<Envelope, 'chain' | 'payload'> {
  if (memberOf(header, 'cty') !== CONTENT_TYPE) throw new Error('its content is of another type');
  const critical = memberOf(header, 'crit');
  if (!Array.isArray(critical)) throw new Error('it does not say what is critical');
  const isCritical = (name: string): boolean => critical.includes(name);
  const unknown = critical.filter((name) => typeof name !== 'string' || !UNDERSTOOD.includes(name));
  if (unknown.length > 0) throw new Error('it has a critical attribute that is not understood');
  // A plugin was to decide more than is signed here, also where its name is not marked as critical.
  if (memberOf(header, `${PREFIX}verificationPlugin`) !== undefined) throw new Error('it needs a plugin');
  const scheme = memberOf(header, SCHEME);
  const isAuthority = scheme === 'notary.x509.signingAuthority';
  if ((scheme !== 'notary.x509' && !isAuthority) || !isCritical(SCHEME)) {
    throw new Error('its signing scheme is not known');
  }
  const expiryMs = timeOf(header, EXPIRY);
  if ((expiryMs !== undefined) !== isCritical(EXPIRY)) throw new Error('its expiry is not critical');
  const authenticMs = timeOf(header, AUTHENTIC_TIME);
  const isAsSchemeWants =
    (authenticMs !== undefined) === isAuthority && isCritical(AUTHENTIC_TIME) === isAuthority;
  const atMs = isAuthority ? authenticMs : timeOf(header, `${PREFIX}signingTime`);
  if (!isAsSchemeWants || atMs === undefined)
    throw new Error('its time of signing is not as its scheme wants it');
  return { scheme, atMs, expiryMs };
}

/** @throws {Error} it is there, and no time of RFC 3339. */
function timeOf(header: JsonValue, name: string): number | undefined {
  const value = memberOf(header, name);
  if (value === undefined) return undefined;
  const timeMs = typeof value === 'string' && RFC3339.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new Error(`${name} is no time`);
  return timeMs;
}

function certificatesOf(x5c: JsonValue | undefined): readonly Buffer[] {
  if (!Array.isArray(x5c)) throw new Error('it brings no certificates');
  return x5c.map((one) => {
    if (typeof one !== 'string' || !BASE64.test(one)) throw new Error('a certificate is not in base64');
    return Buffer.from(one, 'base64');
  });
}

function jsonOf(bytes: Uint8Array): JsonValue {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new Error('it is no JSON');
  return json.value;
}

import { type Digest, type JsonValue, parseDigest, parseStrictJson } from '../oci/index.ts';
import { readPurl } from './purl.ts';

/** One vulnerability of one image that somebody states to be none. */
export interface Excuse {
  readonly finding: string;
  readonly digest: Digest;
  /** `name` or `name@version`: only in this package; absent: wherever in the image. */
  readonly package?: string;
  /** `not_affected, vulnerable_code_not_present: the plugin is left out of the build`. */
  readonly why: string;
}

export type VexResult =
  | {
      readonly ok: true;
      readonly id: string;
      readonly author: string;
      readonly excuses: readonly Excuse[];
      /** Products that are not named by a digest, or by a part that cannot be told: they excuse nothing here. */
      readonly unnamed: number;
    }
  | { readonly ok: false; readonly problem: string };

const CONTEXT = /^https:\/\/openvex\.dev\/ns(?:\/v0\.[0-9.]+)?$/;
const EXCUSING = ['not_affected', 'fixed'];
const STATUSES = [...EXCUSING, 'affected', 'under_investigation'];
const EXCUSES_MAX = 1000;
/** `CVE-2026-1`, `GHSA-…`, `GO-2026-1`. What else can be found, such as a secret, bears a name in small letters. */
const VULNERABILITY = /^[A-Z][A-Z0-9]{1,19}-[\w.:-]{1,100}$/;

type Members = { readonly [key: string]: JsonValue };

/**
 * Reads an OpenVEX document as exceptions. A statement counts for images that it names by digest and no others; a later
 * statement takes back what an earlier one excused.
 *
 * @see OpenVEX specification 0.2.0, "Statements" and "Product".
 */
export function parseOpenVex(text: string): VexResult {
  const json = parseStrictJson(new TextEncoder().encode(text));
  if (!json.ok) return { ok: false, problem: `is not strict JSON: ${json.problem}` };
  const document = membersOf(json.value);
  const { '@context': context, '@id': id, author, timestamp, statements } = document;
  if (typeof context !== 'string' || !CONTEXT.test(context)) {
    return { ok: false, problem: '@context: is not that of OpenVEX' };
  }
  if (typeof id !== 'string' || typeof author !== 'string' || instantOf(timestamp) === undefined) {
    return { ok: false, problem: 'must have @id, author and timestamp' };
  }
  if (!Array.isArray(statements)) return { ok: false, problem: 'statements: must be a list' };
  return read({ id, author, madeAtMs: instantOf(timestamp) ?? 0 }, statements.map(membersOf));
}

function read(
  { id, author, madeAtMs }: { readonly id: string; readonly author: string; readonly madeAtMs: number },
  statements: readonly Members[],
): VexResult {
  const strange = statements.find(({ status }) => typeof status !== 'string' || !STATUSES.includes(status));
  if (strange) return { ok: false, problem: `statements: status must be one of ${STATUSES.join(', ')}` };
  let excuses: readonly Excuse[] = [];
  let unnamed = 0;
  const atMs = (statement: Members) => instantOf(statement.timestamp) ?? madeAtMs;
  for (const statement of statements.toSorted((left, right) => atMs(left) - atMs(right))) {
    const { places, strangers } = placesOf(statement);
    unnamed += strangers;
    const why = whyOf(statement);
    const stated = places.flatMap((place) =>
      namesOf(statement.vulnerability).map((finding) => ({ ...place, finding, why })),
    );
    excuses = excuses.filter((earlier) => !stated.some((later) => isTakenBack(earlier, later)));
    if (EXCUSING.includes(String(statement.status))) excuses = [...excuses, ...stated];
    if (excuses.length > EXCUSES_MAX) {
      return {
        ok: false,
        problem: `statements: excuse more than ${EXCUSES_MAX} findings: split the document`,
      };
    }
  }
  return { ok: true, id, author, excuses, unnamed };
}

/** What is said of the whole image goes for its parts, and what is said of a part cannot be true of the whole. */
function isTakenBack(earlier: Excuse, later: Excuse): boolean {
  const isSame = earlier.finding === later.finding && earlier.digest === later.digest;
  const isWithin = !later.package || !earlier.package || later.package === earlier.package;
  return isSame && isWithin;
}

type Place = Pick<Excuse, 'digest' | 'package'>;

function placesOf({ products }: Members): { readonly places: readonly Place[]; readonly strangers: number } {
  const places: Place[] = [];
  let strangers = 0;
  for (const value of Array.isArray(products) ? products : []) {
    const product = typeof value === 'string' ? { '@id': value } : membersOf(value);
    const digest = digestOf(product);
    const parts = Array.isArray(product.subcomponents) ? product.subcomponents : undefined;
    if (!digest) strangers += 1;
    else if (!parts) places.push({ digest });
    else {
      for (const part of parts) {
        const name = packageOf(typeof part === 'string' ? { '@id': part } : membersOf(part));
        if (name === undefined) strangers += 1;
        else places.push({ digest, package: name });
      }
    }
  }
  return { places, strangers };
}

/** `pkg:oci/app@sha256%3A…`, or a hash beside another name. */
function digestOf(product: Members): Digest | undefined {
  const { 'sha-256': hash } = membersOf(product.hashes);
  const hashed = typeof hash === 'string' ? parseDigest(`sha256:${hash}`) : undefined;
  const purls = purlsOf(product).filter((purl) => purl.type === 'oci');
  return hashed ?? purls.flatMap(({ version }) => parseDigest(version ?? '') ?? [])[0];
}

function packageOf(part: Members): string | undefined {
  const [purl] = purlsOf(part);
  return purl && (purl.version === undefined ? purl.name : `${purl.name}@${purl.version}`);
}

function purlsOf(component: Members) {
  return [component['@id'], membersOf(component.identifiers).purl].flatMap((text) => {
    const purl = typeof text === 'string' ? readPurl(text) : undefined;
    return purl ? [purl] : [];
  });
}

function namesOf(vulnerability: JsonValue | undefined): readonly string[] {
  if (typeof vulnerability === 'string') return [vulnerability];
  const { name, aliases } = membersOf(vulnerability);
  const all = [name, ...(Array.isArray(aliases) ? aliases : [])];
  return all.filter((one): one is string => typeof one === 'string' && VULNERABILITY.test(one));
}

function whyOf({ status, justification, impact_statement: impact }: Members): string {
  const reasons = [status, justification].filter((one) => typeof one === 'string').join(', ');
  return typeof impact === 'string' ? `${reasons}: ${impact}` : reasons;
}

function instantOf(value: JsonValue | undefined): number | undefined {
  const atMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

function membersOf(value: JsonValue | undefined): Members {
  const isObject = (one: unknown): one is Members =>
    typeof one === 'object' && one !== null && !Array.isArray(one);
  return isObject(value) ? value : {};
}

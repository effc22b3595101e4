import { StartError } from '../../base/index.ts';

/** Attributes of a distinguished name that must all be in a certificate's subject, with exactly these values. */
export type SubjectName = ReadonlyMap<string, string>;

const PREFIX = 'x509.subject:';
/** Without them a name is so loose that another company of the same authority may bear it. */
const REQUIRED = ['C', 'ST', 'O'];
const ATTRIBUTE = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*(.*)$/s;
/** Up to the next comma that is not escaped. */
const PART = /(?:\\.|[^\\,])+/gs;

/**
 * Reads an entry of `trustedIdentities`: `x509.subject: C=US, ST=WA, O=acme, CN=release`.
 *
 * @returns `any` for `*`.
 * @throws {StartError} it is no such entry, names an attribute twice, or leaves out C, ST or O.
 * @see notaryproject/specifications, trust-store-trust-policy.md, "Trusted Identities Constraints"; RFC 4514.
 */
export function readSubjectName(entry: string, where: string): SubjectName | 'any' {
  if (entry === '*') return 'any';
  if (!entry.startsWith(PREFIX)) {
    throw new StartError(`${where} is "${entry}": write * or "${PREFIX} C=.., ST=.., O=.., CN=.."`);
  }
  const found = new Map<string, string>();
  for (const part of entry.slice(PREFIX.length).match(PART) ?? []) {
    const [, name = '', value = ''] = ATTRIBUTE.exec(part) ?? [];
    const key = name === 'S' ? 'ST' : name;
    // "+" joins attributes to one: which of the two was meant is not for us to guess.
    if (key === '' || /(?<!\\)[+"]/.test(value))
      throw new StartError(`${where}: "${part.trim()}" is no attribute`);
    if (found.has(key)) throw new StartError(`${where} names ${key} twice`);
    found.set(key, value.trim().replace(/\\(.)/gs, '$1'));
  }
  const missing = REQUIRED.filter((name) => !found.get(name));
  if (missing.length > 0) throw new StartError(`${where} lacks ${missing.join(', ')} of the subject`);
  return found;
}

/**
 * Whether the subject of a certificate has all attributes of the name.
 *
 * @param subject as `X509Certificate.toLegacyObject()` gives it; an attribute that is there twice fits nothing.
 */
export function bears(subject: object, name: SubjectName): boolean {
  return [...name].every(
    ([key, value]) => Object.hasOwn(subject, key) && Reflect.get(subject, key) === value,
  );
}

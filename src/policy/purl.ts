/** What names a package. */
export interface Purl {
  readonly type: string;
  /** As scanners name it: `openssl`, `@scope/name`, `github.com/corp/app`, `org.corp:app`. */
  readonly name: string;
  readonly version?: string;
}

/** Their namespace is a distribution, which is no part of the name. */
const DISTRIBUTIONS = ['deb', 'apk', 'rpm', 'alpm'];

/**
 * Reads a package URL; qualifiers and subpath are left out.
 *
 * @returns `undefined` when it is none.
 * @see package-url/purl-spec, PURL-SPECIFICATION.rst.
 */
export function readPurl(text: string): Purl | undefined {
  const match = /^pkg:\/*([a-z][a-z0-9.+-]*)\/([^?#@]+)(?:@([^?#@]+))?(?:[?#].*)?$/i.exec(text);
  const [type = '', path = '', version] = match?.slice(1) ?? [];
  try {
    const parts = path.split('/').map(decodeURIComponent);
    const name = parts.at(-1);
    if (!match || !name) return undefined;
    return {
      type: type.toLowerCase(),
      name: nameOf(type.toLowerCase(), parts.slice(0, -1).join('/'), name),
      ...(version === undefined ? {} : { version: decodeURIComponent(version) }),
    };
  } catch {
    // A percent sign that escapes nothing.
    return undefined;
  }
}

function nameOf(type: string, namespace: string, name: string): string {
  if (namespace === '' || DISTRIBUTIONS.includes(type)) return name;
  return `${namespace}${type === 'maven' ? ':' : '/'}${name}`;
}

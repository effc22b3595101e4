import { isPlausiblePassword, isRandomEnough, isSampleHost } from './plausible.ts';
import { describePrivateKey } from './private-keys.ts';
import type { SecretMatch, SecretRule } from './secret-rule.ts';
import { isSettingsFile } from './test-material.ts';

const WHOLE_TEXT = { before: 0, after: 0 };

/** Kinds of secrets that secretlint's preset does not know, or finds too much or too little of. */
export const OWN_RULES: readonly SecretRule[] = [
  {
    id: 'aws-access-key-pair',
    severity: 'critical',
    title: 'AWS access key with its secret',
    keywords: ['AKIA', 'ASIA'],
    reach: { before: 300, after: 320 },
    find: findAwsPairs,
  },
  {
    id: 'private-key',
    severity: 'high',
    title: 'Private key',
    keywords: ['PRIVATE KEY-----'],
    reach: { before: 32, after: 14_500 },
    find: findPrivateKeys,
  },
  {
    id: 'gcp-service-account-key',
    severity: 'critical',
    title: 'Google Cloud service account key',
    keywords: ['"private_key_id"'],
    reach: { before: 4096, after: 8192 },
    find: findGcpServiceAccounts,
  },
  tokenRule({
    id: 'gcp-api-key',
    severity: 'high',
    title: 'Google API key',
    keywords: ['AIza'],
    pattern: /(?<![\w-])(AIza)([\w-]{35})(?![\w-])/g,
  }),
  tokenRule({
    id: 'google-oauth-client-secret',
    severity: 'high',
    title: 'Google OAuth client secret',
    keywords: ['GOCSPX-'],
    pattern: /(?<![\w-])(GOCSPX-)([\w-]{28})(?![\w-])/g,
  }),
  tokenRule({
    id: 'azure-storage-account-key',
    severity: 'critical',
    title: 'Azure storage account key',
    keywords: ['AccountKey=', 'SharedAccessKey='],
    // The key of the storage emulator is the same for everybody, and printed in its manual.
    pattern: /((?:Account|SharedAccess)Key=)(?!Eby8vdM02xNOcqF)([A-Za-z0-9+/]{43,86}={1,2})/g,
  }),
  {
    id: 'docker-config-auth',
    severity: 'critical',
    title: 'Registry password in a docker configuration',
    keywords: ['"auth"'],
    reach: { before: 8, after: 4200 },
    find: findDockerAuths,
  },
  tokenRule({
    id: 'pypi-token',
    severity: 'critical',
    title: 'PyPI upload token',
    keywords: ['pypi-AgE'],
    pattern: /(?<![\w-])(pypi-AgE)([\w-]{60,300})(?![\w-])/g,
  }),
  tokenRule({
    id: 'huggingface-token',
    severity: 'high',
    title: 'Hugging Face token',
    keywords: ['hf_'],
    pattern: /(?<![\w-])(hf_)([A-Za-z0-9]{34})(?![\w-])/g,
  }),
  tokenRule({
    id: 'stripe-live-key',
    severity: 'critical',
    title: 'Stripe live key',
    keywords: ['sk_live_', 'rk_live_'],
    pattern: /(?<!\w)([sr]k_live_)([A-Za-z0-9]{24,120})(?!\w)/g,
  }),
  tokenRule({
    id: 'digitalocean-token',
    severity: 'critical',
    title: 'DigitalOcean token',
    keywords: ['dop_v1_', 'doo_v1_', 'dor_v1_'],
    pattern: /(?<!\w)(do[opr]_v1_)([a-f0-9]{64})(?!\w)/g,
  }),
  tokenRule({
    id: 'age-secret-key',
    severity: 'high',
    title: 'age secret key',
    keywords: ['AGE-SECRET-KEY-1'],
    pattern: /(AGE-SECRET-KEY-1)([QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})/g,
  }),
  {
    id: 'pgp-private-key',
    severity: 'high',
    title: 'PGP private key',
    keywords: ['-----BEGIN PGP PRIVATE KEY BLOCK-----'],
    reach: { before: 0, after: 15_000 },
    find: findPgpKeys,
  },
  {
    id: 'url-with-password',
    severity: 'high',
    title: 'Address with a user name and password',
    keywords: ['http://', 'https://', 'ftp://', 'amqp://', 'amqps://', 'redis://', 'rediss://', 'ldap://'],
    reach: { before: 0, after: 300 },
    appliesTo: (origin) => !origin.isBinary,
    find: findUrlPasswords,
  },
  {
    id: 'kubernetes-token',
    severity: 'high',
    title: 'Kubernetes service account token',
    keywords: ['eyJhbGciOi'],
    reach: { before: 0, after: 3000 },
    find: findServiceAccountTokens,
  },
  {
    id: 'netrc-password',
    severity: 'high',
    title: 'Password in a .netrc file',
    keywords: [],
    reach: WHOLE_TEXT,
    appliesTo: (origin) => /(?:^|\/)[._]netrc$/.test(origin.path),
    find: (window) => findPattern(window, /\bpassword\s+(\S{4,200})/g, () => ''),
  },
  {
    id: 'pgpass-password',
    severity: 'high',
    title: 'Password in a .pgpass file',
    keywords: [],
    reach: WHOLE_TEXT,
    appliesTo: (origin) => /(?:^|\/)\.pgpass$/.test(origin.path),
    find: (window) => findPattern(window, /^[^#:\n]+:[\d*]+:[^:\n]+:[^:\n]+:(\S+)$/gm, () => ''),
  },
  {
    id: 'password-assignment',
    severity: 'high',
    title: 'Password in a configuration file',
    keywords: [],
    reach: WHOLE_TEXT,
    appliesTo: isSettingsFile,
    find: findAssignments,
  },
];

function tokenRule(rule: Omit<SecretRule, 'reach' | 'find'> & { readonly pattern: RegExp }): SecretRule {
  const { pattern, ...rest } = rule;
  return {
    ...rest,
    reach: { before: 8, after: 320 },
    find: (window) =>
      findPattern(window, pattern, (match) =>
        isRandomEnough(match[2] ?? '') ? `${match[1]}...` : undefined,
      ),
  };
}

function* findPattern(
  window: string,
  pattern: RegExp,
  hintOf: (match: RegExpExecArray) => string | undefined,
): Generator<SecretMatch> {
  for (const match of window.matchAll(pattern)) {
    const hint = hintOf(match);
    if (hint !== undefined) yield { start: match.index, end: match.index + match[0].length, hint };
  }
}

/** An identifier alone is no secret; forty random characters beside it are. */
function* findAwsPairs(window: string): Generator<SecretMatch> {
  for (const id of window.matchAll(/(?<![A-Za-z0-9+/])A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9+/=])/g)) {
    if (!isRandomEnough(id[0].slice(4), 2.5)) continue;
    const near = window.slice(Math.max(0, id.index - 300), id.index + 320);
    const secrets = near.matchAll(/(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g);
    // A git or SHA-1 hash is forty characters, too, but hexadecimal.
    const isPair = Array.from(secrets).some(
      ([text]) => isRandomEnough(text, 4) && !/^[a-f0-9]+$/i.test(text) && /[A-Z]/.test(text),
    );
    if (isPair) {
      yield {
        start: id.index,
        end: id.index + id[0].length,
        hint: `${id[0].slice(0, 4)}...${id[0].slice(-4)}`,
      };
    }
  }
}

function* findPrivateKeys(window: string): Generator<SecretMatch> {
  const pattern =
    /-----BEGIN ?(?:(?:RSA|DSA|EC|OPENSSH) )?PRIVATE KEY-----[A-Za-z0-9+/=\s\\"]{48,14000}-----END /g;
  yield* findPattern(window, pattern, (match) => describePrivateKey(match[0]));
}

function* findGcpServiceAccounts(window: string): Generator<SecretMatch> {
  const pattern = /"private_key"\s*:\s*"(-----BEGIN [^"]{100,6000})"/g;
  yield* findPattern(window, pattern, (match) => describePrivateKey(match[1] ?? ''));
}

/** `"auth"` is the base64 of `user:password`; a credential helper leaves it empty. */
function* findDockerAuths(window: string): Generator<SecretMatch> {
  const pattern = /"auth"\s*:\s*"([A-Za-z0-9+/]{8,4000}={0,2})"/g;
  yield* findPattern(window, pattern, (match) => {
    const pair = /^([^:\s]+):(.+)$/s.exec(Buffer.from(match[1] ?? '', 'base64').toString('latin1'));
    const password = pair?.[2] ?? '';
    return /^[\x20-\x7e]{4,}$/.test(password) && !/^(?:pass(?:word|wd)?|secret|test)$/i.test(password)
      ? 'user name and password'
      : undefined;
  });
}

/** Packet tag 5 (secret key), in the old or the new packet format. @see RFC 9580, sections 4.2 and 6.2 */
function* findPgpKeys(window: string): Generator<SecretMatch> {
  const pattern =
    /-----BEGIN PGP PRIVATE KEY BLOCK-----((?:[^-]|-(?!----)){100,15000})-----END PGP PRIVATE KEY BLOCK-----/g;
  yield* findPattern(window, pattern, (match) => {
    const body =
      (match[1] ?? '')
        // Also as strings of a program, one a line.
        .replace(/\\n(?:"\s*")?/g, '\n')
        .split(/\n\s*\n/)
        .at(-1) ?? '';
    const first = Buffer.from(body.replace(/[^A-Za-z0-9+/=]/g, '').slice(0, 8), 'base64')[0] ?? 0;
    const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
    return (first & 0x80) !== 0 && tag === 5 ? 'secret key' : undefined;
  });
}

function* findUrlPasswords(window: string): Generator<SecretMatch> {
  // Addresses are everywhere, and next to none names a user.
  if (!window.includes('@')) return;
  const pattern =
    /\b(https?|ftp|amqps?|rediss?|ldap):\/\/([^\s:@/?#"'<>()]{0,100}):([^\s:@/?#"'<>()]{4,200})@([\w.-]+)/g;
  yield* findPattern(window, pattern, (match) => {
    const [, scheme = '', , password = '', host = ''] = match;
    return isPlausiblePassword(decodePercent(password)) && !isSampleHost(host)
      ? `${scheme}://...@${host}`
      : undefined;
  });
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded, then: a password with a bare % in it.
    return text;
  }
}

/** Sample JWTs are everywhere; one that Kubernetes signed for a service account is a real credential. */
function* findServiceAccountTokens(window: string): Generator<SecretMatch> {
  const pattern = /(?<![\w-])eyJhbGciOi[\w-]{10,500}\.([\w-]{20,2000})\.([\w-]{20,700})(?![\w-])/g;
  yield* findPattern(window, pattern, (match) => {
    const claims = Buffer.from(match[1] ?? '', 'base64url').toString('latin1');
    return claims.includes('system:serviceaccount:') && isRandomEnough(match[2] ?? '') ? '' : undefined;
  });
}

/** Members of JSON objects, and constants of PHP: several may stand on one line. */
const NAMED_VALUES: readonly RegExp[] = [
  /"([A-Za-z][\w.-]{0,60}?(?:password|passwd|secret(?:_?key)?|token|api_?key)|password|passwd|secret|token|api_?key)"\s{0,20}:\s{0,20}"([^\s"\\<>(){}[\]]{8,200})"/gi,
  /\bdefine\(\s{0,20}['"](\w{0,60}(?:PASSWORD|SECRET|TOKEN|API_KEY))['"]\s{0,20},\s{0,20}['"]([^\s'"\\]{8,200})['"]/g,
];

function* findAssignments(window: string): Generator<SecretMatch> {
  for (const pattern of NAMED_VALUES) {
    yield* findPattern(window, pattern, ([, name = '', value = '']) =>
      isPlausiblePassword(value) ? name : undefined,
    );
  }
  const pattern =
    /^[ \t]*(?:export[ \t]+|set[ \t]+)?["']?([A-Za-z][\w.-]{0,60}?)?(password|passwd|secret(?:_?key)?|token|api_?key)["']?[ \t]{0,20}(?::|=>|=)[ \t]{0,20}(["']?)([^\s"'#;,]{8,200})\3[ \t]*[;,]?[ \t]*(?:#.*)?\r?$/gim;
  yield* findPattern(window, pattern, (match) => {
    const [, prefix = '', word = '', , value = ''] = match;
    return isPlausiblePassword(value) && !/[()[\]{}\\]/.test(value) ? `${prefix}${word}` : undefined;
  });
}

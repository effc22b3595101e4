import type { Finding } from '../../policy/index.ts';
import type { Search } from './file-search.ts';
import type { ImageConfig } from './image-config.ts';
import { INSPECTOR } from './name.ts';
import { isStatedPassword } from './plausible.ts';
import { toSecretFinding } from './secret-finding.ts';

const LOCATION = 'config';

/**
 * Finds secrets in an image config; everybody who may pull the image may read it.
 * @see CIS Docker Benchmark 1.6, 4.10
 */
export function findConfigSecrets(config: ImageConfig, search: Search): readonly Finding[] {
  const labels = Object.entries(config.labels).map(([key, value]) => `${key}=${value}`);
  const texts = [...config.env, ...config.command, ...labels, ...config.history, ...config.otherTexts];
  return [
    ...searchTexts(texts, search),
    ...config.env.flatMap((entry) => judgeAssignment(entry, 'ENV')),
    ...labels.flatMap((entry) => judgeAssignment(entry, 'LABEL')),
    ...config.history.flatMap(judgeStep),
    ...judgeCommand(config.command.join(' '), 'the command'),
  ];
}

function searchTexts(texts: readonly string[], search: Search): readonly Finding[] {
  const origin = { path: LOCATION, isBinary: false };
  // As bytes, one character each, like the text of a file.
  const text = Buffer.from(texts.join('\n')).toString('latin1');
  return search(text, origin).map((found) => toSecretFinding({ found, origin }, LOCATION));
}

/** The last words of a name that holds a secret: `DB_PASSWORD`, `aws.secret.key`, `githubToken`. */
const SECRET_NAME =
  /(?:^|[_.-])(?:PASS|PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN|CREDENTIALS?|(?:API|SECRET|PRIVATE|ACCESS|AUTH|ENCRYPTION)_?KEY)$/i;
const SECRET_CAMEL_NAME =
  /[a-z0-9](?:Pass|Password|Passwd|Passphrase|Pwd|Secret|Token|Credentials?|(?:Api|Secret|Private|Access|Auth)Key)$/;
/** Shells keep the folder here. */
const HARMLESS_NAME = /^(?:OLD)?PWD$/;

function isSecretName(name: string): boolean {
  return (SECRET_NAME.test(name) || SECRET_CAMEL_NAME.test(name)) && !HARMLESS_NAME.test(name);
}

function judgeAssignment(entry: string, where: string): readonly Finding[] {
  const at = entry.indexOf('=');
  if (at < 1) return [];
  const name = entry.slice(0, at).trim();
  const value = entry
    .slice(at + 1)
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2');
  if (name.length > 200 || !isSecretName(name)) return [];
  return isStatedPassword(value) ? [passwordFinding(`${where} ${name}`, where)] : [];
}

const ASSIGNMENT =
  /(?:^|[\s|;&"'(])([A-Za-z_][\w.-]{0,100}=(?:"[^"\n]{1,500}"|'[^'\n]{1,500}'|[^\s"';&|)]{1,500}))/g;

function judgeStep(step: string): readonly Finding[] {
  const assignments = Array.from(step.matchAll(ASSIGNMENT), (match) => match[1] ?? '');
  return [
    ...assignments.flatMap((assignment) => judgeAssignment(assignment, 'build step')),
    ...judgeCommand(step, 'a build step'),
  ];
}

const COMMAND_PASSWORDS: readonly RegExp[] = [
  /(?:^|\s)--?(?:password|passwd|pass|token|secret|api-?key)(?:=|\s+)["']?([^\s"'-][^\s"']{3,200})/gi,
  /\bcurl\b[^\n]{0,500}?\s(?:-u|--user)[ =]?["']?[^\s:"']{1,100}:([^\s"']{4,200})/g,
  /\becho\s+["']?\w{1,64}:([^\s"'|]{4,200})["']?\s*\|\s*chpasswd\b/g,
];

function judgeCommand(text: string, where: string): readonly Finding[] {
  const isStated = COMMAND_PASSWORDS.some((pattern) =>
    Array.from(text.matchAll(pattern)).some((match) => isStatedPassword(match[1] ?? '')),
  );
  return isStated ? [passwordFinding(where, 'command')] : [];
}

function passwordFinding(what: string, where: string): Finding {
  const isEnvironment = where === 'ENV' || where === 'LABEL';
  return {
    kind: 'secret',
    id: isEnvironment ? 'password-in-env' : 'password-in-history',
    severity: 'high',
    title: `${what} holds a secret that everybody who pulls can read: change it, hand it in at run time`,
    by: INSPECTOR,
    location: LOCATION,
  };
}

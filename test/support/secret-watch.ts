import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { HttpAnswer, HttpOptions } from './dockgate.ts';

/** Shorter ones are no secrets, and stand in other words by chance. */
const LENGTH_MIN = 10;
/** Files that are there to hold a secret, readable by their owner alone, and content that callers pushed. */
const KEPT = /^(admin-password|keys\/|content\/|uploads\/)/;
/** Members of answers that hand out a secret. */
const SECRET_MEMBER =
  /^(token|access_token|refresh_token|refreshToken|secret|password|seed|uri|otpauth|codes|recoveryCodes)$/;
const GENERATED = /\bdg[a-z]{1,3}_[A-Za-z0-9_-]{20,}/g;

/** All secrets that a test shows to a server or gets from it: none may be in what the server writes. */
export interface SecretWatch {
  request(options: HttpOptions, answer: HttpAnswer): void;
  command(input: string | undefined, output: string): void;
  /** @throws {Error} a secret is in a file below the data directory, or in the output. It is named by its beginning. */
  look(data: string, output: string): void;
}

export function watchSecrets(): SecretWatch {
  const secrets = new Map<string, string>();
  const add = (what: string, secret: string | undefined): void => {
    if (secret !== undefined && secret.length >= LENGTH_MIN) secrets.set(secret, what);
  };
  const addBasic = (basic: string): void => {
    add('the password of a request', basic.slice(basic.indexOf(':') + 1));
    add('the Authorization header of a request', Buffer.from(basic).toString('base64'));
  };
  return {
    request({ basic, token, headers = {} }, answer) {
      if (basic?.includes(':')) addBasic(basic);
      add('the token of a request', token);
      for (const [name, value] of Object.entries(headers)) {
        if (/^(authorization|cookie|proxy-authorization)$/i.test(name)) {
          add(`the ${name} of a request`, value.replace(/^\S+ /, '').replace(/^[^=;]+=/, ''));
        }
      }
      for (const cookie of [answer.headers['set-cookie'] ?? []].flat()) {
        add('a cookie of an answer', /=([^;]*)/.exec(cookie)?.[1]);
      }
      for (const secret of secretsIn(answer)) add('a secret in an answer', secret);
    },
    command(input, output) {
      if (input !== undefined && !/[{\n]./.test(input)) add('what a command read', input.trim());
      for (const [secret] of output.matchAll(GENERATED)) add('what a command printed', secret);
    },
    look(data, output) {
      for (const [secret, what] of secrets) {
        if (output.includes(secret))
          throw new Error(`${what} is in the server's output: ${secret.slice(0, 6)}…`);
      }
      for (const path of filesIn(data)) {
        const name = relative(data, path);
        if (KEPT.test(name)) continue;
        const bytes = readFileSync(path);
        for (const [secret, what] of secrets) {
          if (bytes.includes(secret)) throw new Error(`${what} is in ${name}: ${secret.slice(0, 6)}…`);
        }
      }
    },
  };
}

function secretsIn({ text, headers }: HttpAnswer): readonly string[] {
  if (!/json/.test(String(headers['content-type']))) return [];
  const found: string[] = [];
  try {
    JSON.parse(text, (key, value: unknown) => {
      if (SECRET_MEMBER.test(key))
        for (const one of [value].flat()) if (typeof one === 'string') found.push(one);
      return value;
    });
  } catch {
    // What is no JSON hands nothing out.
  }
  return found;
}

function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

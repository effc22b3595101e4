import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type Clock, createSingleFlight, KiB, type Logger, MINUTE_MS, SECOND_MS } from '../base/index.ts';
import { upstreamSignInFailed } from './faults.ts';

/** The secret with which we sign in upstream, wherever it is kept. */
export interface Secret {
  /** @throws {UpstreamUnavailable} DG_UPSTREAM_SIGN_IN: the file or the command gives none. */
  read(): Promise<string>;
  /**
   * The upstream refused what was read: the next `read` looks again.
   * @returns whether looking again can give another one.
   */
  renew(): boolean;
}

export interface SecretParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a secret comes from; exactly one. */
export type SecretOrigin =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'command';
      readonly command: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly lifetimeMs: number;
    };

const SECRET_BYTES_MAX = 64 * KiB;
/** A file is cheap to read, and who exchanges it wants that to count soon. */
const FILE_LIFETIME_MS = MINUTE_MS;
/** A secret is used for this part of its life, so that it does not end on the way. */
const USED_PART = 0.8;
/** Between two runs of a command, whatever the upstream says of its results: a program is no cheap thing to start. */
const COMMAND_GAP_MS = 30 * SECOND_MS;
const COMMAND_MS_MAX = 30 * SECOND_MS;

export function createSecret(origin: SecretOrigin, parts: SecretParts): Secret {
  if (origin.kind === 'text') return { read: async () => origin.text, renew: () => false };
  if (origin.kind === 'file') {
    const rule = { usedMs: FILE_LIFETIME_MS, lifetimeMs: FILE_LIFETIME_MS, gapMs: 0 };
    return createKept(() => readSecretFile(origin.path), rule, parts);
  }
  const { lifetimeMs } = origin;
  const rule = { usedMs: lifetimeMs * USED_PART, lifetimeMs, gapMs: Math.min(COMMAND_GAP_MS, lifetimeMs) };
  return createKept(() => runCommand(origin), rule, parts);
}

interface Rule {
  /** After so long the secret is fetched anew. */
  readonly usedMs: number;
  /** Until then the old one is still used where a new one cannot be had. */
  readonly lifetimeMs: number;
  /** From the start of one fetch to the next. */
  readonly gapMs: number;
}

interface Kept {
  readonly text: string;
  readonly fromMs: number;
  isRefused: boolean;
}

function createKept(fetch: () => Promise<string>, rule: Rule, { clock, logger }: SecretParts): Secret {
  const singleFlight = createSingleFlight<string>();
  let kept: Kept | undefined;
  let failure: { readonly error: unknown; readonly atMs: number } | undefined;

  async function fetchNew(): Promise<string> {
    const fromMs = clock.monotonicMs();
    try {
      const text = await fetch();
      kept = { text, fromMs, isRefused: false };
      failure = undefined;
      return text;
    } catch (error) {
      failure = { error, atMs: fromMs };
      if (!kept || fromMs - kept.fromMs >= rule.lifetimeMs) throw error;
      const reason = error instanceof Error ? error.message : '';
      logger.warn('no new password for the upstream: the old one is used while it lives', { reason });
      return kept.text;
    }
  }

  return {
    async read() {
      const nowMs = clock.monotonicMs();
      if (failure && nowMs - failure.atMs < rule.gapMs) {
        if (kept && nowMs - kept.fromMs < rule.lifetimeMs) return kept.text;
        throw failure.error;
      }
      if (kept) {
        const ageMs = nowMs - kept.fromMs;
        if (ageMs < rule.usedMs && (!kept.isRefused || ageMs < rule.gapMs)) return kept.text;
      }
      return singleFlight('', fetchNew);
    },
    renew() {
      if (kept) kept.isRefused = true;
      return true;
    },
  };
}

async function readSecretFile(path: string): Promise<string> {
  try {
    return readSecretText(await readFile(path));
  } catch (error) {
    throw upstreamSignInFailed('the file with its password cannot be used', error);
  }
}

/**
 * Runs a program as it is named, without a shell: nothing in its arguments is expanded or split. What it prints to
 * standard error is not kept: it could be a secret.
 */
function runCommand(origin: SecretOrigin & { readonly kind: 'command' }): Promise<string> {
  const [program = '', ...parameters] = origin.command;
  const options = {
    encoding: 'buffer' as const,
    env: { ...origin.environment },
    maxBuffer: SECRET_BYTES_MAX,
    timeout: COMMAND_MS_MAX,
    killSignal: 'SIGKILL' as const,
    shell: false,
    windowsHide: true,
  };
  return new Promise((resolve, reject) => {
    execFile(program, parameters, options, (error, stdout) => {
      if (error) return reject(upstreamSignInFailed(`the command for its password ${whatFailed(error)}`));
      try {
        resolve(readSecretText(stdout));
      } catch (problem) {
        reject(upstreamSignInFailed('the command for its password printed none', problem));
      }
    });
  });
}

/** Without the command line and its output, which Node puts into the message. */
function whatFailed(error: Error & { readonly code?: unknown; readonly killed?: boolean }): string {
  if (error.killed) return `was ended after ${COMMAND_MS_MAX / SECOND_MS} seconds`;
  return typeof error.code === 'number'
    ? `ended with ${error.code}`
    : `cannot be run (${String(error.code)})`;
}

/** One line break at the end is not part of it. */
function readSecretText(bytes: Uint8Array): string {
  if (bytes.length > SECRET_BYTES_MAX) throw new Error(`more than ${SECRET_BYTES_MAX} bytes`);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  if (text === '') throw new Error('empty');
  return text;
}

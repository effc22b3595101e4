import { hash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MINUTE_MS, SECOND_MS } from '../base/index.ts';
import { openBrowser } from './browser.ts';
import { asRecord, CommandFailed } from './client.ts';
import { openLoopback } from './loopback.ts';
import type { CommandContext } from './session.ts';
import { type ApiAnswer, sendForm, type Target } from './transport.ts';

const LIFE_MS = 10 * MINUTE_MS;
const CLIENT = { client_id: 'dockgate-cli', access_type: 'offline' };

/**
 * Signs in with the person's browser on this computer.
 *
 * @returns the answer of the token endpoint.
 * @throws {CommandFailed} nobody confirmed it in time.
 */
export async function signInByBrowser(
  target: Target & { readonly kind: 'server' },
  { env, output }: CommandContext,
): Promise<ApiAnswer> {
  const [verifier, state] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
  const loopback = await openLoopback(state, LIFE_MS);
  try {
    const query = new URLSearchParams({
      redirect_uri: loopback.redirectUri,
      state,
      code_challenge: hash('sha256', verifier, 'base64url'),
      code_challenge_method: 'S256',
    });
    const url = `${target.url}/login/program?${query}`;
    output.note(`Go on in the browser; if none opens, open this there:\n  ${url}`);
    openBrowser(url, env, process.platform);
    const code = await loopback.code;
    const fields = { grant_type: 'authorization_code', code, code_verifier: verifier, ...CLIENT };
    return await sendForm(target, '/token', fields);
  } finally {
    loopback.close();
  }
}

/**
 * Shows a code that the person types in any browser, on any computer, and waits for it.
 *
 * @returns the answer of the token endpoint.
 * @throws {CommandFailed} too many wait there, or it was not confirmed in time.
 */
export async function signInByCode(
  target: Target & { readonly kind: 'server' },
  { output }: CommandContext,
): Promise<ApiAnswer> {
  const begun = await sendForm(target, '/token/device', { client_id: CLIENT.client_id });
  if (begun.status !== 200) return begun;
  const {
    device_code: deviceCode,
    user_code: userCode,
    verification_uri: page,
    interval,
  } = asRecord(begun.body);
  if (typeof deviceCode !== 'string' || typeof userCode !== 'string' || typeof page !== 'string') {
    throw new CommandFailed('what answered is not dockgate, or an older one without sign-in by code');
  }
  output.note(`Open ${page} in any browser, sign in, and type this code:\n  ${userCode}`);
  const grant = 'urn:ietf:params:oauth:grant-type:device_code';
  const everyMs = (typeof interval === 'number' && interval >= 1 ? interval : 5) * SECOND_MS;
  for (let waitedMs = 0; waitedMs < LIFE_MS; waitedMs += everyMs) {
    await sleep(everyMs);
    const answer = await sendForm(target, '/token', {
      grant_type: grant,
      device_code: deviceCode,
      ...CLIENT,
    });
    if (asRecord(answer.body).error !== 'authorization_pending') return answer;
  }
  throw new CommandFailed('nobody typed the code in time: run the command again');
}

import type { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { PASSWORD_BYTES_MAX } from './password-hash.ts';
import { PERSONAL_PREFIX, REFRESH_PREFIX, ROBOT_PREFIX } from './secrets.ts';

export const PASSWORD_LENGTH_MIN = 10;
const SCORE_MIN = 3;
/** Estimating takes time that grows with the square of the length; what is strong so far stays strong. */
const ESTIMATED_LENGTH_MAX = 100;
const NAME_LENGTH_MIN = 3;
const OUR_PREFIXES = [ROBOT_PREFIX, PERSONAL_PREFIX, REFRESH_PREFIX];

let estimator: Promise<ZxcvbnFactory> | undefined;

/**
 * Read when first needed: the dictionaries take 80 MiB and make every sweep of the garbage collector longer, and most
 * processes never set a password.
 */
function getEstimator(): Promise<ZxcvbnFactory> {
  estimator ??= makeEstimator();
  return estimator;
}

async function makeEstimator(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ]);
  return new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
  });
}

/**
 * Whether a person's new password is strong enough.
 *
 * @returns what is wrong and what would help, for the person; `undefined` when nothing is.
 * @see NIST SP 800-63B: length and a list of common passwords, no rules of composition.
 */
export async function passwordProblem(account: {
  readonly name: string;
  readonly password: string;
}): Promise<string | undefined> {
  const { name, password } = account;
  if ([...password].length < PASSWORD_LENGTH_MIN)
    return `the password needs at least ${PASSWORD_LENGTH_MIN} characters`;
  if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) {
    return `the password is longer than ${PASSWORD_BYTES_MAX} bytes`;
  }
  if (/\p{Cc}/u.test(password)) return 'the password holds a control character, such as the end of a line';
  if (name.length >= NAME_LENGTH_MIN && password.toLowerCase().includes(name.toLowerCase())) {
    return 'the password must not contain the name of the account';
  }
  // A secret's form says how it is checked, so no password may look like one of ours.
  const prefix = OUR_PREFIXES.find((one) => password.startsWith(one));
  if (prefix !== undefined) {
    return `a password must not begin with ${prefix}: such secrets are made by dockgate`;
  }
  return weakness(name, password);
}

async function weakness(name: string, password: string): Promise<string | undefined> {
  const known = [name, 'dockgate'];
  const { score, feedback } = (await getEstimator()).check(password.slice(0, ESTIMATED_LENGTH_MAX), known);
  if (score >= SCORE_MIN) return undefined;
  const advice = [feedback.warning, ...feedback.suggestions].filter((text) => text);
  return ['the password is easy to guess', ...advice].join('. ').replaceAll('..', '.');
}

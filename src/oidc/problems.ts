import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { ProviderProblem } from '../auth/index.ts';

/** Codes with which the library says that nothing was answered, or nothing that a provider would answer. */
const AWAY: readonly string[] = [
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
];

/** What went wrong, in the words of the port. The provider's own text stays in `cause`: anybody could write it. */
export function providerProblemOf(error: unknown): ProviderProblem {
  if (error instanceof ProviderProblem) return error;
  if (error instanceof AuthorizationResponseError) {
    return new ProviderProblem('refused', `the provider answered ${plain(error.error)}`, error);
  }
  if (error instanceof ResponseBodyError) {
    return new ProviderProblem('answer', `the provider refused the code: ${plain(error.error)}`, error);
  }
  if (error instanceof ClientError && error.code !== undefined && !AWAY.includes(error.code)) {
    return new ProviderProblem('answer', `what came is not to be believed: ${error.message}`, error);
  }
  return new ProviderProblem('away', 'the provider does not answer', error);
}

function plain(code: string): string {
  return code.replace(/[^a-z_]/g, '').slice(0, 50);
}

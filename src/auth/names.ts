const ACCOUNT_NAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
const ACCOUNT_NAME_LENGTH_MAX = 64;

/**
 * The name of a user, robot, group or custom role: lower-case letters, digits, and single `.`, `_` or `-` between
 * them, at most 64 characters. No character of it means anything in a pattern, a path, a query or a header.
 */
export function parseAccountName(text: string): string | undefined {
  return text.length <= ACCOUNT_NAME_LENGTH_MAX && ACCOUNT_NAME.test(text) ? text : undefined;
}

/**
 * Something an operator must mend before the process can start or a command can run: what is wrong, where,
 * and what to do. Printed as it is, without a stack.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/**
 * One port made of two halves: what this process answers itself, and what it asks the writing process for.
 *
 * @param remote answers for every name it is asked for, so `own` is looked at first.
 */
export function combine<Own extends object, Remote extends object>(own: Own, remote: Remote): Own & Remote {
  const proxy = new Proxy(own, {
    get: (target, member) => Reflect.get(Object.hasOwn(target, member) ? target : remote, member),
  });
  // The handler above gives every member of both.
  return proxy as Own & Remote;
}

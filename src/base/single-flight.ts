/**
 * Lets simultaneous callers of one key share one call. The result is not kept: the next caller after it has
 * settled starts a new one, so a failure is never remembered.
 */
export function createSingleFlight<T>(): (key: string, start: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  return (key, start) => {
    const known = running.get(key);
    if (known) return known;
    const flight = start().finally(() => running.delete(key));
    running.set(key, flight);
    return flight;
  };
}

import { fillReserve, type ReserveOptions } from '../audit/index.ts';
import { type Logger, SECOND_MS } from '../base/index.ts';

const EVERY_MS = 2 * SECOND_MS;

/** Keeps the reserve of the access log whole, as soon as there is room for it. @returns what ends it. */
export async function keepReserve(
  options: ReserveOptions,
  parts: { readonly logger: Logger },
): Promise<() => Promise<void>> {
  const fill = (): Promise<unknown> =>
    fillReserve(options, parts).catch((error: unknown) => {
      parts.logger.error('the room that is kept for administrators could not be made, will retry', {}, error);
    });
  if (options.bytes === 0) return async () => {};
  let running = fill();
  await running;
  const timer = setInterval(() => {
    running = running.then(fill);
  }, EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Hole } from './holes.ts';
import { namesOf } from './places.ts';

/** Longest wait for a name to be looked up, a connection and an answer together. */
const WAIT_MS = 10_000;
/** Node looks up so many names at once: one more would wait for its turn while its time runs. */
const AT_ONCE = 4;

/** Asks each address as a client would that knows no gateway; whoever answers is a way around it. */
export async function reachHoles(origins: readonly string[]): Promise<readonly Hole[]> {
  const found = new Map<string, Hole>();
  const waiting = origins.map((origin) =>
    origin.includes('://') ? origin : `https://${namesOf(origin)[0]}`,
  );
  const work = async (): Promise<void> => {
    for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
      const said = await ask(url);
      if (said === undefined) continue;
      const mend = 'let only the gateway reach it: firewall or network policy';
      found.set(url, { client: 'network', where: url, text: `${said} this machine directly`, mend });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return [...found.values()].sort((a, b) => (a.where < b.where ? -1 : 1));
}

/** @returns what `/v2/` does; who shows a bad certificate takes connections. `undefined`: no connection within the time. */
function ask(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const target = new URL('/v2/', url);
    // Whether it is the registry matters to nobody: that something answers is the finding, and nothing is sent.
    const request =
      target.protocol === 'http:'
        ? httpRequest(target, { agent: false })
        : httpsRequest(target, { agent: false });
    let isConnected = false;
    const end = (said: string | undefined): void => {
      clearTimeout(timer);
      request.destroy();
      resolve(said);
    };
    const silent = () => end(isConnected ? 'takes connections from' : undefined);
    const timer = setTimeout(silent, WAIT_MS);
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        isConnected = true;
      });
    });
    // Not once: what a destroyed request says later concerns nobody.
    request.on('error', silent);
    request.once('response', ({ statusCode }) => end(`answers (status ${statusCode})`));
    request.end();
  });
}

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Hole } from './holes.ts';

/** Where the registries that clients know by another name really are. */
const ADDRESSES: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };
const WAIT_MS = 5000;

/** Asks each address as a client would that knows no gateway; whoever answers is a way around it. */
export async function reachHoles(origins: readonly string[]): Promise<readonly Hole[]> {
  const found = await Promise.all(
    origins.map(async (origin): Promise<readonly Hole[]> => {
      const url = origin.includes('://') ? origin : `https://${ADDRESSES[origin] ?? origin}`;
      const status = await ask(url);
      if (status === undefined) return [];
      const text = `answers this machine directly (status ${status})`;
      return [
        {
          client: 'network',
          where: url,
          text,
          mend: 'let only the gateway reach it: firewall or network policy',
        },
      ];
    }),
  );
  return found.flat();
}

/** @returns the status of `/v2/`, whatever certificate comes with it; `undefined`: nothing answers. */
function ask(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const target = new URL('/v2/', url);
    // Whether it is the registry matters to nobody: that something answers is the finding, and nothing is sent.
    const request =
      target.protocol === 'http:'
        ? httpRequest(target, { timeout: WAIT_MS, agent: false })
        : httpsRequest(target, { timeout: WAIT_MS, agent: false, rejectUnauthorized: false });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(undefined));
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    request.end();
  });
}

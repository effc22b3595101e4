import { hostname } from 'node:os';
import { certificateNames } from '../tls/index.ts';
import type { NodeConfig } from './node-config.ts';

/** Names and addresses that go into the server's certificate, and those of them that clients are told. */
export function certificateNamesOf(config: NodeConfig): {
  readonly names: readonly string[];
  readonly namesTold: readonly string[];
} {
  const { publicUrl } = config;
  const names = certificateNames({
    ...{ publicUrl, names: config.names, hostName: hostname() },
    listen: config.listen === undefined ? [] : [config.listen],
  });
  const told = [new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1'), ...config.names];
  const isTold = new Set(told.map((name) => name.toLowerCase()));
  return { names, namesTold: names.filter((name) => isTold.has(name)) };
}

/** Host headers that are echoed: our names, with the port and, where it is 443, without. */
export function hostsOf(config: NodeConfig): ReadonlySet<string> {
  const names = certificateNamesOf(config).names.map((name) =>
    name.includes(':') ? `[${name}]` : name.toLowerCase(),
  );
  const hosts = names.flatMap((name) =>
    config.port === 443 ? [name, `${name}:443`] : [`${name}:${config.port}`],
  );
  return new Set([...hosts, new URL(config.publicUrl).host]);
}

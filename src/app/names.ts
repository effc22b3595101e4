import { hostname } from 'node:os';
import { certificateNames } from '../tls/index.ts';
import type { NodeConfig } from './node-config.ts';

/** Names and addresses that go into the server's certificate. */
export function certificateNamesOf(config: NodeConfig): readonly string[] {
  return certificateNames({
    publicUrl: config.publicUrl,
    names: config.names,
    listen: config.listen === undefined ? [] : [config.listen],
    hostName: hostname(),
  });
}

/** Host headers that are echoed: our names, with the port and, where it is 443, without. */
export function hostsOf(config: NodeConfig): ReadonlySet<string> {
  const names = certificateNamesOf(config).map((name) =>
    name.includes(':') ? `[${name}]` : name.toLowerCase(),
  );
  const hosts = names.flatMap((name) =>
    config.port === 443 ? [name, `${name}:443`] : [`${name}:${config.port}`],
  );
  return new Set([...hosts, new URL(config.publicUrl).host]);
}

import { join } from 'node:path';

/** Where everything lies below the data directory. */
export interface Paths {
  readonly data: string;
  readonly content: string;
  readonly uploads: string;
  readonly audit: string;
  readonly keys: string;
  readonly tokenKeys: string;
  readonly logKey: string;
  readonly cacheKey: string;
  readonly sessionKey: string;
  /** Seals what is kept in SQL: seeds of second factors. */
  readonly secretsKey: string;
  /** What the keys of TLS session tickets are made of. */
  readonly ticketKeys: string;
  /** Images that are laid out for a scanner; nothing in it outlives the scan. */
  readonly scanWork: string;
  readonly run: string;
  /** Workers speak to the housekeeping process over it. */
  readonly houseSocket: string;
  /** The CLI speaks to the server over it. */
  readonly adminSocket: string;
  readonly adminPassword: string;
}

export function pathsOf(data: string): Paths {
  const keys = join(data, 'keys');
  const run = join(data, 'run');
  return {
    data,
    content: join(data, 'content'),
    uploads: join(data, 'uploads'),
    audit: join(data, 'audit'),
    keys,
    tokenKeys: join(keys, 'tokens'),
    logKey: join(keys, 'log.pem'),
    cacheKey: join(keys, 'cache-hmac.key'),
    sessionKey: join(keys, 'upload-session.key'),
    secretsKey: join(keys, 'secrets.key'),
    ticketKeys: join(keys, 'tls-tickets.key'),
    scanWork: join(data, 'scan-work'),
    run,
    houseSocket: join(run, 'house.sock'),
    adminSocket: join(data, 'dockgate.sock'),
    adminPassword: join(data, 'admin-password'),
  };
}

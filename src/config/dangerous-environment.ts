import type { Environment } from './layers.ts';

const DANGERS: Readonly<Record<string, string>> = {
  NODE_TLS_REJECT_UNAUTHORIZED: 'certificates of upstreams, Redis and others would not be checked',
  NODE_OPTIONS: 'changes how the server runs, and may load foreign code into it',
  NODE_EXTRA_CA_CERTS: 'adds authorities that every outgoing connection trusts',
  NODE_USE_ENV_PROXY: 'sends outgoing connections through a proxy',
  HTTP_PROXY: 'may send outgoing connections through a proxy',
  HTTPS_PROXY: 'may send outgoing connections through a proxy',
  ALL_PROXY: 'may send outgoing connections through a proxy',
  SSLKEYLOGFILE: 'may write down the keys of TLS connections',
  LD_PRELOAD: 'loads foreign code into the server',
  NODE_V8_COVERAGE: 'writes down what the server executes',
};

export interface Danger {
  readonly variable: string;
  /** One clause that says what it does. Never the variable's value. */
  readonly effect: string;
  /** The server must not start with it. */
  readonly isFatal: boolean;
}

/** Variables that weaken the server from outside of its configuration (P-19). */
export function dangerousEnvironment(environment: Environment): readonly Danger[] {
  return Object.keys(environment)
    .sort()
    .filter((variable) => (environment[variable] ?? '') !== '')
    .flatMap((variable) => {
      const effect = DANGERS[variable.toUpperCase()];
      if (effect === undefined) return [];
      const isTlsCheck = variable === 'NODE_TLS_REJECT_UNAUTHORIZED';
      // Node switches the check off for "0" only.
      if (isTlsCheck && environment[variable] !== '0') return [];
      return [{ variable, effect, isFatal: isTlsCheck }];
    });
}

/**
 * The one schema of settings: reads file, environment and command line, checks them, explains them, prints the
 * reference. Entered by cli/ and app/; nobody else reads the environment.
 */

export type { Danger } from './dangerous-environment.ts';
export { dangerousEnvironment } from './dangerous-environment.ts';
export type { ConfigOptions, Environment } from './layers.ts';
export type {
  Config,
  ConfigSource,
  LimitsConfig,
  Loaded,
} from './load.ts';
export { loadConfig } from './load.ts';
export type { Explained } from './print.ts';
export { explainConfig } from './print.ts';
export type { RedisConfig } from './redis.ts';
export type { Tree } from './tree.ts';
export { trustedNames } from './trust.ts';
export type { UpstreamConfig } from './upstreams.ts';

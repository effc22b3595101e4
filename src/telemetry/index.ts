/**
 * What operators watch: the operational log, metrics, health. Entered by app/ only; other rooms know the Logger of
 * base/ and ports of their own.
 */

export type { LoggerOptions } from './logger.ts';
export { createLogger } from './logger.ts';
export type { Metrics, MetricsHub, MetricsSnapshot } from './metrics.ts';
export { createMetrics, createMetricsHub } from './metrics.ts';
export type { OpsOptions, OpsParts, OpsServer } from './ops-server.ts';
export { serveOps } from './ops-server.ts';

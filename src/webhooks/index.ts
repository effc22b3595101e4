/**
 * Tells receivers of what happens to images: notices it in the access log, the scans and the verdicts, queues one signed
 * message an event, and delivers each at least once, in order. Entered by app/, which runs it in the housekeeping
 * process; `WebhookQueue` is implemented by store/.
 */
export type { TestResult, WebhookOptions, WebhookState, Webhooks } from './open-webhooks.ts';
export { openWebhooks } from './open-webhooks.ts';
export type {
  Message,
  NewMessage,
  Noticed,
  Place,
  ScanNews,
  TakenMessage,
  WebhookQueue,
} from './ports.ts';

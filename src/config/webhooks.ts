import { resolve } from 'node:path';
import { StartError } from '../base/index.ts';
import { readCertificates } from './files.ts';
import type { OutletSecrets } from './outlets.ts';
import type { Settings } from './schema.ts';
import type { KeyPath } from './tree.ts';

type WebhookSettings = Settings['webhooks'][number];

const WEBHOOK_EVENT_NAMES = ['image.blocked', 'image.scanned', 'vulnerability.found'] as const;

/** Who is told of what happens to images. */
export interface WebhookConfig {
  readonly name: string;
  readonly url: string;
  /** The newest first; each signs. */
  readonly secrets: readonly string[];
  readonly authorization?: string;
  readonly ca?: string;
  readonly events: readonly (typeof WEBHOOK_EVENT_NAMES)[number][];
  readonly repositories: string;
  readonly retryForMs: number;
  readonly sameForMs: number;
  readonly allowsPrivate: boolean;
}

const SECRET_LETTERS_MIN = 24;

/** What contradicts itself in the webhooks: one sentence each, with the key that it is about. */
export function webhookProblems(
  webhooks: readonly WebhookSettings[],
): readonly { readonly path: KeyPath; readonly message: string }[] {
  return webhooks.flatMap((webhook, index) => {
    const path = ['webhooks', index];
    const problems: { path: KeyPath; message: string }[] = [];
    if (webhooks.findIndex((other) => other.name === webhook.name) !== index) {
      problems.push({ path: [...path, 'name'], message: 'another webhook has the same name' });
    }
    if (new URL(webhook.url).protocol !== 'https:' && !webhook.privateAddresses) {
      const message = 'must be https, except of a private address, which privateAddresses allows';
      problems.push({ path: [...path, 'url'], message });
    }
    for (const key of ['secret', 'authorization'] as const) {
      if (webhook[key] === undefined || webhook[`${key}File`] === undefined) continue;
      problems.push({
        path: [...path, `${key}File`],
        message: `given beside ${key}: leave one of the two away`,
      });
    }
    if (webhook.secret === undefined && webhook.secretFile === undefined) {
      problems.push({ path: [...path, 'secret'], message: 'missing: without it nobody can tell who sends' });
    }
    return problems;
  });
}

/** @throws {StartError} a secret that is too short, or a file that cannot be read. */
export async function toWebhook(
  webhook: WebhookSettings,
  index: number,
  secrets: OutletSecrets,
  directory: string,
): Promise<WebhookConfig> {
  const path = ['webhooks', index];
  const { name, url, caFile, repositories, retryFor, sameFor, privateAddresses } = webhook;
  const authorization = await secrets.read(webhook, path, 'authorization');
  const keys = ((await secrets.read(webhook, path, 'secret')) ?? '').split(/\s+/).filter((key) => key !== '');
  if (keys.length === 0 || keys.some((key) => key.length < SECRET_LETTERS_MIN)) {
    const where = secrets.where([...path, webhook.secret === undefined ? 'secretFile' : 'secret']);
    throw new StartError(`${where}: each secret must have at least ${SECRET_LETTERS_MIN} letters`);
  }
  const ca =
    caFile === undefined
      ? {}
      : { ca: await readCertificates(resolve(directory, caFile), secrets.where([...path, 'caFile'])) };
  return {
    ...{ name, url, secrets: keys, repositories, allowsPrivate: privateAddresses },
    events: WEBHOOK_EVENT_NAMES.filter(
      (event) => webhook.events.length === 0 || webhook.events.includes(event),
    ),
    ...{ retryForMs: retryFor, sameForMs: sameFor },
    ...(authorization === undefined ? {} : { authorization }),
    ...ca,
  };
}

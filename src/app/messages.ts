import type { FirstAdmin } from './first-admin.ts';
import type { NodeConfig } from './node-config.ts';

/** What the primary tells a child first; secrets travel this way and not in the environment. */
export interface StartMessage {
  readonly kind: 'start';
  readonly config: NodeConfig;
  readonly version: string;
  /** Name of the process in the access log and the operational log: `house`, `w0`, `w1` … */
  readonly name: string;
}

/** What a child answers. */
export type ChildMessage =
  | { readonly kind: 'ready'; readonly firstAdmin?: FirstAdmin | undefined }
  /** It cannot start; the operator must mend something. */
  | { readonly kind: 'failed'; readonly message: string };

/** In a child: the start message, once. */
export function startMessage(): Promise<StartMessage> {
  return new Promise((resolve) => process.once('message', (message) => resolve(message as StartMessage)));
}

export function tellPrimary(message: ChildMessage): void {
  process.send?.(message);
}

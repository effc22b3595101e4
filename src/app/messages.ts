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

/** Asks a child to end. A message, since a signal may reach the whole group and the order in which it ends matters. */
export interface StopMessage {
  readonly kind: 'stop';
}

/** What the primary tells the housekeeping process when the node begins to end: it is not ready any more (F-50). */
export interface DrainMessage {
  readonly kind: 'drain';
}

/** Whose signatures count from now on. */
export interface TrustMessage {
  readonly kind: 'trust';
  readonly trust: NodeConfig['trust'];
}

/** What a child answers. */
export type ChildMessage =
  | { readonly kind: 'ready'; readonly firstAdmin?: FirstAdmin | undefined }
  /** It cannot start; the operator must mend something. */
  | { readonly kind: 'failed'; readonly message: string };

/** In a child: the start message, once. */
export function startMessage(): Promise<StartMessage> {
  return new Promise((resolve) => {
    const listen = (message: StartMessage | StopMessage): void => {
      // One that is not needed after all hears of its end alone.
      if (message.kind !== 'start') return;
      process.off('message', listen);
      resolve(message);
    };
    process.on('message', listen);
  });
}

/** In a child: calls `handler` when the primary asks it to end. */
export function onStopMessage(handler: () => void): void {
  process.on('message', (message: StartMessage | StopMessage) => {
    if (message.kind === 'stop') handler();
  });
}

/** In a child: calls when the node begins to end. */
export function onDrain(handler: () => void): void {
  process.on('message', (message: DrainMessage | StopMessage) => {
    if (message.kind === 'drain') handler();
  });
}

/** In a child: calls with whom the operator trusts now. */
export function onTrust(handler: (trust: NodeConfig['trust']) => void): void {
  process.on('message', (message: TrustMessage | StopMessage) => {
    if (message.kind === 'trust') handler(message.trust);
  });
}

export function tellPrimary(message: ChildMessage): void {
  process.send?.(message);
}

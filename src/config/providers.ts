import { resolve } from 'node:path';
import type { Settings } from './schema.ts';
import { exclusive, type Problem, type Secrets } from './secrets.ts';

/** An OpenID provider, after every check. */
export interface ProviderConfig {
  readonly id: string;
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly scopes: readonly string[];
  readonly nameClaim: string;
  readonly groupsClaim: string;
  readonly emailDomains: readonly string[];
  readonly lifetimeMs: number;
  readonly caFile: string | undefined;
  readonly allowsPrivate: boolean;
}

/** What no single key shows. */
export function providerProblems({ providers }: Settings): readonly Problem[] {
  return providers.flatMap((provider, index) => {
    const path = ['providers', index];
    const isTwice = (key: 'id' | 'issuer') =>
      providers.findIndex((one) => one[key] === provider[key]) !== index;
    return [
      ...exclusive(provider, path, 'clientSecret'),
      ...(['id', 'issuer'] as const)
        .filter(isTwice)
        .map((key) => ({ path: [...path, key], message: 'another provider has it already' })),
    ];
  });
}

/** @throws {StartError} a file that it names cannot be used. */
export async function toProvider(
  provider: Settings['providers'][number],
  index: number,
  secrets: Secrets,
  directory: string,
): Promise<ProviderConfig> {
  const { id, issuer, clientId, scopes, nameClaim, groupsClaim, emailDomains, caFile } = provider;
  return {
    ...{ id, issuer, clientId, scopes, nameClaim, groupsClaim },
    emailDomains: emailDomains.map((domain) => domain.toLowerCase()),
    label: provider.label ?? id,
    clientSecret: await secrets.read(provider, ['providers', index], 'clientSecret'),
    lifetimeMs: provider.lifetime,
    caFile: caFile === undefined ? undefined : resolve(directory, caFile),
    allowsPrivate: provider.privateAddresses,
  };
}

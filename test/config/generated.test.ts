import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { printExample, printReference } from '../../src/config/print.ts';
import { schema } from '../../src/config/schema.ts';

const read = (...path: string[]) => readFileSync(join(import.meta.dirname, '..', '..', ...path), 'utf8');

describe('what is printed from the schema', () => {
  it('is the reference page in docs (else: npm run generate)', () => {
    assert.equal(read('docs', 'configuration.md'), printReference());
  });

  it('is the example file in config (else: npm run generate)', () => {
    assert.equal(read('config', 'dockgate.example.yaml'), printExample());
  });

  it('is an example that the schema accepts when it is uncommented, up to keys that must be filled in', () => {
    const uncommented = printExample().replace(/^# ?/gm, '');
    const value = parse(uncommented.slice(uncommented.indexOf('listen:')));
    for (const upstream of value.upstreams) upstream.url = 'http://127.0.0.1:5000';
    for (const workload of value.workloads) workload.issuer = 'https://ci.test';
    const provider = { id: 'corp', issuer: 'https://sso.test', clientId: 'dockgate' };
    for (const one of value.providers) Object.assign(one, provider);
    for (const limited of value.limits.repositories) limited.on = 'team/**';
    for (const key of value.trust.keys) Object.assign(key, { name: 'release', file: 'release.pub' });
    for (const one of value.trust.identities) {
      Object.assign(one, { name: 'ci', issuer: 'https://ci.test', subject: 'a@corp.test' });
    }
    for (const one of value.trust.stores) Object.assign(one, { name: 'acme', file: 'root.pem' });
    const signer = { name: 'acme-release', trustStores: ['ca:acme'], trustedIdentities: ['*'] };
    for (const one of value.trust.notation) Object.assign(one, signer);
    const filled = { name: 'siem', kind: 'http', url: 'http://127.0.0.1:5000' };
    for (const outlet of value.audit.outlets) Object.assign(outlet, filled);
    for (const witness of value.audit.witnesses) Object.assign(witness, filled);
    const hook = { name: 'chat', url: 'https://hooks.test', secret: 'of more than twenty-four letters' };
    for (const one of value.webhooks) Object.assign(one, hook);
    const adapter = { name: 'far', url: 'http://127.0.0.1:8080/api/v1', robot: 'scanner' };
    for (const one of value.scanners.adapters) Object.assign(one, adapter);
    const result = schema.safeParse(value);
    assert.deepEqual(result.error?.issues ?? [], []);
  });
});

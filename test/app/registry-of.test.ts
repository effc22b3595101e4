import assert from 'node:assert/strict';
import { registryOf } from '../../src/app/registry-of.ts';
import { loadConfig } from '../../src/config/index.ts';
import { repositoryOf } from '../policy/fixtures.ts';

describe('the registry of a repository', () => {
  const of = async (upstreams: string, name: string) => {
    const options = { set: [`upstreams=${upstreams}`] };
    const { config } = await loadConfig({ options, environment: {}, directory: '/nowhere' });
    return registryOf(config, repositoryOf(name));
  };

  it('is the embedded one where no other is configured', async () => {
    assert.equal(await of('[]', 'team/app'), 'embedded');
  });

  it('is the upstream with the longest prefix, by host and port', async () => {
    const upstreams =
      '[{ prefix: hub, url: "https://hub.test" }, { prefix: hub/corp, url: "http://10.1.2.3:5000" }]';
    assert.equal(await of(upstreams, 'hub/library/alpine'), 'hub.test');
    assert.equal(await of(upstreams, 'hub/corp/app'), '10.1.2.3:5000');
    assert.equal(await of(upstreams, 'team/app'), undefined);
  });
});

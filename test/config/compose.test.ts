import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/index.ts';

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
}

describe('docker-compose.yml', () => {
  const file = parse(readFileSync(join(import.meta.dirname, '..', '..', 'docker-compose.yml'), 'utf8'));
  const services: Readonly<Record<string, Service>> = file.services;

  it('configures dockgate with keys and values that it accepts', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dockgate-compose-'));
    try {
      writeFileSync(join(directory, 'secret'), 'hush\n');
      const environment = { ...services.dockgate?.environment, DOCKGATE_REDIS__PASSWORD_FILE: 'secret' };
      const { config } = await loadConfig({ options: {}, environment, directory });
      assert.equal(config.upstreams[0]?.url, 'http://registry:5000');
      assert.deepEqual(config.redis, { url: 'redis://redis:6379', password: 'hush' });
      assert.equal(config.publicUrl, 'https://localhost:8443');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('S-10: publishes the gateway only, and only on the loopback address', () => {
    for (const [name, service] of Object.entries(services)) {
      const ports = name === 'dockgate' ? ['127.0.0.1:8443:8443'] : undefined;
      assert.deepEqual(service.ports, ports, name);
    }
  });

  it('S-10: keeps Redis and the registry on a network without a way out, and Redis behind a password', () => {
    assert.equal(file.networks.back.internal, true);
    assert.deepEqual(services.redis?.networks, ['back']);
    assert.deepEqual(services.registry?.networks, ['back']);
    assert.match(JSON.stringify(services.redis), /requirepass \$\$\(cat \/run\/secrets\/redis-password\)/);
  });
});

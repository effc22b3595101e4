import assert from 'node:assert/strict';
import { type BannerFacts, printBanner } from '../../src/app/banner.ts';

const FACTS: BannerFacts = {
  publicUrl: 'https://localhost:8443',
  caPath: '/srv/certs/ca.crt',
  dataDirectory: '/srv/data',
  opsAddress: '127.0.0.1:9464',
  registries: ['its embedded registry'],
  firstAdmin: undefined,
  passwordPath: undefined,
};

describe('what is printed at the start', () => {
  it('holds lines that can be run as they are, for docker and for podman', () => {
    const text = printBanner(FACTS);
    for (const folder of ['docker', 'containers'])
      assert.match(
        text,
        new RegExp(`sudo install -D /srv/certs/ca\\.crt /etc/${folder}/certs\\.d/localhost:8443/ca\\.crt\\n`),
      );
    assert.match(text, /podman login -u USER localhost:8443\n/);
    assert.doesNotMatch(text, /password/);
  });

  it('tells the first admin its password, and where it is kept', () => {
    const firstAdmin = { name: 'admin', password: 'abc-def' };
    const text = printBanner({ ...FACTS, firstAdmin, passwordPath: '/srv/data/admin-password' });
    assert.match(text, /admin {8}admin\n {2}password {5}abc-def\n.*\/srv\/data\/admin-password/);
    assert.match(text, /docker login -u admin localhost:8443/);
  });

  it('tells at later starts where the password is as long as it is kept, not what it is', () => {
    const text = printBanner({ ...FACTS, passwordPath: '/srv/data/admin-password' });
    assert.match(text, /password {5}of the first admin: in \/srv\/data\/admin-password/);
  });

  it('names no CA where the certificate is the operator’s own', () => {
    const text = printBanner({ ...FACTS, caPath: undefined });
    assert.doesNotMatch(text, /install -D/);
    assert.match(text, /docker {7}docker login -u USER localhost:8443\n {2}podman {7}podman login/);
  });
});

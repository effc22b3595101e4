import assert from 'node:assert/strict';
import { createClientAuthority, curlWith as curl } from '../support/client-authority.ts';
import { startDockgate } from '../support/dockgate.ts';
import { until } from '../support/until.ts';

describe('a client certificate', function () {
  this.timeout(300_000);
  it('that is revoked is refused once the list is there, and all are when the list is out of date', async () => {
    const authority = createClientAuthority();
    const server = await startDockgate({
      config:
        `clientCertificates: { caFile: ${authority.caFile}, crlFile: ${authority.crlFile}, ` +
        "rules: [{ subject: 'O=corp,CN=ci', robot: ci }] }\n",
      workers: 1,
    });
    await server.run(['robot', 'add', 'ci']);
    const ci = authority.issue('ci');
    const revoked = authority.issue('ci');
    assert.equal((await curl(server, revoked)).status, 200);
    authority.revoke(revoked);
    authority.publish();
    await until(async () => (await curl(server, revoked)).status === 401, 'the list is read again');
    assert.match((await curl(server, revoked)).text, /was revoked/);
    assert.equal((await curl(server, ci)).status, 200);
    authority.publish(-1);
    await until(async () => (await curl(server, ci)).status === 401, 'the list is out of date');
    assert.match((await curl(server, ci)).text, /revocation list is missing or out of date/);
    authority.publish();
    await until(async () => (await curl(server, ci)).status === 200, 'a new list is there');
    await server.remove();
    authority.remove();
  });
});

import { skipWithoutGoProgram } from '../support/go-program.ts';
import { everyClient } from './every-client.ts';
import { craneClient, orasClient, regctlClient } from './go-clients.ts';

describe('crane, oras and regctl', function () {
  this.timeout(120_000);
  before(function () {
    for (const name of ['crane', 'oras', 'regctl']) skipWithoutGoProgram(this, name);
  });

  everyClient([
    { name: 'crane', create: craneClient, wrongPassword: /dockgate: name, password/, signsInUnchecked: true },
    {
      name: 'oras',
      create: orasClient,
      wrongPassword: /dockgate: name, password/,
      // It asks by HEAD first, whose answer has no body.
      noPush: /response status code 403/,
      readsBack: true,
    },
    { name: 'regctl', create: regctlClient, wrongPassword: /failed to ping registry .*: unauthorized/ },
  ]);
});

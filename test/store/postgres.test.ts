import { accountsContract } from '../contracts/accounts.ts';
import { factsContract } from '../contracts/facts.ts';
import { feedsContract } from '../contracts/feeds.ts';
import { jobsContract } from '../contracts/jobs.ts';
import { linksContract } from '../contracts/links.ts';
import { webhooksContract } from '../contracts/webhooks.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { openPostgresWith } from './postgres-bench.ts';

describe('a store whose main tables are in PostgreSQL', function () {
  this.timeout(120_000);
  this.slow(4000);
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server?.remove());
  const open = openPostgresWith(() => server);

  accountsContract('PostgreSQL', open);
  linksContract('PostgreSQL', open);
  factsContract('PostgreSQL', open);
  feedsContract('PostgreSQL', open);
  jobsContract('PostgreSQL', open);
  webhooksContract('PostgreSQL', open);
});

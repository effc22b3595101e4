import { accountsContract } from '../contracts/accounts.ts';
import { factsContract } from '../contracts/facts.ts';
import { feedsContract } from '../contracts/feeds.ts';
import { jobsContract } from '../contracts/jobs.ts';
import { linksContract } from '../contracts/links.ts';
import { recordIndexContract } from '../contracts/record-index.ts';
import { webhooksContract } from '../contracts/webhooks.ts';
import { openRemembering, openSqlite } from './bench.ts';

accountsContract('SQLite', openSqlite);
linksContract('SQLite', openSqlite);
// Every write says what it changes: what a worker remembers is what SQL holds.
linksContract('SQLite, as a worker remembers it', openRemembering);
factsContract('SQLite', openSqlite);
feedsContract('SQLite', openSqlite);
jobsContract('SQLite', openSqlite);
webhooksContract('SQLite', openSqlite);
recordIndexContract('SQLite', openSqlite);

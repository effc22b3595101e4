import { accountsContract } from '../contracts/accounts.ts';
import { factsContract } from '../contracts/facts.ts';
import { jobsContract } from '../contracts/jobs.ts';
import { linksContract } from '../contracts/links.ts';
import { recordIndexContract } from '../contracts/record-index.ts';
import { openSqlite } from './bench.ts';

accountsContract('SQLite', openSqlite);
linksContract('SQLite', openSqlite);
factsContract('SQLite', openSqlite);
jobsContract('SQLite', openSqlite);
recordIndexContract('SQLite', openSqlite);

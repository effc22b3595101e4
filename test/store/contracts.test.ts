import { accountsContract } from '../contracts/accounts.ts';
import { linksContract } from '../contracts/links.ts';
import { openSqlite } from './bench.ts';

accountsContract('SQLite', openSqlite);
linksContract('SQLite', openSqlite);

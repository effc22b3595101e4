import { accountsContract } from '../contracts/accounts.ts';
import { openSqlite } from './bench.ts';

accountsContract('SQLite', openSqlite);

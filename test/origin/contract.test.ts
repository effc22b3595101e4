import { sourceContract } from '../contracts/source.ts';
import { openOrigin } from './bench.ts';

sourceContract('embedded here', openOrigin);

import { Ajv2020 } from 'ajv/dist/2020.js';
import { RECORD_SCHEMA } from '../../src/audit/index.ts';

/** @returns what is wrong with a record by the published schema, or `undefined`. */
export function createRecordCheck(): (record: unknown) => string | undefined {
  const ajv = new Ajv2020({ allErrors: true, strict: true });
  const validate = ajv.compile({ ...RECORD_SCHEMA });
  return (record) => (validate(record) ? undefined : ajv.errorsText(validate.errors));
}

import { Fault } from '../oci/index.ts';

/** The access log cannot be written: nothing may be answered but 503 (design: no answer without its record). */
export class AuditUnavailable extends Fault {
  constructor(cause: unknown) {
    super('DG_AUDIT_UNAVAILABLE', 'UNAVAILABLE', 'access log unavailable, try again', cause);
  }
}

import type { RequestHandler } from 'express';
import { sourceOf } from '../../limits/index.ts';
import { clientAddress } from '../../traffic/index.ts';
import { ApiProblem } from '../operation.ts';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { problemOf } from '../problem.ts';
import { entryOf } from '../record.ts';
import { failRequest, refuseRequest } from '../refuse-request.ts';

/** A program asks again so often at most; said to it, and no harm where it does not keep to it. */
const INTERVAL_SECONDS = 5;

/** Gives a program the code that a person is to type on our page. @see RFC 8628 chapters 3.1 and 3.2 */
export function deviceBegin({ publicUrl }: ApiOptions, parts: ApiParts): RequestHandler {
  return async (request, response) => {
    const exchange = { request, response, parts };
    try {
      const waiting = await parts.programs.begin(sourceOf(clientAddress(request)));
      if (!waiting) {
        const message = 'too many commands wait to be confirmed: try again in a minute';
        const problem = new ApiProblem(429, 'DG_TOO_MANY_SIGN_INS', message, { 'retry-after': '60' });
        await refuseRequest(exchange, problemOf(problem), {
          action: 'sign-in.device',
          reason: 'program.many',
        });
        return;
      }
      parts.audit.note(entryOf(exchange, { action: 'sign-in.device', outcome: 'allowed', status: 200 }));
      response.json({
        device_code: waiting.secret,
        user_code: waiting.userCode,
        verification_uri: `${publicUrl}/login/device`,
        expires_in: waiting.lifeMs / 1000,
        interval: INTERVAL_SECONDS,
      });
    } catch (error) {
      await failRequest(exchange, error, { action: 'sign-in.device' });
    }
  };
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '../base/index.ts';
import { clientAddress } from '../traffic/index.ts';
import { carryOut, failClosed } from './carry-out.ts';
import { decide } from './decide.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { baseUrlOf } from './request.ts';

export interface Gateway {
  /**
   * Answers one request below /v2. Never throws.
   *
   * @param welcomeBody sends `100 Continue`; called once the decision allows the body.
   */
  handle(request: IncomingMessage, response: ServerResponse, welcomeBody: () => void): Promise<void>;
}

/** Parse, authenticate, decide, record, act: the only place that does the last two, so no handler can skip one. */
export function createGateway(options: GatewayOptions, parts: GatewayParts): Gateway {
  return {
    async handle(request, response, welcomeBody) {
      const exchange: Exchange = {
        id: newId(parts.random),
        request,
        response,
        baseUrl: baseUrlOf(request, options),
        address: clientAddress(request),
        userAgent: request.headers['user-agent'],
        startedAtMs: parts.clock.monotonicMs(),
        facts: { action: 'request' },
        isRecorded: false,
        isBodyHeldBack: request.headers.expect !== undefined,
      };
      response.setHeader('x-request-id', exchange.id);
      const hangUp = new AbortController();
      response.once('close', () => {
        // Nobody waits for anything once all has been said, and ending the signal is not cheap.
        if (!response.writableEnded) hangUp.abort();
      });
      const call = {
        signal: hangUp.signal,
        welcomeBody: () => {
          exchange.isBodyHeldBack = false;
          welcomeBody();
        },
      };
      try {
        await carryOut(exchange, await decide(exchange, options, parts, call), parts);
      } catch (error) {
        await failClosed(exchange, error, parts);
      }
    },
  };
}

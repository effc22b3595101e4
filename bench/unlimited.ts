/** One client is all the load of a bench: the limits that keep one from starving others are out of its reach, not off. */
export const UNLIMITED =
  'limits: {address: {requests: 1000000}, principal: {requests: 1000000}, heldRequests: 10000, heldPerPrincipal: 10000}\n';

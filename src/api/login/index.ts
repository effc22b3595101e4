import type { Express, RequestHandler } from 'express';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { decideByCode, showCodePage } from './by-code.ts';
import { decideProgram, showProgramPage } from './by-loopback.ts';
import { comeFromProvider, goToProvider } from './by-provider.ts';
import { deviceBegin } from './device-begin.ts';
import { showSignIn, signInByPassword } from './sign-in.ts';
import { signOut } from './sign-out.ts';
import { type Handler, pageHandler } from './visit.ts';

/** The pages on which people sign in with a browser. No script, one form each. */
export function addLoginPages(
  app: Express,
  options: ApiOptions,
  { parts, form }: { readonly parts: ApiParts; readonly form: RequestHandler },
): void {
  const page = (handler: Handler) => pageHandler(options, parts, handler);
  app.get('/login', page(showSignIn));
  app.post('/login', form, page(signInByPassword));
  app.post('/logout', form, page(signOut));
  app.get('/login/device', page(showCodePage));
  app.post('/login/device', form, page(decideByCode));
  app.get('/login/program', page(showProgramPage));
  app.post('/login/program', form, page(decideProgram));
  app.post('/token/device', form, deviceBegin(options, parts));
  app.get('/login/oidc/:provider', page(goToProvider));
  app.get('/login/oidc/:provider/callback', page(comeFromProvider));
}

/** One line that keeps something out, and the tests that must fail when it is gone. */
export interface Guard {
  /** What it guards, with the threat's id where it has one. */
  readonly guard: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly replace: string;
  readonly with: string;
  readonly tests: readonly string[];
}

export const GUARDS: readonly Guard[] = [
  // Words
  {
    guard: 'N-02: a repository name is at most 255 characters',
    file: 'src/oci/names.ts',
    replace: 'text.length <= REPOSITORY_LENGTH_MAX && REPOSITORY.test(text)',
    with: 'REPOSITORY.test(text)',
    tests: ['test/oci/names.test.ts'],
  },
  {
    guard: 'N-09: a digest is matched as a whole',
    file: 'src/oci/names.ts',
    replace: '(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/',
    with: '(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})/',
    tests: ['test/oci/names.test.ts'],
  },
  {
    guard: 'V-12: no key twice',
    file: 'src/oci/strict-json.ts',
    replace: 'if (known.has(identity))',
    with: 'if (known.has(identity) && false)',
    tests: ['test/oci/strict-json.test.ts'],
  },
  {
    guard: 'V-12: keys are compared as Go compares them',
    file: 'src/oci/strict-json.ts',
    replace: 'key.toUpperCase().toLowerCase()',
    with: 'key',
    tests: ['test/oci/strict-json.test.ts', 'test/oci/manifest.test.ts'],
  },
  {
    guard: 'V-12: no nesting beyond the limit',
    file: 'src/oci/strict-json.ts',
    replace: 'if (depth > this.#depthMax)',
    with: 'if (depth > 1e9)',
    tests: ['test/oci/strict-json.test.ts'],
  },
  {
    guard: 'V-12: no lone surrogate',
    file: 'src/oci/strict-json.ts',
    replace: ' || !value.isWellFormed()',
    with: '',
    tests: ['test/oci/strict-json.test.ts'],
  },
  {
    guard: 'V-12: a field written in another case is refused',
    file: 'src/oci/manifest.ts',
    replace: 'if (field !== undefined && field !== key)',
    with: 'if (field !== undefined && field === key.concat('!'))',
    tests: ['test/oci/manifest.test.ts'],
  },
  {
    guard: 'V-11: the media type inside agrees with the Content-Type',
    file: 'src/oci/manifest.ts',
    replace: 'if (contentType !== undefined && contentType !== mediaType)',
    with: 'if (contentType === mediaType && mediaType.length === 0)',
    tests: ['test/oci/manifest.test.ts'],
  },
  {
    guard: 'V-17: embedded content is refused',
    file: 'src/oci/manifest.ts',
    replace: 'if (members.data !== undefined && !isEmptyObjectData(members.data, size))',
    with: 'if (members.data !== undefined && !isEmptyObjectData(members.data, size) && false)',
    tests: ['test/oci/manifest.test.ts'],
  },
  {
    guard: 'CVE-2021-41190: an image has no children',
    file: 'src/oci/manifest.ts',
    replace: 'if (members.manifests !== undefined) throw',
    with: 'if (members.manifests === members) throw',
    tests: ['test/oci/manifest.test.ts'],
  },
  {
    guard: 'an image is one by its layers, whatever its config says',
    file: 'src/oci/manifest.ts',
    replace: ' || layers.some((layer) => isImageLayerType(layer.mediaType))',
    with: '',
    tests: ['test/oci/manifest.test.ts'],
  },
  {
    guard: 'H-35: a range ends where the content ends',
    file: 'src/oci/range.ts',
    replace: 'Math.min(Number(match[2]), size - 1)',
    with: 'Number(match[2])',
    tests: ['test/oci/range.test.ts'],
  },
  // Private files and certificates
  {
    guard: 'S-01: a key that others could read is refused',
    file: 'src/base/private-file.ts',
    replace: '(stats.mode & 0o077) !== 0',
    with: '(stats.mode & 0o077) === 0o1000',
    tests: ['test/base/files.test.ts'],
  },
  {
    guard: 'S-02: a key is no link out of its folder',
    file: 'src/base/private-file.ts',
    replace: 'if (target.startsWith(',
    with: 'if (target.length > 0 || target.startsWith(',
    tests: ['test/base/files.test.ts'],
  },
  {
    guard: 'S-02: a dangling link is not taken for no key',
    file: 'src/base/private-file.ts',
    replace: ' && !(await isDanglingLink(path))',
    with: '',
    tests: ['test/base/files.test.ts'],
  },
  {
    guard: "the operator's own certificate is never overwritten",
    file: 'src/tls/material.ts',
    replace: 'if (present && !(await isIssuedHere(files, present.certificate))) return present;',
    with: '',
    tests: ['test/tls/open.test.ts'],
  },
  {
    guard: 'a certificate and its key belong together',
    file: 'src/tls/material.ts',
    replace: 'if (!certificate.checkPrivateKey(readPrivateKey(files.key, key)))',
    with: 'if (readPrivateKey(files.key, key) === undefined)',
    tests: ['test/tls/open.test.ts'],
  },
  {
    guard: 'H-24: HTTP/2 is not negotiated',
    file: 'src/tls/open.ts',
    replace: "ALPNProtocols: ['http/1.1']",
    with: "ALPNProtocols: ['h2', 'http/1.1']",
    tests: ['test/tls/open.test.ts'],
  },
  // Configuration and telemetry
  {
    guard: 'S-15: keys that reach a prototype are refused',
    file: 'src/config/tree.ts',
    replace: "return key === '__proto__' ||",
    with: "return key === '__proto' ||",
    tests: ['test/config/load.test.ts'],
  },
  {
    guard: 'S-08: a secret is not printed in a message',
    file: 'src/config/settings.ts',
    replace: "isSecret ? '' : ",
    with: '',
    tests: ['test/config/load.test.ts'],
  },
  {
    guard: 'S-08: config explain hides secrets',
    file: 'src/config/print.ts',
    replace: "here.isSecret ? '(secret)' : ",
    with: '',
    tests: ['test/config/load.test.ts'],
  },
  {
    guard: 'the operational log prints listed fields only',
    file: 'src/telemetry/logger.ts',
    replace: "if (!LOGGED_FIELDS.has(name)) return [name, '[hidden]'];",
    with: 'if (LOGGED_FIELDS.size === 0) return [name, value];',
    tests: ['test/telemetry/logger.test.ts'],
  },
  // Tokens and sign-in
  {
    guard: 'a token names our algorithm',
    file: 'src/auth/tokens.ts',
    replace: "if (alg !== ALGORITHM) return { cause: 'algorithm' };",
    with: '',
    tests: ['test/auth/tokens.test.ts'],
  },
  {
    guard: 'a token has no header of its own, such as jwk or crit',
    file: 'src/auth/tokens.ts',
    replace: '.some((member) => !HEADER_MEMBERS.has(member))',
    with: '.some((member) => member.length > 99)',
    tests: ['test/auth/tokens.test.ts'],
  },
  {
    guard: 'a token is for this service',
    file: 'src/auth/tokens.ts',
    replace: 'audience: options.service,',
    with: '',
    tests: ['test/auth/tokens.test.ts'],
  },
  {
    guard: 'a token comes from this issuer',
    file: 'src/auth/tokens.ts',
    replace: 'issuer: options.issuer,',
    with: '',
    tests: ['test/auth/tokens.test.ts'],
  },
  {
    guard: 'a remembered token still expires',
    file: 'src/auth/tokens.ts',
    replace: "if (isOver(result.claims, clock.nowMs())) return { ok: false, cause: 'expired' };",
    with: '',
    tests: ['test/auth/tokens.test.ts'],
  },
  {
    guard: 'what a removed key signed is forgotten',
    file: 'src/auth/tokens.ts',
    replace: 'verified.clear();',
    with: '',
    tests: ['test/auth/tokens.test.ts'],
  },
  {
    guard: 'a revoked token is dead',
    file: 'src/auth/directory.ts',
    replace: ' && sinceMs >= access.notBeforeMs',
    with: '',
    tests: ['test/auth/directory.test.ts', 'test/auth/authenticator.test.ts'],
  },
  {
    guard: 'rights that were read before a change are not kept',
    file: 'src/auth/directory.ts',
    replace: 'if (readInEpoch === epoch) held.set',
    with: 'held.set',
    tests: ['test/auth/directory.test.ts'],
  },
  {
    guard: 'a change of rights empties what is held',
    file: 'src/auth/directory.ts',
    replace: "if (change.topic === 'access') drop(change.key);",
    with: "if (change.topic === 'keys') drop(change.key);",
    tests: ['test/auth/directory.test.ts'],
  },
  {
    guard: 'a lost channel empties what is held',
    file: 'src/auth/directory.ts',
    replace: 'changes.onLost(() => drop(undefined)),',
    with: '',
    tests: ['test/auth/directory.test.ts'],
  },
  // Roles
  {
    guard: 'a deny grant wins',
    file: 'src/roles/authorize.ts',
    replace: "if (denied) return { isAllowed: false, lacks: 'denied', because: denied };",
    with: '',
    tests: ['test/roles/authorize.test.ts'],
  },
  {
    guard: 'a token narrows',
    file: 'src/roles/authorize.ts',
    replace: "if (!isInScope(request)) return { isAllowed: false, lacks: 'scope', because: allowed };",
    with: '',
    tests: ['test/roles/authorize.test.ts'],
  },
  {
    guard: 'a grant ends at its end',
    file: 'src/roles/authorize.ts',
    replace: 'nowMs < grant.untilMs',
    with: 'nowMs <= grant.untilMs',
    tests: ['test/roles/authorize.test.ts'],
  },
  {
    guard: 'system actions are given by grants on everything only',
    file: 'src/roles/authorize.ts',
    replace: 'if (isSystemAction(action)) return grant.pattern === EVERYTHING;',
    with: 'if (isSystemAction(action)) return true;',
    tests: ['test/roles/authorize.test.ts'],
  },
  {
    guard: 'an unreadable pattern does not stop denying',
    file: 'src/roles/authorize.ts',
    replace: "if (!result.ok) return grant.effect === 'deny';",
    with: 'if (!result.ok) return false;',
    tests: ['test/roles/authorize.test.ts'],
  },
  // Policy
  {
    guard: 'a repository without policy is refused',
    file: 'src/policy/judge.ts',
    replace: 'if (effective.policies.length === 0) return unmatched(digest);',
    with: '',
    tests: ['test/policy/judge.test.ts'],
  },
  {
    guard: 'a mode that nobody knows is enforced',
    file: 'src/policy/judge.ts',
    replace: "all.filter(({ policy }) => policy.mode !== 'warn')",
    with: "all.filter(({ policy }) => policy.mode === 'enforce')",
    tests: ['test/policy/judge.test.ts'],
  },
  {
    guard: 'a missing scan beside another reason is a block',
    file: 'src/policy/judge.ts',
    replace: 'against.every((reason) => reason.needsScan)',
    with: 'against.some((reason) => reason.needsScan)',
    tests: ['test/policy/judge.test.ts'],
  },
  // The access log
  {
    guard: 'A-13: what failed to be written is no record',
    file: 'src/audit/appender.ts',
    replace: 'this.#failed(error);\n      throw error;\n    }\n    return lines;',
    with: 'this.#failed(error);\n    }\n    return lines;',
    tests: ['test/audit/writer.test.ts'],
  },
  {
    guard: 'an older copy of the log is told from a new one',
    file: 'src/audit/verify.ts',
    replace: 'if (checkpoint.size <= newest.size) return { checkpoint };',
    with: 'return { checkpoint: undefined };',
    tests: ['test/audit/tamper.test.ts'],
  },
  {
    guard: 'another history is told from this one',
    file: 'src/audit/verify.ts',
    replace: 'leaves.damage ?? otherHistory(against, leaves)',
    with: 'leaves.damage',
    tests: ['test/audit/tamper.test.ts'],
  },
  // Content
  {
    guard: 'V-21: bytes that are not the digest are never published',
    file: 'src/content/shared-fill.ts',
    replace: 'if (digestFrom(hash, algorithmOf(source.digest)) !== source.digest)',
    with: 'if (digestFrom(hash, algorithmOf(source.digest)) === undefined)',
    tests: ['test/content/shared-fill.test.ts'],
  },
  // Upstream
  {
    guard: 'threats 0.1: no DELETE or OPTIONS goes through http-proxy',
    file: 'src/upstream/proxy.ts',
    replace: 'if (!METHODS.includes(call.method))',
    with: 'if (METHODS.length === 0)',
    tests: ['test/upstream/fence.test.ts'],
  },
  {
    guard: 'the password goes to listed realms only',
    file: 'src/upstream/sign-in.ts',
    replace: 'realm !== undefined && target.realmOrigins.has(realm.origin)',
    with: 'realm !== undefined',
    tests: ['test/upstream/sign-in.test.ts'],
  },
  // Between processes
  {
    guard: 'a verdict from Redis is ours',
    file: 'src/cluster/seal.ts',
    replace: 'mac.length === right.length && timingSafeEqual(mac, right)',
    with: 'mac.length === right.length',
    tests: ['test/cluster/seal.test.ts'],
  },
  {
    guard: 'a sealed text is read back for its own key only',
    file: 'src/cluster/seal.ts',
    replace: 'const macOf = (context: string, text: string)',
    with: "const macOf = (_: string, text: string, context = '')",
    tests: ['test/cluster/seal.test.ts'],
  },
  // SQL
  {
    guard: 'a pushed manifest names only what is linked or pending in its repository',
    file: 'src/store/link-manifest.ts',
    replace: 'if (missing) return { ok: false, missing };',
    with: '',
    tests: ['test/store/contracts.test.ts'],
  },
  // Verdicts
  {
    guard: 'a blob is admitted by an admitted manifest only',
    file: 'src/verdicts/verdicts.ts',
    replace: "if (verdict.outcome === 'allow') return { isAdmitted: true, manifest };",
    with: 'return { isAdmitted: true, manifest };',
    tests: ['test/verdicts/verdicts.test.ts'],
  },
  // Gateway
  {
    guard: 'H-19: no body on GET, HEAD, DELETE or OPTIONS',
    file: 'src/gateway/body.ts',
    replace:
      "return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');",
    with: "return request.headers['transfer-encoding'] === '?' || length === '?';",
    tests: ['test/gateway/request.test.ts'],
  },
  {
    guard: 'a Host that is none of our names is not echoed',
    file: 'src/gateway/request.ts',
    replace: 'host !== undefined && options.hosts.has(host)',
    with: 'host !== undefined',
    tests: ['test/gateway/request.test.ts'],
  },
  {
    guard: 'an upload session ends',
    file: 'src/gateway/upload-session.ts',
    replace: 'session && nowMs < session.expiresAtMs ? session : undefined',
    with: 'session',
    tests: ['test/gateway/upload-session.test.ts'],
  },
];

/** `redis-1.corp:26379`, `10.0.0.1:6379`, `[::1]:6379`. */
export function readHostPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port > 0 && port <= 65_535 ? { host, port } : undefined;
}

/** Registry hosts as clients write them in image references: the `domain` grammar of the distribution project's references. */

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const hostPattern = new RegExp(`^(${label}(?:\\.${label})*|\\[[0-9a-f:.]{2,45}\\])(?::([1-9]\\d{0,4}))?$`)
const longestHost = 253 + ':65535'.length

/**
 * `host`, `host:port` or `[v6]:port`, made comparable: lower case, no default port 443. `undefined` = no host at all (a scheme,
 * a user name, a path, a trailing dot, anything that is not ASCII).
 */
export function parseHost(text: string): string | undefined {
  if (text.length > longestHost) return undefined
  const match = hostPattern.exec(text.toLowerCase())
  if (!match || Number(match[2] ?? 0) > 65535) return undefined
  const [, host, port] = match
  return port === undefined || port === '443' ? host : `${host}:${port}`
}

/** Whether a first path component is meant as a host rather than as part of a name: the rule of all image references. */
export function looksLikeHost(component: string): boolean {
  return component.includes('.') || component.includes(':') || component.toLowerCase() === 'localhost'
}

/** How a host with a port is written as a path component, where a colon is not allowed: `host-port`. */
export function portAlias(host: string): string | undefined {
  const [, name, port] = /^([^:[\]]+):(\d+)$/.exec(host) ?? []
  return name === undefined ? undefined : `${name}-${port}`
}

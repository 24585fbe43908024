/** Requests as they stand on the wire: those that clients send, and seeded ones that try to reach what is not theirs. */
import type { Random } from '../crash/random.ts'

const zeros = '0'.repeat(64)

const climbs = [
  '..',
  '../..',
  '..%2f..',
  '%2e%2e',
  '%2e%2e%2f%2e%2e',
  '%252e%252e%252f',
  '..%5c..',
  '..;',
  '%c0%ae%c0%ae',
  '.%00.',
  '....//',
]
const targets = ['etc/passwd', 'proc/self/environ', 'root/.docker/config.json', 'holder', 'catalog/CURRENT', 'sources']
const names = [
  'app',
  'up.example/app',
  'elsewhere',
  'app%2fapp',
  'app%00',
  '%00',
  '.',
  'a//b',
  'app/',
  '~',
  '$HOME',
  'x'.repeat(2000),
]
const hosts = [
  'evil.example',
  '127.0.0.1:1',
  '169.254.169.254',
  'localhost:22',
  '[::1]:1',
  'user:pass@evil.example',
  '0x7f.1',
]
const digests = [
  `sha256:${zeros}`,
  `sha512:${zeros}${zeros}`,
  `sha256:${zeros.slice(1)}`,
  `sha256:${zeros}0`,
  `sha256:${'A'.repeat(64)}`,
  'sha256:../../../etc/passwd',
  'sha256:..%2f..%2f..%2fetc%2fpasswd',
  `sha256%3a${zeros}`,
  `sha256:${zeros}%00.txt`,
  `sha256:${zeros}/../${zeros}`,
  'md5:00',
  'file:///etc/passwd',
]
const kinds = ['blobs', 'manifests', 'referrers', 'tags', 'blobs/uploads']
const methods = ['GET', 'GET', 'GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS']

/** What a client sends, once to a connection. */
export function request(method: string, target: string, headers: string[] = []): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n')
}

export function hostileRequest(random: Random): string {
  const reference = () => random.pick([...digests, ...climbs, `${random.pick(climbs)}/${random.pick(targets)}`])
  const name = () => random.pick([...names, ...climbs, ...hosts, `${random.pick(names)}/${random.pick(climbs)}`])
  const path = random.pick([
    () => `/v2/${name()}/${random.pick(kinds)}/${reference()}`,
    () => `/${name()}/v2/${name()}/${random.pick(kinds)}/${reference()}`,
    () => `/v2/${random.pick(names)}/manifests/1?ns=${encodeURIComponent(random.pick([...hosts, ...climbs]))}`,
    () => `/${random.pick(climbs)}/${random.pick(climbs)}/${random.pick(targets)}`,
    () =>
      `/v2/app/blobs/${random.pick(digests)}?${random.pick(['n', 'last', 'ns', 'file', 'mount', 'from'])}=${reference()}`,
    () => `/v2/app/tags/list?n=${reference()}&last=${reference()}`,
    () => `${random.pick(['http', 'https', 'file', 'ftp', 'unix'])}://${random.pick(hosts)}/${random.pick(targets)}`,
    () => `//${random.pick(hosts)}/${random.pick(targets)}`,
    () => `/v2/${Array.from({ length: 12 }, () => String.fromCharCode(random.below(256))).join('')}/tags/list`,
  ])()
  return request(
    random.pick(methods),
    path,
    random.pick([[], [`Range: bytes=${random.below(9)}-`], [`X: ${random.pick(climbs)}`]]),
  )
}

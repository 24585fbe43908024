import { expect, test } from 'vitest'
import { isMediaType, manifestAccept } from '../../src/oci/media-types.ts'

test('upstreams are asked for every manifest type, anything last', () => {
  expect(manifestAccept).toBe(
    'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, ' +
      'application/vnd.docker.distribution.manifest.list.v2+json, ' +
      'application/vnd.docker.distribution.manifest.v2+json, */*',
  )
})

test.each(['application/json', 'a/b', 'application/vnd.oci.image.index.v1+json', 'x/a.b-c_d+e!#$&^'])(
  '%s may stand in a Content-Type',
  (text) => {
    expect(isMediaType(text)).toBe(true)
  },
)

test.each([
  '',
  'a',
  'a/',
  '/b',
  'a/b/c',
  'a/b; charset=utf-8',
  'a/b ',
  ' a/b',
  'a/b\n',
  'a/b\r\nX: y',
  'a/\0',
  'é/b',
  '*/*',
  '.a/b',
  `a/${'b'.repeat(128)}`,
])('%j may not', (text) => {
  expect(isMediaType(text)).toBe(false)
})

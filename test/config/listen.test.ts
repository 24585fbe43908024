import { describe, expect, test } from 'vitest'
import { createHome } from './support.ts'

describe('who may connect', () => {
  test.each([
    '127.0.0.1:5000',
    '127.8.9.10:1',
    '[::1]:5000',
    'localhost:5000',
    '[::ffff:127.0.0.1]:5000',
    'unix:/run/e.sock',
  ])('%s needs nothing more', (listen) => {
    expect(createHome().load(`listen: '${listen}'`)).toHaveProperty('listen')
  })

  test.each(['0.0.0.0:5000', '[::]:5000', '192.168.1.2:5000', 'registry.internal:5000', '128.0.0.1:1'])(
    '%s needs access or allowAnonymousLan',
    (listen) => {
      const home = createHome()
      expect(home.problems(`listen: '${listen}'`)).toHaveLength(1)
      expect(home.load(`listen: '${listen}'\nallowAnonymousLan: true`).allowAnonymousLan).toBe(true)
      home.write('htpasswd', '')
      expect(home.load(`listen: '${listen}'\naccess: { htpasswd: htpasswd, rules: [] }`)).toHaveProperty('access')
    },
  )
})

/** What the page leaves to the registry: TLS with a certificate authority of one's own, users and what they may do. */
import { describe, expect } from 'vitest'
import type { Page } from './page.ts'

const push = 'helm push mychart-0.1.0.tgz oci://localhost:5000/helm-charts'
const pull = 'helm pull oci://localhost:5000/helm-charts/mychart --version 0.1.0'
const login = 'helm registry login -u myuser localhost:5000'
const logout = 'helm registry logout localhost:5000'

export function newUsers({ mode, line, run }: Page): void {
  if (!mode.access) return
  describe('New users', () => {
    line('access: entrepot passwd makes users, who can log in while the daemon runs', async () => {
      await run('entrepot passwd myuser >>/etc/entrepot/htpasswd', { answers: ['secret', 'secret'] })
      await run('entrepot passwd reader >>/etc/entrepot/htpasswd', { answers: ['glasses', 'glasses'] })
      await run('chmod 600 /etc/entrepot/htpasswd')
      const logIn = () => run(login, { answers: ['secret'] }).catch(String)
      await expect.poll(logIn, { timeout: 10_000 }).toContain('Login Succeeded')
    })
  })
}

export function plainHttp({ mode, line, run, refused }: Page): void {
  if (mode.listener === 'https') return
  const bare = { flags: [] }
  describe('Plain HTTP', () => {
    if (mode.helm === 'helm4') {
      line('without --plain-http Helm 4 is refused, and why', async () => {
        expect(await refused(push, bare)).toContain('http: server gave HTTP response to HTTPS client')
        expect(await run(`${push} --plain-http`, bare)).toContain('Pushed: ')
      })
    } else if (mode.access) {
      // Its login notices that there is no TLS; the others send no password where they expected TLS.
      line('access: without --plain-http Helm 3 is refused after its login', async () => {
        await run(login, { ...bare, answers: ['secret'] })
        for (const command of [push, pull]) expect(await refused(command, bare)).toMatch(/401: unauthorized/i)
      })
    } else {
      line('Helm 3 needs no --plain-http, and takes it', async () => {
        expect(await run(push, bare)).toContain('Pushed: ')
        expect(await run(`${push} --plain-http`, bare)).toContain('Pushed: ')
        expect(await run(`${pull} --plain-http`, bare)).toContain('Pulled: ')
      })
    }
  })
}

export function privateAuthority({ mode, line, run, refused }: Page): void {
  if (mode.listener !== 'https') return
  const without = ['SSL_CERT_FILE']
  describe('TLS', () => {
    line('TLS: SSL_CERT_FILE names the authority', async () => {
      const trusting = 'SSL_CERT_FILE=/etc/entrepot/ca.crt'
      expect(await run(`${trusting} ${push}`, { without })).toContain('Pushed: ')
      expect(await run(`${trusting} ${pull}`, { without })).toContain('Pulled: ')
    })

    line('TLS: --ca-file names the authority', async () => {
      const trusting = '--ca-file /etc/entrepot/ca.crt'
      await run(`${login} ${trusting}`, { without, answers: ['secret'] })
      expect(await run(`${push} ${trusting}`, { without })).toContain('Pushed: ')
      expect(await run(`${pull} ${trusting}`, { without })).toContain('Pulled: ')
      await run(`helm dependency update parent ${trusting}`, { without })
    })

    line('TLS: an authority that nobody named is refused', async () => {
      for (const command of [push, pull]) {
        expect(await refused(command, { without })).toContain('certificate signed by unknown authority')
      }
    })
  })
}

export function usersAndRights({ mode, line, run, refused, manifest }: Page): void {
  if (!mode.access) return
  describe('Users and rights', () => {
    line('access: nothing without a login', async () => {
      await run(logout)
      for (const command of [push, pull]) expect(await refused(command)).toContain('basic credential not found')
    })

    line('access: a wrong password is refused', async () => {
      expect(await refused(login, { answers: ['wrong'] })).toContain('401')
      expect(await refused(pull)).toContain('basic credential not found')
    })

    line('access: who may only pull cannot push', async () => {
      const before = await manifest('helm-charts/mychart', '0.2.0')
      await run('helm registry login -u reader localhost:5000', { answers: ['glasses'] })
      expect(await run(pull)).toContain('Pulled: localhost:5000/helm-charts/mychart:0.1.0\n')
      await run('helm package mychart --version 0.2.0')
      const told = await refused('helm push mychart-0.2.0.tgz oci://localhost:5000/helm-charts')
      expect(told).toMatch(/403.*denied/i)
      expect(await manifest('helm-charts/mychart', '0.2.0')).toEqual(before)
    })

    line('access: who may not pull is told that nothing is there', async () => {
      const told = await refused('helm push mychart-0.1.0.tgz oci://localhost:5000/charts')
      expect(told).toMatch(/404: name unknown: There is no repository charts\/mychart/)
    })

    line('access: who may push does, from a pipe too', async () => {
      await run('echo secret | helm registry login -u myuser --password-stdin localhost:5000')
      expect(await run(push)).toContain('Pushed: localhost:5000/helm-charts/mychart:0.1.0\n')
      await run(logout)
      expect(await refused(push)).toContain('basic credential not found')
    })
  })
}

/** The ways in which the Helm page is followed: which Helm, how it reaches the daemon, and whether that asks who it is. */
import { pinnedVersion } from '../../support/tools.ts'
import type { Helm } from '../helm.ts'

export interface Mode {
  /** As the tables name it. */
  title: string
  helm: Helm
  /** Where the daemon listens: at the page's own address with nothing configured, or on a free port. */
  listener: 'localhost:5000' | 'http' | 'https'
  /** What is added to the page's commands that reach a registry. */
  flags: readonly string[]
  /** With users and rules, those that docs/helm.md shows. */
  access: boolean
}

const [three, four] = [named('helm3'), named('helm4')]
const plain = ['--plain-http']

export const modes: Mode[] = [
  { title: three, helm: 'helm3', listener: 'localhost:5000', flags: [], access: false },
  { title: `${four} http`, helm: 'helm4', listener: 'localhost:5000', flags: plain, access: false },
  { title: `${three} TLS`, helm: 'helm3', listener: 'https', flags: [], access: false },
  { title: `${four} TLS`, helm: 'helm4', listener: 'https', flags: [], access: false },
  { title: `${three} http, access`, helm: 'helm3', listener: 'http', flags: plain, access: true },
  { title: `${four} http, access`, helm: 'helm4', listener: 'http', flags: plain, access: true },
  { title: `${three} TLS, access`, helm: 'helm3', listener: 'https', flags: [], access: true },
  { title: `${four} TLS, access`, helm: 'helm4', listener: 'https', flags: [], access: true },
]

function named(helm: Helm): string {
  return (pinnedVersion(helm) ?? helm).replace(/\.\d+$/, '')
}

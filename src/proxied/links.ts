/** What counts as proved: with `allowAnonymousLan`, what a private credential opened is not the LAN's to read. */
import type { Proof } from '../catalog/records.ts'

export type Visible = (proved: { proof: Proof; credential: string }) => boolean

const anonymous = 'anonymous'

/** `shared`: whether what the upstream's credential opens is meant for everyone who reaches us. */
export function visibleLinks(options: { allowAnonymousLan: boolean; shared: boolean }): Visible {
  if (!options.allowAnonymousLan || options.shared) return () => true
  return (proved) => proved.proof !== 'fetched' || proved.credential === anonymous
}

/**
 * Whose decision a range follows: `helm` and `helm-legacy` (before Helm 3.19), `flux` (OCIRepository.semver), `argo` (its OCI resolve), and
 * `image` for container tags.
 */
export const profiles = ['helm', 'helm-legacy', 'flux', 'argo', 'image'] as const
export type Profile = (typeof profiles)[number]

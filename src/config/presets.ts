/**
 * What is known of the public registries, so that they need no configuration. Blobs of all of them are redirected to public
 * storage hosts (Cloudflare, CloudFront, S3, Google Storage, Azure; registry.k8s.io also redirects manifests, to *.pkg.dev):
 * those need no entry, because redirects to public addresses are followed without credentials.
 */

export interface Preset {
  url: string
  /** Token servers on another host than the registry itself. */
  tokenRealms: readonly string[]
  /** Other hosts that mean the same registry. */
  otherNames: readonly string[]
}

export const dockerHub = 'docker.io'

export const presets: Readonly<Record<string, Preset>> = {
  [dockerHub]: {
    url: 'https://registry-1.docker.io',
    tokenRealms: ['auth.docker.io'],
    otherNames: ['index.docker.io', 'registry-1.docker.io'],
  },
  'ghcr.io': sameHost('ghcr.io'),
  'quay.io': sameHost('quay.io'),
  'registry.k8s.io': sameHost('registry.k8s.io'),
  'gcr.io': sameHost('gcr.io'),
  'public.ecr.aws': sameHost('public.ecr.aws'),
  'mcr.microsoft.com': sameHost('mcr.microsoft.com'),
  'registry.gitlab.com': { ...sameHost('registry.gitlab.com'), tokenRealms: ['gitlab.com'] },
  'nvcr.io': sameHost('nvcr.io'),
}

/** Registries whose token server is the registry's own host, or who need no token. */
function sameHost(host: string): Preset {
  return { url: `https://${host}`, tokenRealms: [], otherNames: [] }
}

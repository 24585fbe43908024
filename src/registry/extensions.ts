/** Which extensions there are (distribution spec, extensions/_oci.md): of the registry, and of one repository. */
import { type Answer, jsonAnswer } from './answer.ts'
import type { Named } from './target.ts'

interface Extension {
  name: string
  url: string
  description: string
  /** Below `/v2/`, or below a repository. */
  endpoints: string[]
}

const discover = '_oci/ext/discover'

const ofRepository: Extension[] = [
  {
    name: '_oci',
    url: 'https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md',
    description: 'Says which extensions there are.',
    endpoints: [discover],
  },
  {
    name: '_entrepot',
    url: 'docs/version-ranges.md',
    description: 'Resolves version ranges to tags.',
    endpoints: ['_entrepot/versions/resolve'],
  },
]

/** No I/O. The endpoints of repositories are listed too, since all repositories have them. */
export function registryExtensions(): Answer {
  return extensionsAnswer((endpoint) => [
    ...(endpoint === discover ? [`/v2/${endpoint}`] : []),
    `/v2/<name>/${endpoint}`,
  ])
}

/** No I/O: whether there is such a repository is not asked. */
export function repositoryExtensions({ path }: Named): Answer {
  const base = path.split('/').slice(0, -3).join('/')
  return extensionsAnswer((endpoint) => [`${base}/${endpoint}`])
}

function extensionsAnswer(write: (endpoint: string) => string[]): Answer {
  const extensions = ofRepository.map((one) => ({ ...one, endpoints: one.endpoints.flatMap(write) }))
  return jsonAnswer(200, 'application/json', JSON.stringify({ extensions }))
}

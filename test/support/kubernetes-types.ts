/** Which types of objects a test's cluster has, and the documents that tell clients so: version, discovery, OpenAPI v3. */
import type { JsonObject } from './kubernetes-patch.ts'

export interface ResourceType {
  /** Empty for the core group. */
  group: string
  version: string
  resource: string
  kind: string
  namespaced: boolean
}

/** Those of ordinary charts, with the names that the Kubernetes API gives them. */
export const resourceTypes: ResourceType[] = [
  ...namespaced('', 'v1', {
    configmaps: 'ConfigMap',
    persistentvolumeclaims: 'PersistentVolumeClaim',
    pods: 'Pod',
    secrets: 'Secret',
    serviceaccounts: 'ServiceAccount',
    services: 'Service',
  }),
  { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false },
  ...namespaced('apps', 'v1', { daemonsets: 'DaemonSet', deployments: 'Deployment', statefulsets: 'StatefulSet' }),
  ...namespaced('batch', 'v1', { jobs: 'Job' }),
  ...namespaced('networking.k8s.io', 'v1', { ingresses: 'Ingress', networkpolicies: 'NetworkPolicy' }),
  ...namespaced('policy', 'v1', { poddisruptionbudgets: 'PodDisruptionBudget' }),
  ...namespaced('rbac.authorization.k8s.io', 'v1', { rolebindings: 'RoleBinding', roles: 'Role' }),
  ...['ClusterRole', 'ClusterRoleBinding'].map((kind) => {
    const resource = `${kind.toLowerCase()}s`
    return { group: 'rbac.authorization.k8s.io', version: 'v1', resource, kind, namespaced: false }
  }),
]

const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update']

/** Answers a GET of a path with the document there; `undefined` where none is. */
export function createDiscovery(types: ResourceType[]): (path: string) => JsonObject | undefined {
  const places = Map.groupBy(types, ({ group, version }) =>
    group === '' ? `api/${version}` : `apis/${group}/${version}`,
  )
  const documents = new Map<string, JsonObject>([
    ['/version', { major: '1', minor: '34', gitVersion: 'v1.34.0', platform: 'linux/amd64' }],
    ['/api', { kind: 'APIVersions', versions: [...new Set(types.filter(isCore).map(({ version }) => version))] }],
    ['/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(types) }],
    ['/openapi/v3', { paths: Object.fromEntries([...places.keys()].map((place) => [place, openApiLink(place)])) }],
  ])
  for (const [place, there] of places) {
    documents.set(`/${place}`, resourceList(place, there))
    documents.set(`/openapi/v3/${place}`, openApi(place, there))
  }
  return (path) => documents.get(path)
}

function namespaced(group: string, version: string, kinds: Record<string, string>): ResourceType[] {
  return Object.entries(kinds).map(([resource, kind]) => ({ group, version, resource, kind, namespaced: true }))
}

function isCore({ group }: ResourceType): boolean {
  return group === ''
}

function groupsOf(types: ResourceType[]): JsonObject[] {
  const groups = Map.groupBy(
    types.filter((type) => !isCore(type)),
    ({ group }) => group,
  )
  return [...groups].map(([name, members]) => {
    const names = [...new Set(members.map(({ version }) => version))]
    const versions = names.map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions, preferredVersion: versions[0] }
  })
}

function resourceList(place: string, types: ResourceType[]): JsonObject {
  const resources = types.map(({ resource, kind, namespaced: inNamespace }) => {
    return { name: resource, singularName: kind.toLowerCase(), namespaced: inNamespace, kind, verbs }
  })
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: place.replace(/^apis?\//, ''), resources }
}

function openApiLink(place: string): JsonObject {
  return { serverRelativeURL: `/openapi/v3/${place}?hash=1` }
}

/** Only what clients look for: that the server takes `fieldValidation` when an object is patched, so they need no schemas. */
function openApi(place: string, types: ResourceType[]): JsonObject {
  const patches = types.map(({ group, version, kind, resource }) => {
    const parameters = [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }]
    const patch = { parameters, responses: {}, 'x-kubernetes-group-version-kind': { group, version, kind } }
    return [`/${place}/namespaces/{namespace}/${resource}/{name}`, { patch }]
  })
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'v1.34.0' }, paths: Object.fromEntries(patches) }
}

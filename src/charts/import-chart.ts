/** Brings one chart in: what is there already is left alone, what arrives is checked, and pushed as Helm would. */
import { digestOf } from '../oci/digest.ts'
import { readArchive } from './archive.ts'
import { ChartError } from './go-yaml.ts'
import { type Content, helmPush } from './helm-push.ts'
import { readMetadata, textField } from './metadata.ts'
import { type ChartSource, type ChartTarget, type FetchedArchive, type KeptChart, SourceError } from './ports.ts'
import { readProvenance } from './provenance.ts'
import type { ChosenChart } from './selection.ts'
import type { Structure } from './structure.ts'

export interface Ports {
  source: ChartSource
  target: ChartTarget
}

export interface ImportRules {
  /** Whether a tag that holds another chart is moved. */
  overwrite: boolean
}

/** `there`: it was imported before. `bytes`: of the archive. `faults` and `notes`: ends of sentences. */
export type Imported = { what: 'imported' | 'there'; bytes: number; faults: string[]; notes: string[] }

/** @throws ChartError, SourceError, TargetError: why it is left out */
export async function importChart(chart: ChosenChart, ports: Ports, rules: ImportRules): Promise<Imported> {
  const { repository, tag, entry, urls } = chart
  const kept = await ports.target.kept(repository, tag)
  if (kept && entry.digest) refuseAnother(kept, entry.digest, rules)
  const isThere = kept?.archive !== undefined && kept.archive === entry.digest
  // Who has both has all there can be.
  if (isThere && kept.provenance) return { what: 'there', bytes: 0, faults: [], notes: [] }
  if (isThere && entry.digest) {
    const provenance = await provenanceOf(urls, entry.digest, ports.source)
    if (!provenance.signed) return { what: 'there', bytes: 0, faults: provenance.faults, notes: provenance.notes }
  }
  const { url, archive } = await fetchArchive(chart, ports.source)
  try {
    if (kept) refuseAnother(kept, archive.digest, rules)
    const provenance = await provenanceOf([url], archive.digest, ports.source)
    const hasAll = kept?.archive === archive.digest && (kept.provenance !== undefined || !provenance.signed)
    if (hasAll) return { what: 'there', bytes: archive.size, faults: provenance.faults, notes: provenance.notes }
    const notes = await push(chart, archive, provenance.signed, ports)
    return { what: 'imported', bytes: archive.size, faults: provenance.faults, notes: [...notes, ...provenance.notes] }
  } finally {
    await archive.discard()
  }
}

/** What an import would do, as far as it can be known without the archive. @throws ChartError, TargetError */
export async function foreseeChart(chart: ChosenChart, target: ChartTarget, rules: ImportRules): Promise<Imported> {
  const kept = await target.kept(chart.repository, chart.tag)
  if (kept && chart.entry.digest) refuseAnother(kept, chart.entry.digest, rules)
  const isThere = kept?.archive !== undefined && kept.archive === chart.entry.digest
  return { what: isThere ? 'there' : 'imported', bytes: 0, faults: [], notes: [] }
}

function refuseAnother(kept: KeptChart, digest: string, { overwrite }: ImportRules): void {
  if (overwrite || kept.archive === digest) return
  const what = kept.archive === undefined ? 'something that is no chart' : `another archive, ${kept.archive}`
  throw new ChartError(`its tag is taken: it holds ${what}; --overwrite moves it`)
}

/** From the first address that has the right one. @throws what the last one had to say */
async function fetchArchive(
  { urls, entry }: ChosenChart,
  source: ChartSource,
): Promise<{ url: URL; archive: FetchedArchive }> {
  let problem: unknown
  for (const url of urls) {
    try {
      const archive = await source.archive(url)
      if (entry.digest === undefined || archive.digest === entry.digest) return { url, archive }
      await archive.discard()
      problem = new ChartError(`what arrives has the digest ${archive.digest}, and the index says ${entry.digest}`)
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      problem = error
    }
  }
  throw problem
}

interface FoundProvenance {
  signed?: Buffer
  faults: string[]
  notes: string[]
}

async function provenanceOf(urls: URL[], archive: Content['digest'], source: ChartSource): Promise<FoundProvenance> {
  const [url] = urls
  const bytes = url && (await source.provenance(url).catch(whyDenied))
  if (typeof bytes === 'string') return { faults: [], notes: [`without provenance: ${bytes}`] }
  if (!bytes) return { faults: [], notes: [] }
  const state = readProvenance(bytes, archive)
  if (state === 'names it') return { signed: bytes, faults: [], notes: [] }
  if (state === 'strange') return { faults: [], notes: ['without provenance: what is beside it is no signed message'] }
  return { faults: ['without provenance: the one beside it is of another archive'], notes: [] }
}

/** Whether there is one cannot be told then, so the chart comes in without it, and that is said. */
function whyDenied(error: unknown): string {
  if (error instanceof SourceError && error.kind === 'denied') return error.message
  throw error
}

/** @returns notes */
async function push(
  chart: ChosenChart,
  archive: FetchedArchive,
  provenance: Buffer | undefined,
  ports: Ports,
): Promise<string[]> {
  const { repository, tag, entry } = chart
  const { chartYaml, requirements, modified, tooLargeForHelm3 } = await readArchive(archive.bytes())
  const metadata = readMetadata(chartYaml, requirements)
  requireSame(metadata, chart)
  const created = entry.created ?? new Date(modified).toISOString().replace(/\.\d+Z$/, 'Z')
  const signed = provenance && contentOf(provenance)
  const { config, manifest } = helmPush({ metadata, archive, provenance: signed, created })
  const blobs = [archive, ...(signed ? [signed] : []), contentOf(config)]
  await ports.target.push({ repository, tag, blobs, manifest })
  return tooLargeForHelm3 === undefined ? [] : [`Helm 3 refuses it for ${tooLargeForHelm3}, which has more than 5 MiB`]
}

/** Helm pushes by what the archive says. */
function requireSame(metadata: Structure, { entry }: ChosenChart): void {
  for (const field of ['name', 'version'] as const) {
    const said = textField(metadata, field)
    if (said !== entry[field]) throw new ChartError(`its archive says that its ${field} is ${JSON.stringify(said)}`)
  }
}

function contentOf(bytes: Buffer) {
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    async *bytes() {
      yield bytes
    },
  }
}

/** Ctrl-C while charts are imported. */

/** The first signal lets what runs end; the second one ends the process. */
export function interruptible(): { signal: AbortSignal; release: () => void } {
  const stop = new AbortController()
  const interrupt = () => {
    process.stderr.write('\nentrepot: stopping after what runs now; once more ends it at once\n')
    stop.abort()
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const name of signals) process.once(name, interrupt)
  return { signal: stop.signal, release: () => signals.forEach((name) => process.off(name, interrupt)) }
}

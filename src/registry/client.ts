/** Who asks, as far as handlers need it. */
export interface Client {
  /** Whose upload sessions it may go on with. */
  name: string
  /** @param repository the key of a repository, as in `Repository.key` */
  mayPull(repository: string): boolean
  /** Whether rules say what it may do: then what it may not pull is answered as what is not there. */
  hasRules: boolean
}
